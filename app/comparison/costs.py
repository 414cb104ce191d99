"""What runs cost: throughput, the time of a step, memory, the size of the model. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ...storage.kinds.graph import GraphData
from ...storage.model import SYSTEM_PREFIX, Points, Run
from ..analysis.metric_groups import Member
from ..graphs.units import flops_of
from ..views.words import count, short_count
from .metrics import SeriesId, id_of

THROUGHPUT, STEP_TIME, EPOCH = "samples_per_second", "step_time", "epoch"
COST = SYSTEM_PREFIX + "stepscope/cost_percent"
PROCESS_MEMORY = SYSTEM_PREFIX + "process_memory_gb"
EXACT = 10_000_000
PROCESS_PEAK = "Peak memory of the process"
FIRST_STEP, STARTUP = "Time to the first step", "Before init: imports, data"
READ = frozenset({THROUGHPUT, STEP_TIME})
"""The metrics whose points are needed here."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One measure of all runs."""

    name: str
    unit: str
    values: tuple[float | None, ...]
    """One for each run; None where it is not known."""
    higher_is_better: bool | None = None
    """None where neither is better."""


@dataclass(frozen=True, slots=True)
class Process:
    """What was captured of the process of a run."""

    started: float | None = None
    """In seconds since the epoch."""
    peak_memory_gb: float | None = None
    """Since the process began, in GB of 10^9 bytes."""
    runs_before: int = 0
    """Runs that it began before this one."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What the costs of a run are taken from."""

    run: Run
    members: Sequence[Member]
    graph: GraphData | None
    first_time: float | None
    """When the first value of the training was logged, in seconds since the epoch."""
    process: Process = Process()


def costs(runs: Sequence[Spent], points: Mapping[SeriesId, Points]) -> tuple[Cost, ...]:
    """Return the measures that any of the runs has.

    Args:
        runs: with all their scalars.
        points: of the series whose metric is in READ.
    """

    def row(name: str, unit: str, measure: Callable[[Spent], float | None], better: bool | None) -> Cost:
        return Cost(name, unit, tuple(measure(one) for one in runs), better)

    found = (
        row("Duration", "s", lambda one: one.run.duration, False),
        row(STARTUP, "s", startup, False),
        row(FIRST_STEP, "s", first_step, False),
        row("Throughput, median", "samples/s", lambda one: _quantile(one, points, THROUGHPUT, 0.5), True),
        row("Step time, median", "ms", lambda one: _milli(_quantile(one, points, STEP_TIME, 0.5)), False),
        row(
            "Step time, 95 % below", "ms", lambda one: _milli(_quantile(one, points, STEP_TIME, 0.95)), False
        ),
        row("Peak memory of a GPU", "GB", _device_memory, False),
        row(PROCESS_PEAK, "GB", process_memory, False),
        row("Cost of the tracker", "% of step time", lambda one: _last(one, COST), False),
        row("Parameters", "", lambda one: (one.graph and one.graph.parameters) or None, None),
        row("FLOPs of one sample, forward", "", lambda one: flops_of(one.graph) if one.graph else None, None),
    )
    return tuple(cost for cost in found if any(value is not None for value in cost.values))


def first_step(one: Spent) -> float | None:
    """Return the seconds from the beginning of a run to the first value that its training logged."""
    return None if one.first_time is None else max(0.0, one.first_time - one.run.created_at)


def startup(one: Spent) -> float | None:
    """Return the seconds from the beginning of the process to that of the run, where it is its first one."""
    began = one.process.started
    if began is None or one.process.runs_before or one.run.attempt:
        return None
    return max(0.0, one.run.created_at - began)


def process_memory(one: Spent) -> float | None:
    """Return the peak of the process, in GB; the largest sample where that is more, as of another rank."""
    known = (one.process.peak_memory_gb, _largest(one, PROCESS_MEMORY))
    return max((value for value in known if value is not None), default=None)


def process_of(environment: Mapping[str, Any]) -> Process:
    """Return what was captured of a process; nothing where it was not."""
    found: object = environment.get("process")
    if not isinstance(found, Mapping):
        return Process()
    kept = cast("Mapping[str, Any]", found)
    return Process(kept.get("started"), kept.get("peak_memory_gb"), int(kept.get("runs_before") or 0))


def words(value: float | None, unit: str) -> str:
    """Return a measure with its unit; "" when it is not known."""
    if value is None:
        return ""
    if not unit:
        # To the last one as long as it can be read: a model may have one parameter more.
        return count(round(value)) if abs(value) < EXACT else short_count(round(value))
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{digits} {unit}"


def _series(one: Spent, metric: str) -> list[Member]:
    return [member for member in one.members if member.name.metric == metric]


def _quantile(one: Spent, points: Mapping[SeriesId, Points], metric: str, share: float) -> float | None:
    """Return a quantile of a metric, a bucket counted as often as it has points; of ranks, their median."""
    of_ranks = [
        _weighted(points[id_of(each)], share) for each in _series(one, metric) if id_of(each) in points
    ]
    known = [value for value in of_ranks if math.isfinite(value)]
    return float(np.median(known)) if known else None


def _weighted(points: Points, share: float) -> float:
    known = np.isfinite(points.mean)
    if not known.any():
        return math.nan
    order = np.argsort(points.mean[known])
    weights = np.cumsum(points.count[known][order])
    return float(points.mean[known][order][np.searchsorted(weights, share * weights[-1])])


def _milli(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _device_memory(one: Spent) -> float | None:
    """Return the largest peak of all devices and ranks, in GB."""
    peaks = [
        member.series.max_value
        for member in one.members
        if member.series.name.startswith("memory/") and member.series.name.endswith("/peak")
    ]
    known = [peak for peak in peaks if peak is not None]
    return max(known) / 1e9 if known else None


def _largest(one: Spent, name: str) -> float | None:
    found = [member.series.max_value for member in one.members if member.series.name == name]
    return max((value for value in found if value is not None), default=None)


def _last(one: Spent, name: str) -> float | None:
    found = [member.series.last_value for member in one.members if member.series.name == name]
    return max((value for value in found if value is not None), default=None)
