"""The lines of a chart that compares runs, for the page and for the report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..views.words import brief
from .compare import Comparison, Parted, curve_on
from .curves import Axis, Curve
from .metrics import MetricRow
from .tables import place

DASHES = ("", "7,4", "2,3", "9,3,2,3", "12,4", "5,2,1,2", "1,4", "14,3,4,3")
"""One for each run, so that lines can be told apart without their colours; as SVG and plotly take them."""
MOST_MARKS = 3
"""Partings that one chart points out: those of more runs are in the table."""


_LONGEST_WORD = 24


@dataclass(frozen=True, slots=True)
class Stroke:
    """One line of a chart."""

    name: str
    colour: str
    """`#RRGGBB`."""
    dash: str
    """One of DASHES."""
    curve: Curve
    run: int
    """Which of the runs."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line with a word."""

    at: float
    word: str


def strokes_of(found: Comparison, row: MetricRow, axis: Axis, colours: Mapping[str, str]) -> list[Stroke]:
    """Return the lines of a metric; none of a run that has a single value of it.

    Args:
        found: the comparison.
        row: the metric.
        axis: the horizontal axis.
        colours: run_id -> `#RRGGBB`.
    """
    made: list[Stroke] = []
    for run, cell in enumerate(row.cells):
        curve = curve_on(found, run, cell, axis)
        if curve is not None and len(curve) > 1:
            one = found.runs[run]
            made.append(Stroke(one.name, colours[one.run.run_id], dash_of(run), curve, run))
    return made


def marks_of(found: Comparison, row: MetricRow, parted: Sequence[Parted]) -> list[Mark]:
    """Return where the curves of a metric part, the first MOST_MARKS places of them."""
    runs: dict[float, list[int]] = {}
    for one in parted:
        if one.row.key == row.key and one.parting.at is not None:
            runs.setdefault(one.parting.at, []).append(one.run)
    axis = parted[0].axis if parted else Axis.STEP
    return [Mark(at, _word(found, runs[at], place(at, axis))) for at in sorted(runs)[:MOST_MARKS]]


def dash_of(run: int) -> str:
    """Return how the line of a run is dashed."""
    return DASHES[run % len(DASHES)]


def _word(found: Comparison, runs: Sequence[int], where: str) -> str:
    if len(found.runs) == 2:
        return f"part at {where}"
    names = brief(found.runs[runs[0]].name, _LONGEST_WORD) if len(runs) == 1 else f"{len(runs)} runs"
    return f"{names}: {where}"
