"""Tables of words, the same for the page, the report and the command line. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..views.words import NOTHING, TIMES, brief, number
from .compare import Comparison

DIFFERS, SAME, BEST = "≠", "=", "★"
LONGEST_HEAD = 32
"""Characters of a run's name at the head of a column."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    cells: tuple[str, ...]
    differs: bool = True


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table."""

    title: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""
    """What a reader must know to understand it."""

    @property
    def differing(self) -> Sheet:
        """The same without the rows that are equal for all runs."""
        return Sheet(self.title, self.head, tuple(row for row in self.rows if row.differs), self.note)

    @property
    def columns(self) -> dict[str, list[str]]:
        """The cells by column; of two columns with one title, the second one has its number in it."""
        found: dict[str, list[str]] = {}
        for place, title in enumerate(self.head):
            name = title if title not in found else f"{title} ({place + 1})"
            found[name] = [row.cells[place] for row in self.rows]
        return found

    @property
    def equal(self) -> int:
        """How many rows are equal for all runs."""
        return sum(not row.differs for row in self.rows)


def names_of(found: Comparison) -> list[str]:
    """Return the runs' names as heads of columns."""
    return [brief(one.name, LONGEST_HEAD) for one in found.runs]


def marked(
    values: Sequence[float | None], *, upwards: bool | None, say: Callable[[float], str] = number
) -> list[str]:
    """Return values as words, with a star at the best where they are not all the same.

    Args:
        values: one for each run.
        upwards: whether the largest is the best; None where none is.
        say: turns a value into words.
    """
    told = [NOTHING if value is None else say(value) for value in values]
    known = [value for value in values if value is not None and math.isfinite(value)]
    if upwards is None or len(known) < 2 or len({say(value) for value in known}) == 1:
        return told
    best = say(max(known) if upwards else min(known))
    return [f"{one} {BEST}" if one == best else one for one in told]


def with_multiples(told: Sequence[str], values: Sequence[float | None]) -> list[str]:
    """Return words with the multiple of the first value in brackets, where it is another one."""
    base = values[0]
    return [
        f"{text} ({value / base:.2f}\u00a0{TIMES})"
        if at and base and value is not None and value != base and math.isfinite(value / base)
        else text
        for at, (text, value) in enumerate(zip(told, values, strict=True))
    ]
