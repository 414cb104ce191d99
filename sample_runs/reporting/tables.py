"""Tables in Markdown: any rows, and rows that put the twins beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .measures import Measured
from .spread import SIDES, Spread, beside, in_short, spread_of

Measure: TypeAlias = Callable[[Measured], float | None]
Twins: TypeAlias = Mapping[str, tuple[Sequence[Measured], Sequence[Measured]]]
"""Task -> the runs of PyTorch, and those of TensorFlow."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table with what is to be read with it."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    below: Sequence[str] = ()
    """Sentences; empty ones are left out."""

    def markdown(self) -> str:
        """Return it; without rows, a sentence."""
        if not self.rows:
            return f"{self.caption}\n\nNo run of the store tells this."
        lines = [f"| {' | '.join(self.columns)} |", f"|{'---|' * len(self.columns)}"]
        lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in self.rows]
        return "\n\n".join([self.caption, "\n".join(lines), *filter(None, self.below)])


def twins_of(runs: Iterable[Measured]) -> Twins:
    """Return the runs by task, sorted; those of which only one framework has any are left out."""
    found: dict[str, tuple[list[Measured], list[Measured]]] = {}
    for one in runs:
        found.setdefault(one.task, ([], []))[one.side].append(one)
    return {task: found[task] for task in sorted(found) if all(found[task])}


def beside_table(
    caption: str, unit: str, twins: Twins, measure: Measure, why_empty: str = "", *, more: str | None = None
) -> Table:
    """Return one measure of all twins.

    Args:
        caption: what is measured, and which is better.
        unit: of the figures.
        twins: the runs.
        measure: gives the figure of one run.
        why_empty: a sentence that is written where a cell is empty.
        more: the unit to say in by how much one is more; None to say how many times the other it is.
    """
    rows: list[Sequence[str]] = []
    for task, sides in twins.items():
        left, right = (spread_of(measure(one) for one in side) for side in sides)
        if left or right:
            rows.append([task, told(left, unit), told(right, unit), beside(left, right, unit=more)])
    empty = any("" in row[1:3] for row in rows)
    below = [in_short(row[3] for row in rows), why_empty if empty else ""]
    return Table(caption, ["task", *SIDES, "beside each other"], rows, below)


def told(spread: Spread | None, unit: str = "") -> str:
    """Return a figure, or an empty cell."""
    return "" if spread is None else spread.text(unit)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
