"""A comparison as tables of words, the same for the page, the report and the command line. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..graphs.units import Unit
from ..views.words import NOTHING, TIMES, brief, count, duration, number, shape, short_count
from .compare import Comparison, GraphParity, Parted, Spread
from .costs import Cost, words
from .curves import Axis
from .facts import CodeDifference, Fact
from .metrics import Arrival, Best, MetricRow, arrivals

DIFFERS, SAME, BEST = "≠", "=", "★"
LONGEST_VALUE = 300
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


def facts(found: Comparison, title: str, given: Sequence[Fact]) -> Sheet:
    """Return one line for each fact; the first column says by a sign whether it differs."""
    rows = [
        Row(
            (DIFFERS if fact.differs else SAME, fact.name, *(value[:LONGEST_VALUE] for value in fact.values)),
            fact.differs,
        )
        for fact in given
    ]
    return Sheet(title, ("", "Name", *_names(found)), tuple(rows))


def metrics(found: Comparison, rows: Sequence[MetricRow], title: str = "Metrics") -> Sheet:
    """Return final and best values of each metric."""
    lines: list[Row] = []
    noted = False
    for row in rows:
        last, best = row.last, row.best
        noted = noted or any(cell is not None and cell.note for cell in row.cells)
        differs = len({number(value) for value in last}) > 1
        goal = "highest" if row.higher_is_better else "lowest"
        lines.append(Row((row.name, "final", *_marked(last, upwards=row.higher_is_better)), differs))
        if all(cell is None or cell.member.series.count == 1 for cell in row.cells):
            continue
        values = [one.value if one else None for one in best]
        marks = _marked(values, upwards=row.higher_is_better)
        cells = [_with_step(text, one) for text, one in zip(marks, best, strict=True)]
        lines.append(Row((row.name, goal, *cells), len(set(marks)) > 1))
    note = f"{BEST} is the best of the runs, a number after “at” the step"
    if noted:
        note += (
            "; where one run logs a value for each epoch, what others log by batch is the mean of an epoch"
        )
    return Sheet(title, ("Metric", "", *_names(found)), tuple(lines), note)


def times_to(found: Comparison, row: MetricRow, target: float) -> Sheet:
    """Return how long each run took to a value."""
    when = arrivals(row, target)
    sign = "≥" if row.higher_is_better else "≤"
    seconds = [one.seconds if one else None for one in when]
    lines = (
        Row(("Time since the run began", *_marked(seconds, upwards=False, say=_duration))),
        Row(("Step", *(_step(one) for one in when))),
    )
    title = f"Time to {row.name} {sign} {number(target)}"
    return Sheet(
        title, ("Reached", *_names(found)), lines, "The first time that a run logged a value as good"
    )


def costs(found: Comparison, given: Sequence[Cost]) -> Sheet:
    """Return what the runs cost, beside the baseline's as a multiple."""
    lines = [
        Row((cost.name, *_measures(cost)), len({words(value, cost.unit) for value in cost.values}) > 1)
        for cost in given
    ]
    note = f"In brackets: a multiple of the baseline's; {BEST} is the best of the runs"
    return Sheet("Throughput, memory and size", ("Measure", *_names(found)), tuple(lines), note)


def partings(found: Comparison, given: Sequence[Parted]) -> Sheet:
    """Return where the curves part from the baseline's."""
    lines = [
        Row((one.row.name, found.runs[one.run].name, *_parting(one)), one.parting.at is not None)
        for one in given
    ]
    head = ("Metric", "Run", "Parts at", "Then, in the median", "At the end")
    return Sheet(
        "Where the curves part",
        head,
        tuple(lines),
        f"From those of {found.runs[0].name}, by more than their own noise",
    )


def models(found: Comparison, parity: GraphParity) -> Sheet:
    """Return the layers of a run beside the baseline's."""
    lines = [
        Row(
            (
                DIFFERS if pair.matters else SAME,
                *_unit(pair.a),
                *_unit(pair.b),
                "; ".join(part for part in (", ".join(pair.differs), pair.note) if part),
            ),
            pair.matters,
        )
        for pair in parity.alignment.rows
    ]
    one, two = (brief(found.runs[run].name, LONGEST_HEAD) for run in (0, parity.run))
    head = (
        "",
        one,
        f"{one}: shape",
        f"{one}: parameters",
        two,
        f"{two}: shape",
        f"{two}: parameters",
        "Note",
    )
    return Sheet(f"Model: {one} and {two}", head, tuple(lines), " ".join(parity.alignment.notes))


def groups(given: Sequence[Spread]) -> Sheet:
    """Return the final values of repeated runs: their median and spread."""
    lines = [
        Row(
            (
                one.row.name,
                one.group,
                str(len(one.values)),
                number(one.median),
                f"{number(one.values[0])} to {number(one.values[-1])}",
            )
        )
        for one in given
    ]
    head = ("Metric", "Group", "Runs", "Median", "Smallest to largest")
    return Sheet("Repeated runs", head, tuple(lines), "Final values")


def codes(found: Comparison) -> list[tuple[str, CodeDifference]]:
    """Return what is known of the code, with the names of the runs of which the same is known."""
    names: dict[CodeDifference, list[str]] = {}
    for run, code in zip(found.runs[1:], found.code, strict=True):
        names.setdefault(code, []).append(brief(run.name, LONGEST_HEAD))
    return [(", ".join(runs), code) for code, runs in names.items()]


def place(at: float, axis: Axis) -> str:
    """Return a place of an axis in words: "step 340", "epoch 5", "12 s"."""
    if axis is Axis.RELATIVE:
        return duration(at)
    return f"{axis} {count(round(at)) if at == round(at) else f'{at:.4g}'}"


def _names(found: Comparison) -> list[str]:
    return [brief(one.name, LONGEST_HEAD) for one in found.runs]


def _marked(
    values: Sequence[float | None], *, upwards: bool, say: Callable[[float], str] = number
) -> list[str]:
    """Return values as words, with a star at the best where they are not all the same."""
    told = [NOTHING if value is None else say(value) for value in values]
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < 2 or len({say(value) for value in known}) == 1:
        return told
    best = say(max(known) if upwards else min(known))
    return [f"{one} {BEST}" if one == best else one for one in told]


def _with_step(text: str, best: Best | None) -> str:
    if best is None or best.step is None:
        return text
    return f"{text} at {count(best.step)}"


def _duration(seconds: float) -> str:
    return duration(max(0.0, seconds))


def _step(one: Arrival | None) -> str:
    return "never" if one is None else count(one.step)


def _measures(cost: Cost) -> list[str]:
    def say(value: float) -> str:
        return words(value, cost.unit)

    told = _marked(cost.values, upwards=bool(cost.higher_is_better), say=say)
    if cost.higher_is_better is None:
        told = [text.removesuffix(f" {BEST}") for text in told]
    base = cost.values[0]
    return [
        f"{text} ({value / base:.2f}\u00a0{TIMES})" if at and base and value not in (None, base) else text
        for at, (text, value) in enumerate(zip(told, cost.values, strict=True))
    ]


def _parting(one: Parted) -> tuple[str, str, str]:
    found = one.parting
    if found.reason:
        return NOTHING, found.reason, ""
    if found.at is None:
        return "never", NOTHING, "together"
    gap = f"{number(found.gap)} {'higher' if found.higher else 'lower'}"
    return place(found.at, one.axis), gap, "together" if found.meet else "apart"


def _unit(unit: Unit | None) -> tuple[str, str, str]:
    if unit is None:
        return (NOTHING, "", "")
    return f"{unit.path or unit.type} ({unit.type})", shape(unit.shape), short_count(unit.parameters)
