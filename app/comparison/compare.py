"""What two or more runs differ in, and what each of them reached. Pure: it is given what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...storage.kinds.graph import GraphData
from ...storage.model import Points, Run
from ...storage.nested import flatten
from ..analysis.metric_groups import Member
from ..graphs.alignment import Alignment, align
from . import facts
from .changes import CodeDifference, code_difference
from .costs import EPOCH, Cost, Process, Spent, costs, process_of
from .curves import Axis, Curve, Parting, curve_of, parting, places
from .facts import Fact
from .metrics import Key, Measured, MetricRow, SeriesId, id_of, is_result, metric_row
from .programs import Program
from .splits import SplitRow, split_rows


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What was read of one run."""

    run: Run
    name: str
    """As it is called beside the others."""
    members: tuple[Member, ...]
    """All its scalars."""
    environment: Mapping[str, Any]
    graph: GraphData | None
    first_time: float | None
    """When the first value of the training was logged, in seconds since the epoch."""
    first_step: int | None = None
    """The step of that value."""
    told: Mapping[str, Key] = field(default_factory=dict[str, Key])
    """Names in the summary that are a metric on a split: name -> metric and split."""
    program: Program | None = None
    """None where it was not kept."""

    @property
    def process(self) -> Process:
        """What its process took."""
        return process_of(self.environment)


@dataclass(frozen=True, slots=True)
class Parted:
    """Where the curves of a run part from the baseline's."""

    row: MetricRow
    run: int
    """Which of the runs."""
    axis: Axis
    parting: Parting


@dataclass(frozen=True, slots=True)
class GraphParity:
    """The model of a run beside the baseline's."""

    run: int
    alignment: Alignment


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs beside each other; the first one is the baseline. Each row has one value for each run."""

    runs: tuple[RunFacts, ...]
    config: tuple[Fact, ...]
    summary: tuple[Fact, ...]
    packages: tuple[Fact, ...]
    environment: tuple[Fact, ...]
    repository: tuple[Fact, ...]
    code: tuple[CodeDifference, ...]
    """Of each run but the first."""
    splits: tuple[SplitRow, ...]
    """The metrics on train, validation and test data; none where nothing has a split."""
    metrics: tuple[MetricRow, ...]
    """What tells how good the models are; those that most runs have come first."""
    training: tuple[MetricRow, ...]
    """What tells how the training went: learning rate, norm of the gradient ..."""
    costs: tuple[Cost, ...]
    epochs: tuple[Points | None, ...]
    """The series `epoch` of each run."""
    graphs: tuple[GraphParity, ...]
    troubles: tuple[str, ...]
    """What could not be read, in sentences."""

    @property
    def facts(self) -> dict[str, tuple[Fact, ...]]:
        """Title -> what is known of the runs beside their numbers."""
        return {
            "Config": self.config,
            "Environment": self.environment,
            "Packages": self.packages,
            "Repository": self.repository,
        }

    def finals(self, row: MetricRow) -> tuple[float | None, ...]:
        """Return the final values of a metric, as they are told by split where it has one."""
        metric, split = row.key
        for one in self.splits:
            if one.metric == metric and split is not None and split in one.splits:
                return tuple(reached and reached.final for reached in one.splits[split])
        return row.last


def compare(
    runs: Sequence[RunFacts],
    rows: Mapping[Key, Sequence[Member | None]],
    points: Mapping[SeriesId, Points],
    troubles: Sequence[str] = (),
    upwards: Mapping[Key, bool] | None = None,
) -> Comparison:
    """Lay runs beside each other.

    Args:
        runs: the baseline first; at least one.
        rows: metric and split -> the series of each run (see comparison_metrics.chosen_members).
        points: of those series that were read.
        troubles: what could not be read.
        upwards: of which rows it is known whether more is better; the names tell it of the others.
    """
    plain, environments = [one.run for one in runs], [one.environment for one in runs]
    epochs = tuple(_epochs(one, points) for one in runs)
    known = upwards or {}
    made = [metric_row(key, members, points, epochs, upwards=known.get(key)) for key, members in rows.items()]
    metrics = tuple(row for row in made if is_result(row.key[0]))
    return Comparison(
        runs=tuple(runs),
        config=facts.configs(plain),
        summary=facts.summaries(plain),
        packages=facts.packages(environments),
        environment=facts.machines(plain, environments),
        repository=facts.repositories(environments),
        code=tuple(code_difference(environments[0], other) for other in environments[1:]),
        splits=split_rows(metrics, [_told(one) for one in runs]),
        metrics=metrics,
        training=tuple(row for row in made if not is_result(row.key[0]) and _is_told(row)),
        costs=costs(
            [Spent(one.run, one.members, one.graph, one.first_time, one.process) for one in runs], points
        ),
        epochs=epochs,
        graphs=_graphs(runs),
        troubles=tuple(troubles),
    )


def partings(found: Comparison, axis: Axis) -> tuple[Parted, ...]:
    """Return for each metric and run where its curve parts from the baseline's, as far as both were read.

    Args:
        found: a comparison.
        axis: what the curves are compared over; runs that do not tell their epochs are left out there.
    """
    drawn: list[Parted] = []
    for row in found.metrics:
        base, *others = (curve_on(found, place, cell, axis) for place, cell in enumerate(row.cells))
        for run, other in enumerate(others, 1):
            if base is not None and other is not None and min(len(base), len(other)) > 1:
                drawn.append(Parted(row, run, axis, parting(base, other)))
    return tuple(drawn)


def curve_on(found: Comparison, run: int, cell: Measured | None, axis: Axis) -> Curve | None:
    """Return the curve of a metric of one run over an axis; None where it is not known."""
    if cell is None or cell.points is None or cell.curve is None or not len(cell.points):
        return None
    start = found.runs[run].run.created_at
    x = places(cell.points, axis, start=start, epochs=found.epochs[run])
    if x is None or not cell.note:
        return None if x is None else curve_of(cell.points, x)
    # The curve was averaged over steps, which ascend: they are looked up on the axis.
    return Curve(np.interp(cell.curve.x, cell.points.step, x), cell.curve.y)


def axes(found: Comparison) -> tuple[Axis, ...]:
    """Return over what these runs can be compared."""
    if sum(one is not None and len(one) > 0 for one in found.epochs) < len(found.runs):
        return (Axis.STEP, Axis.RELATIVE)
    return tuple(Axis)


def _told(one: RunFacts) -> dict[Key, float]:
    summary = flatten(one.run.summary)
    told = {key: facts.number_in(summary[name]) for name, key in one.told.items()}
    return {key: value for key, value in told.items() if value is not None}


def _epochs(one: RunFacts, points: Mapping[SeriesId, Points]) -> Points | None:
    return next(
        (
            points[id_of(member)]
            for member in one.members
            if member.name.metric == EPOCH and id_of(member) in points
        ),
        None,
    )


def _is_told(row: MetricRow) -> bool:
    return not row.key[0].startswith(("system", "memory/"))


def _graphs(runs: Sequence[RunFacts]) -> tuple[GraphParity, ...]:
    base = runs[0].graph
    if base is None:
        return ()
    return tuple(
        GraphParity(place, align(base, one.graph))
        for place, one in enumerate(runs[1:], 1)
        if one.graph is not None
    )
