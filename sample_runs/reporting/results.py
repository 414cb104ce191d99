"""What runs reached, and how what went wrong in one was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .measures import Measured, best_accuracy, in_summary, seconds_to
from .spread import spread_of
from .tables import Measure, Table, Twins, beside_table, told, twins_of

TARGETS = (99, 98, 95, 90, 80, 70, 50)
"""Accuracies in percent that are asked for: of each task the first one that every run of both sides had."""
_WHO = {
    "plain": "nobody",
    "watched": "Stepscope's watchdog",
    "pdb": "a person in pdb",
    "debugger": "the framework's own debugger",
    "dump": "the framework's dump of all values",
}


def accuracy(runs: Sequence[Measured]) -> list[Table]:
    """Return final and best figures on training and test data, and how long a given one took."""
    twins = twins_of(runs)

    def table(caption: str, measure: Measure) -> Table:
        return beside_table(f"{caption} (more is better).", "%", twins, measure, more="points")

    return [
        table("**Accuracy on the training data**, at the end", in_summary("train_accuracy", 100)),
        table("**Accuracy on the test data**, at the end", in_summary("test_accuracy", 100)),
        table("**Accuracy on the validation data**, the best of all epochs", best_accuracy),
        beside_table(
            "**Loss on the test data**, at the end (less is better).", "", twins, in_summary("test_loss")
        ),
        _time_to_accuracy(twins),
    ]


def debugging(runs: Sequence[Measured]) -> list[Table]:
    """Return what the watchdog said of the training in which NaN was planted, and what else finds it."""
    said: dict[tuple[str, ...], int] = {}
    for one in runs:
        for alert in one.run.alerts[:1]:
            planted = one.run.config.get("wrong_after")
            row = (one.run.name, "" if planted is None else str(planted + 1), str(alert.step), alert.title)
            said[row] = said.get(row, 0) + 1
    columns = ["run", "NaN planted at step", "alert at step", "alert", "runs"]
    rows = [[*row, str(count)] for row, count in sorted(said.items())]
    return [Table("**What Stepscope's watchdog said, and when.**", columns, rows), _debuggers(runs)]


def _debuggers(runs: Sequence[Measured]) -> Table:
    """Return who noticed it: nobody, the watchdog, and the debuggers of the language and the framework."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in runs:
        for record in one.run.records("debuggers")[-1:] if one.run.series("debuggers") else ():
            table = record.load()
            for row in table.rows:
                looked = dict(zip(table.columns, row, strict=True))
                found.setdefault((one.run.name, looked["who looks"]), []).append(looked)
    rows = [[name, _WHO.get(who, who), *_noticed(looks)] for (name, who), looks in found.items()]
    columns = ["run", "who looks", "stops or says so at step", "names the layer", "step"]
    below = ["An empty cell: it was never noticed."] if any("" in row for row in rows) else []
    return Table("**Who finds it, and what a step costs meanwhile** (less is better).", columns, rows, below)


def _noticed(looks: Sequence[Mapping[str, Any]]) -> list[str]:
    steps = {"" if look["step"] is None else str(look["step"]) for look in looks}
    names = {str(look["names the layer"]) for look in looks}
    step = spread_of(1000 * look["seconds a step"] for look in looks)
    return [" or ".join(sorted(steps)), " or ".join(sorted(names)), told(step, "ms")]


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
