"""What runs reached, and how what went wrong in one was found."""

from __future__ import annotations

from collections.abc import Sequence

from .measures import Measured, best_accuracy, in_summary, seconds_to
from .spread import spread_of
from .tables import Measure, Table, Twins, beside_table, told, twins_of

TARGETS = (99, 98, 95, 90, 80, 70, 50)
"""Accuracies in percent that are asked for: of each task the first one that every run of both sides had."""
_STEPS = {
    "plain": "alone",
    "watched": "watched by Stepscope",
    "debugger": "under the framework's own debugger",
}


def accuracy(runs: Sequence[Measured]) -> list[Table]:
    """Return final and best figures on training and test data, and how long a given one took."""
    twins = twins_of(runs)

    def table(caption: str, measure: Measure, why_empty: str = "") -> Table:
        return beside_table(caption, "%", twins, measure, why_empty, more="points")

    return [
        table("**Accuracy on the training data**, at the end.", in_summary("train_accuracy", 100)),
        table("**Accuracy on the test data**, at the end.", in_summary("test_accuracy", 100)),
        table("**Accuracy on the validation data**, the best of all epochs.", best_accuracy),
        beside_table(
            "**Loss on the test data**, at the end (less is better).", "", twins, in_summary("test_loss")
        ),
        _time_to_accuracy(twins),
    ]


def debugging(runs: Sequence[Measured]) -> list[Table]:
    """Return what the watchdog said of the training in which NaN was planted, and what steps cost."""
    said: dict[tuple[str, ...], int] = {}
    for one in runs:
        for alert in one.run.alerts[:1]:
            planted = one.run.config.get("wrong_after")
            row = (one.run.name, "" if planted is None else str(planted + 1), str(alert.step), alert.title)
            said[row] = said.get(row, 0) + 1
    columns = ["run", "NaN planted at step", "alert at step", "alert", "runs"]
    rows = [[*row, str(count)] for row, count in sorted(said.items())]
    return [Table("**What was said, and when.**", columns, rows), *_steps(runs)]


def _steps(runs: Sequence[Measured]) -> list[Table]:
    names = sorted({one.run.name for one in runs})
    rows: list[list[str]] = []
    for name in names:
        of_name = [one for one in runs if one.run.name == name]
        cells = [spread_of(map(in_summary(f"seconds_a_step_{key}", 1000), of_name)) for key in _STEPS]
        if any(cells):
            rows.append([name, *(told(cell, "ms") for cell in cells)])
    empty = "An empty cell: the sample does not time that."
    below = [empty] if any("" in row for row in rows) else []
    return [Table("**One step** (less is better).", ["run", *_STEPS.values()], rows, below)] if rows else []


def _time_to_accuracy(twins: Twins) -> Table:
    targets = {task: _target(left, right) for task, (left, right) in twins.items()}
    named: Twins = {
        f"{task}, {targets[task]} %": sides for task, sides in twins.items() if targets[task] is not None
    }
    return beside_table(
        "**Until the accuracy on the validation data was as said**, from `stepscope.init` on (less is "
        f"better). Of {', '.join(map(str, TARGETS))} % it is the first that all runs of the task had.",
        "s",
        named,
        lambda one: seconds_to(targets[one.task] or 0)(one),
    )


def _target(left: Sequence[Measured], right: Sequence[Measured]) -> int | None:
    best = [best_accuracy(one) for one in (*left, *right)]
    known = [value for value in best if value is not None]
    if len(known) < len(best):
        return None
    return next((target for target in TARGETS if min(known) >= target), None)
