"""What runs reached, as tables of words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...storage.nested import flatten
from ..views.words import NOTHING, count, duration, number
from .compare import Comparison
from .facts import number_in
from .metrics import Best, MetricRow
from .repeats import Spread
from .sheets import BEST, Row, Sheet, marked, names_of, with_multiples
from .splits import Reached, SplitRow, in_order
from .targets import Arrival, arrivals

TOLD = "†"
LONGEST_SAID = 300
AVERAGED = "Where one run logs a value for each epoch, what others log by batch is the mean of an epoch"
SUMMARISED = (
    "Final values are those of the summary, told when the training was over, where all runs that have "
    "the metric have it there; the best ones are logged"
)
SUMMARY_WORDS = {
    "seconds": False,
    "ms": False,
    "us": False,
    "mib": False,
    "kib": False,
    "gb": False,
    "mb": False,
    "latency": False,
    "loss": False,
    "error": False,
    "accuracy": True,
}
"""Words of the names in a summary that tell whether more is better."""


def results(found: Comparison) -> list[Sheet]:
    """Return what each run reached: by split, what has none, and what the runs said in their summaries."""
    by_split = found.splits
    told = {row.metric for row in by_split}
    rest = [row for row in found.metrics if row.key[0] not in told or row.key[1] is None]
    sheets = [
        splits(found, by_split),
        metrics(found, rest, "Other metrics" if by_split else "Metrics"),
        summary(found),
    ]
    return [sheet for sheet in sheets if sheet.rows]


def splits(found: Comparison, given: Sequence[SplitRow]) -> Sheet:
    """Return one line for each metric and run: final and best on train, validation and test data."""
    names = in_order(split for row in given for split in row.splits)
    lines: list[Row] = []
    for row in given:
        columns = {
            split: _split_cells(row.splits[split], upwards=row.higher_is_better) for split in row.splits
        }
        for run, name in enumerate(names_of(found)):
            of_run = [columns[split][run] if split in columns else ("", "") for split in names]
            cells = [final for final, _ in of_run] + [best for _, best in of_run]
            lines.append(Row((row.metric, name, *cells)))
    head = (
        "Metric",
        "Run",
        *(split.capitalize() for split in names),
        *(f"best on {split}" for split in names),
    )
    return _without_empty(Sheet("Train, validation and test", head, tuple(lines), _split_note(found, given)))


def summary(found: Comparison) -> Sheet:
    """Return what the runs said of their results, without what stands among the metrics."""
    flat = [flatten(one.run.summary) for one in found.runs]
    used = {name for one in found.runs for name in one.told}
    names = dict.fromkeys(name for each in flat for name in each if name not in used)
    rows = [Row((name, *_said(name, [each.get(name) for each in flat]))) for name in names]
    note = "What the programs wrote into run.summary. In brackets: a multiple of the baseline's"
    return Sheet("Summary", ("Name", *names_of(found)), tuple(rows), note)


def _said(name: str, values: Sequence[Any]) -> list[str]:
    numbers = [number_in(one) for one in values]
    if any(one is None and value is not None for one, value in zip(numbers, values, strict=True)):
        return [NOTHING if value is None else str(value)[:LONGEST_SAID] for value in values]
    words = name.casefold().replace("/", "_").replace(".", "_").split("_")
    better = next((SUMMARY_WORDS[word] for word in words if word in SUMMARY_WORDS), None)
    return with_multiples(marked(numbers, upwards=better), numbers)


def _split_cells(reached: Sequence[Reached | None], *, upwards: bool) -> list[tuple[str, str]]:
    finals = marked([one.final if one else None for one in reached], upwards=upwards)
    best = [one.best if one else None for one in reached]
    bests = marked([one.value if one else None for one in best], upwards=upwards)
    mixed = len({one.told for one in reached if one}) > 1
    return [
        (
            f"{final} {TOLD}" if mixed and one and one.told else final,
            _with_step(text, course) if course else "",
        )
        for final, text, course, one in zip(finals, bests, best, reached, strict=True)
    ]


def _without_empty(sheet: Sheet) -> Sheet:
    """Return a table without the columns in which nothing stands."""
    kept = [at for at in range(len(sheet.head)) if any(row.cells[at] for row in sheet.rows)]
    rows = tuple(Row(tuple(row.cells[at] for at in kept), row.differs) for row in sheet.rows)
    return Sheet(sheet.title, tuple(sheet.head[at] for at in kept), rows, sheet.note)


def _split_note(found: Comparison, given: Sequence[SplitRow]) -> str:
    told = [[one.told for one in cells if one] for row in given for cells in row.splits.values()]
    parts = [f"The final value, and the best one with its step; {BEST} is the best of the runs"]
    if any(cells and all(cells) for cells in told):
        parts.append(SUMMARISED)
    if any(len(set(cells)) > 1 for cells in told):
        parts.append(f"{TOLD} is of the summary, beside the last value that others logged")
    if _is_averaged(found.metrics):
        parts.append(AVERAGED)
    return ". ".join(parts)


def _is_averaged(rows: Sequence[MetricRow]) -> bool:
    return any(cell is not None and cell.note for row in rows for cell in row.cells)


def metrics(found: Comparison, rows: Sequence[MetricRow], title: str = "Metrics") -> Sheet:
    """Return final and best values of each metric."""
    lines: list[Row] = []
    for row in rows:
        last, best = row.last, row.best
        differs = len({number(value) for value in last}) > 1
        goal = "highest" if row.higher_is_better else "lowest"
        lines.append(Row((row.name, "final", *marked(last, upwards=row.higher_is_better)), differs))
        if all(cell is None or cell.member.series.count == 1 for cell in row.cells):
            continue
        values = [one.value if one else None for one in best]
        marks = marked(values, upwards=row.higher_is_better)
        cells = [_with_step(text, one) for text, one in zip(marks, best, strict=True)]
        lines.append(Row((row.name, goal, *cells), len(set(marks)) > 1))
    note = f"{BEST} is the best of the runs, a number after “at” the step"
    if _is_averaged(rows):
        note += f". {AVERAGED}"
    return Sheet(title, ("Metric", "", *names_of(found)), tuple(lines), note)


def times_to(found: Comparison, row: MetricRow, target: float) -> Sheet:
    """Return how long each run took to a value."""
    when = arrivals(row, target)
    sign = "≥" if row.higher_is_better else "≤"
    seconds = [one.seconds if one else None for one in when]
    lines = (
        Row(("Time since the run began", *marked(seconds, upwards=False, say=_duration))),
        Row(("Step", *(_step(one) for one in when))),
    )
    title = f"Time to {row.name} {sign} {number(target)}"
    return Sheet(
        title, ("Reached", *names_of(found)), lines, "The first time that a run logged a value as good"
    )


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


def _with_step(text: str, best: Best | None) -> str:
    if best is None or best.step is None:
        return text
    return f"{text} at {count(best.step)}"


def _duration(seconds: float) -> str:
    return duration(max(0.0, seconds))


def _step(one: Arrival | None) -> str:
    return "never" if one is None else count(one.step)
