"""A figure over several runs: its median and how far it spreads; two of them beside each other."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

SIDES = ("PyTorch", "TensorFlow")
"""How the two sides are called: Keras runs on TensorFlow in all samples."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What some runs measured of one thing."""

    median: float
    low: float
    high: float
    count: int
    """How many runs."""

    def text(self, unit: str = "") -> str:
        """Return "4.1 ms (3.9 to 4.6; 3)": median, smallest, largest and how many runs."""
        if self.count == 1:
            return f"{_with(number(self.median), unit)} (1)"
        spread = f"{number(self.low)} to {number(self.high)}; {self.count}"
        return f"{_with(number(self.median), unit)} ({spread})"

    def overlaps(self, other: Spread) -> bool:
        """Return whether some run of the one measured no less than some run of the other, and the reverse."""
        return self.low <= other.high and other.low <= self.high


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """Return the spread of what is known; None where nothing is."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    return Spread(statistics.median(known), min(known), max(known), len(known))


def number(value: float) -> str:
    """Return a number with three digits that count; whole ones from 100 on."""
    if value == 0 or abs(value) >= 99.95:
        return f"{value:,.0f}"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


def beside(left: Spread | None, right: Spread | None, *, unit: str | None = None) -> str:
    """Return how the figures of both sides stand to each other; "" where one is missing.

    Args:
        left: PyTorch's.
        right: TensorFlow's.
        unit: say by how much of this the one is more; None to say how many times the other it is.
    """
    if left is None or right is None:
        return ""
    if left.median == right.median:
        return "equal"
    if min(left.count, right.count) > 1 and left.overlaps(right):
        return "the spreads overlap"
    name, more, less = (SIDES[0], left, right) if left.median > right.median else (SIDES[1], right, left)
    if unit is None and less.median > 0:
        return f"{name} {number(more.median / less.median)} times as much{_alone(left, right)}"
    return f"{name} {_with(number(more.median - less.median), unit or '')} more{_alone(left, right)}"


def in_short(said: Iterable[str]) -> str:
    """Return a sentence on what `beside` said of all rows of a table; "" when it said nothing."""
    words = [one for one in said if one]
    if not words:
        return ""
    more = [f"{name} has more in {sum(one.startswith(name) for one in words)}" for name in SIDES]
    alike = sum(not one.startswith(SIDES) for one in words)
    rows = f"Of {len(words)} rows with both" if len(words) > 1 else "Of one row with both"
    return f"{rows}, {more[0]} and {more[1]}; in {alike} the spreads overlap or are equal."


def _alone(left: Spread, right: Spread) -> str:
    return "" if min(left.count, right.count) > 1 else " (of one run)"


def _with(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text
