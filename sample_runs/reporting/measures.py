"""What is read of each run that run_all.py has made, through `stepscope.open`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

import stepscope
from stepscope.storage.query import Store
from stepscope.storage.stored_run import StoredRun

PROJECT, PROCESSES = "run-all", "processes"
"""Where run_all.py keeps what it has measured of its children, in the same store."""
_SETTLED = 10
"""Steps that are left out of medians: they trace, compile and allocate."""
_ONE_TASK = ("style-transfer", "network-visualisation")
"""Pairs whose runs have other names than their project, but all the same one."""
_LOGS_LATE = ("goes-wrong",)
"""Pairs whose first training logs nothing, so that nobody knows when its first step was done."""


@dataclass(frozen=True, slots=True)
class Process:
    """One sample that ran, as a row of the table `processes`."""

    pair: str
    framework: str
    seed: int | None
    state: str
    """"finished", "failed", "stopped", or "skipped"."""
    started_at: float
    """Seconds since the epoch."""
    wall_seconds: float
    processor_seconds: float
    """Of all its processes."""
    peak_memory_mib: float
    """Of the largest of its processes."""
    reason: str = ""
    """Why it did not finish."""

    def made(self, run: StoredRun) -> bool:
        """Return whether a run began while this process ran, which has the machine to itself."""
        return self.started_at <= run.created_at <= self.started_at + self.wall_seconds


@dataclass(frozen=True)
class Measured:
    """One run, and what is known of the process that made it."""

    run: StoredRun
    process: Process
    is_first: bool
    """Whether it is the first run of its process."""

    @property
    def side(self) -> int:
        """0 for PyTorch, 1 for Keras and TensorFlow."""
        return 0 if self.run.name.endswith("-pytorch") else 1

    @property
    def what(self) -> str:
        """The run's name without its framework; the same in both twins."""
        name = self.run.name.rpartition("-")[0]
        return re.sub(r"^seed-\d+$", "seeds", name)

    @property
    def task(self) -> str:
        """What a row of a table is called."""
        return self.pair if self._speaks_for_project else f"{self.pair}: {self.what}"

    @property
    def pair(self) -> str:
        """The project, with what the run's tags say of data that stand in: "digits instead of CIFAR-10"."""
        instead = [tag for tag in self.run.tags if " instead of " in tag]
        return " ".join([self.run.project, *(f"({tag})" for tag in instead)])

    @property
    def _speaks_for_project(self) -> bool:
        return self.what == self.run.project or self.run.project in _ONE_TASK

    @cached_property
    def kinds(self) -> dict[str, int]:
        """Kind -> how many series the training logged of it; those of the machine are left out."""
        found: dict[str, int] = {}
        for one in self.run.series():
            if not one.name.startswith("system/") and one.kind != "event":
                found[one.kind] = found.get(one.kind, 0) + 1
        return found

    @cached_property
    def first_value_at(self) -> float | None:
        """When the first values were logged, in seconds since the epoch; None if not after the first step."""
        if self.run.project in _LOGS_LATE:
            return None
        early = self.run.history(last_step=_SETTLED)
        times = [
            t for name, t in zip(early["name"], early["time"], strict=True) if not name.startswith("system/")
        ]
        return float(min(times)) if times else None

    def graph(self) -> Any:
        """Return the model's graph, or None; of several the largest."""
        graphs = [
            self.run.records(one.name, kind="graph")[-1].load() for one in self.run.series(kind="graph")
        ]
        return max(graphs, key=lambda one: one.parameters, default=None)


def read_processes(store: Store) -> list[tuple[StoredRun, list[Process]]]:
    """Return each time that run_all.py ran, oldest first, with what it started."""
    found: list[tuple[StoredRun, list[Process]]] = []
    for run in reversed(store.runs(project=PROJECT)):
        tables = run.records(PROCESSES) if run.series(PROCESSES) else []
        rows = tables[-1].load().rows if tables else ()
        found.append((run, [Process(*row) for row in rows]))
    return found


def read_runs(store: Store, processes: Iterable[Process]) -> list[Measured]:
    """Return the finished runs that some processes made, oldest first."""
    runs = [run for run in reversed(store.runs()) if run.project != PROJECT]
    found: list[Measured] = []
    for process in processes:
        made = [run for run in runs if process.made(run)]
        found += [
            Measured(run, process, number == 0) for number, run in enumerate(made) if run.state == "finished"
        ]
    return found


def process_table(processes: Iterable[Process]) -> stepscope.Table:
    """Return the table that `read_processes` reads."""
    names = [field.name for field in fields(Process)]
    return stepscope.Table(names, [[getattr(one, name) for name in names] for one in processes])


def median_of(
    name: str, scale: float = 1.0, *, of_several: Callable[[list[float]], float] = max
) -> Callable[[Measured], float | None]:
    """Return a function: the median of a scalar after the first steps.

    Args:
        name: of the scalar; where a hook has a name, it stands behind a slash.
        scale: what the median is multiplied by.
        of_several: which one to take of the medians of several ranks or networks.
    """

    def measure(one: Measured) -> float | None:
        medians: list[float] = []
        for series in one.run.series(kind="scalar"):
            if series.name.partition("/")[0] != name:  # "step_time/generator" where a hook has a name
                continue
            values = one.run.scalars(series.name, context=series.context)["value"]
            settled = values[_SETTLED:] if len(values) > 2 * _SETTLED else values
            medians.append(float(np.nanmedian(settled)) * scale)
        return of_several(medians) if medians else None

    return measure


def step_ms(one: Measured) -> float | None:
    """Return milliseconds of the median step."""
    timed = one.run.summary.get("seconds_a_step")
    return _STEP_MS(one) if timed is None else 1000 * timed


def first_step_s(one: Measured) -> float | None:
    """Return seconds of the first step if the sample timed it, else from `init` to the first values."""
    timed = one.run.summary.get("seconds_to_first_step")
    if timed is not None or one.first_value_at is None:
        return timed
    return one.first_value_at - one.run.created_at


def start_to_first_step_s(one: Measured) -> float | None:
    """Return seconds from the start of the program to the first values, imports and data included."""
    if not one.is_first or one.first_value_at is None:
        return None
    return one.first_value_at - one.process.started_at


def memory_mib(one: Measured) -> float | None:
    """Return the memory that the run's own process had, if the sample noted it; else the program's peak."""
    return one.run.summary.get("memory_mib", one.process.peak_memory_mib if one.is_first else None)


def wall_s(one: Measured) -> float | None:
    """Return seconds of the whole program, from its start to its end."""
    return one.process.wall_seconds if one.is_first else None


def in_summary(key: str, scale: float = 1.0) -> Callable[[Measured], float | None]:
    """Return a function: an entry of the run's summary."""

    def measure(one: Measured) -> float | None:
        value = one.run.summary.get(key)
        return None if value is None else scale * float(value)

    return measure


def watching_percent(one: Measured) -> float | None:
    """Return what the hooks took of the steps' time, as they measured themselves; of several the sum."""
    found = [
        series.last_value
        for series in one.run.series(kind="scalar")
        if series.name.startswith("system/stepscope/") and series.name.endswith("cost_percent")
    ]
    return sum(value for value in found if value is not None) if found else None


def best_accuracy(one: Measured) -> float | None:
    """Return the best accuracy on validation data, in percent."""
    found = [series.max_value for series in _validated(one) if series.max_value is not None]
    return 100 * max(found) if found else None


def seconds_to(target: float) -> Callable[[Measured], float | None]:
    """Return a function: seconds from `init` until the accuracy on validation data was `target` percent."""

    def measure(one: Measured) -> float | None:
        for series in _validated(one):
            table = one.run.scalars(series.name, context=series.context)
            reached = np.flatnonzero(100 * table["value"] >= target)
            if len(reached):
                return float(table["time"][reached[0]]) - one.run.created_at
        return None

    return measure


def _validated(one: Measured) -> list[Any]:
    return one.run.series(kind="scalar", metric="accuracy", split="validation")


_STEP_MS = median_of("step_time", 1000)
