"""What run_all.py prints at the end: a line for each run, or for a sample that made none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import stepscope

from .measures import Measured, Process, first_step_s, memory_mib, read_runs, start_to_first_step_s, step_ms
from .spread import number

COLUMNS = (
    "pair", "run", "seed", "state", "program s", "run s", "first step s", "from start s", "step ms",
    "test accuracy", "memory MiB",
)  # fmt: skip


def print_runs(store: str, done: Sequence[Process]) -> None:
    """Print a table of what some processes have made."""
    if not done:
        return
    rows: list[Sequence[str]] = [COLUMNS]
    with stepscope.open(store) as opened:
        made = read_runs(opened, done)
        for process in done:
            rows += _rows(process, [one for one in made if one.process is process])
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _rows(process: Process, runs: Sequence[Measured]) -> list[Sequence[str]]:
    seed = "" if process.seed is None else str(process.seed)
    whole = _text(process.wall_seconds or None)
    if not runs:
        memory = _text(process.peak_memory_mib or None)
        return [(process.pair, process.framework, seed, process.state, whole, *[""] * 5, memory)]
    measures: tuple[Callable[[Measured], float | None], ...] = (
        first_step_s, start_to_first_step_s, step_ms, _test_accuracy, memory_mib,
    )  # fmt: skip
    return [
        (
            process.pair,
            one.run.name,
            seed,
            process.state,
            whole if one.is_first else "",
            _text(one.run.duration),
            *(_text(measure(one)) for measure in measures),
        )
        for one in runs
    ]


def _test_accuracy(one: Measured) -> float | None:
    return one.run.summary.get("test_accuracy")


def _text(value: float | None) -> str:
    return "" if value is None else number(value)
