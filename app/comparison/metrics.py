"""What runs reached: final and best values, and how long they took, by what their names mean. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ...storage.model import Points, without_rank_0
from ..analysis.metric_groups import ABOUT_TRAINING, LAST, Member
from .curves import Curve, averaged, curve_of, reached

HIGHER_IS_BETTER = (
    "accuracy", "precision", "recall", "f1", "auc", "r2", "iou", "dice", "bleu", "rouge", "map", "psnr",
    "ssim", "score", "reward", "return", "correct", "top1", "top5",
)  # fmt: skip
"""A metric with one of these words in its name gets better as it grows; all others as they fall."""
SHARE_OF_BEST = 0.95
_PREFERRED = ("epoch", None, "batch")

Key: TypeAlias = tuple[str, str | None]
"""A row: metric and split."""
SeriesId: TypeAlias = tuple[str, int]
"""run_id and series_id."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one run."""

    member: Member
    points: Points | None
    """None where only the summary of the series was read."""
    curve: Curve | None
    """Over steps, as it is compared: values of batches as means of their epochs, where others log such."""
    note: str = ""
    """What a value stands for, where that is not the same for all runs."""

    @property
    def last(self) -> float | None:
        """The final value; it may be no number."""
        if self.note and self.curve is not None and len(self.curve):
            return float(self.curve.y[-1])
        return self.member.series.last_value


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of a metric in one run."""

    value: float
    step: int | None
    """None where the points were not read."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of all runs."""

    key: Key
    cells: tuple[Measured | None, ...]
    """One for each run; None where it has not logged the metric."""
    higher_is_better: bool
    """Whether the metric gets better as it grows."""

    @property
    def name(self) -> str:
        """The metric, with its split where it has one."""
        metric, split = self.key
        return f"{metric} · {split}" if split else metric

    @property
    def last(self) -> tuple[float | None, ...]:
        """The final values."""
        return tuple(cell.last if cell else None for cell in self.cells)

    @property
    def best(self) -> tuple[Best | None, ...]:
        """The best values: the largest, or the smallest."""
        return tuple(_best(cell, upwards=self.higher_is_better) if cell else None for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a run reached a value."""

    seconds: float
    """Since it began."""
    step: int


def higher_is_better(metric: str) -> bool:
    """Return whether a metric, as it is understood, gets better as it grows."""
    words = metric.casefold().replace("/", "_").replace("-", "_").split("_")
    return any(word in HIGHER_IS_BETTER for word in words)


def is_result(metric: str) -> bool:
    """Return whether a metric tells what the model achieves, and not how the training or the machine went."""
    return metric.partition("/")[0] not in {*ABOUT_TRAINING, *LAST}


def id_of(member: Member) -> SeriesId:
    """Return what tells a series from all others."""
    return member.series.run_id, member.series.series_id


def chosen_members(runs: Sequence[Sequence[Member]]) -> dict[Key, tuple[Member | None, ...]]:
    """Return row -> the series of each run that stands for it; rows that most runs have come first.

    Of several ranks, rank 0 stands for all. Of values per batch and per epoch, those that all runs have
    are taken, else each run's values per epoch.

    Args:
        runs: the scalars of each run.
    """
    tables = [_by_key(members) for members in runs]
    keys = dict.fromkeys(key for table in tables for key in table)
    found = {key: _of_one_kind([table.get(key, {}) for table in tables]) for key in keys}
    return dict(sorted(found.items(), key=lambda item: _order(item[0], item[1])))


def metric_row(
    key: Key,
    members: Sequence[Member | None],
    points: Mapping[SeriesId, Points],
    epochs: Sequence[Points | None],
    *,
    upwards: bool | None = None,
) -> MetricRow:
    """Return a row; where some runs log it by epoch, what others log by batch is averaged over their epochs.

    Args:
        key: metric and split.
        members: the series of each run.
        points: of those series that were read.
        epochs: the series `epoch` of each run that has one.
        upwards: whether the metric gets better as it grows; None for what its name says.
    """
    kinds = {member.name.granularity for member in members if member}
    cells = [
        _measured(member, points.get(id_of(member)), ended, mixed=len(kinds) > 1) if member else None
        for member, ended in zip(members, epochs, strict=True)
    ]
    return MetricRow(key, tuple(cells), higher_is_better(key[0]) if upwards is None else upwards)


def leading(rows: Sequence[MetricRow]) -> MetricRow | None:
    """Return the metric that is looked at first: an accuracy on validation data, where there is one.

    It is one of which curves are known, of two runs if possible.
    """

    def rank(row: MetricRow) -> tuple[bool, bool, bool]:
        drawn = sum(cell is not None and cell.curve is not None and len(cell.curve) > 1 for cell in row.cells)
        metric, split = row.key
        return drawn > 1, drawn > 0 and metric.startswith("accuracy"), split == "validation"

    return max(rows, key=rank, default=None)


def default_target(row: MetricRow) -> float | None:
    """Return a value that all runs which have the metric reach: SHARE_OF_BEST of the worst run's best."""
    best = [one.value for one in row.best if one is not None]
    if not best:
        return None
    worst = min(best) if row.higher_is_better else max(best)
    # A loss may be negative, an accuracy is not: 5 % on the side that is easier to reach.
    slack = (1 - SHARE_OF_BEST) * abs(worst)
    return float(f"{worst - slack if row.higher_is_better else worst + slack:.4g}")


def arrivals(row: MetricRow, target: float) -> tuple[Arrival | None, ...]:
    """Return when each run first logged a value as good as the target; None for those that never do."""
    return tuple(_arrival(cell, target, upwards=row.higher_is_better) for cell in row.cells)


def _arrival(cell: Measured | None, target: float, *, upwards: bool) -> Arrival | None:
    if cell is None or cell.points is None or not len(cell.points):
        return None
    points, start = cell.points, cell.member.run.created_at
    if cell.note and cell.curve is not None:
        # One lucky batch is not what a mean over an epoch is measured against.
        good = cell.curve.y >= target if upwards else cell.curve.y <= target
        steps: list[float] = cell.curve.x[good].tolist()
        if not steps:
            return None
        return Arrival(float(np.interp(steps[0], points.step, points.time)) - start, int(steps[0]))
    place = reached(points, target, upwards=upwards)
    return None if place is None else Arrival(float(points.time[place]) - start, int(points.step[place]))


def _best(cell: Measured, *, upwards: bool) -> Best | None:
    pick = np.argmax if upwards else np.argmin
    if cell.note and cell.curve is not None and len(cell.curve):
        place = int(pick(cell.curve.y))
        return Best(float(cell.curve.y[place]), int(cell.curve.x[place]))
    series = cell.member.series
    value = series.max_value if upwards else series.min_value
    if value is None or not math.isfinite(value):
        return None
    if cell.points is None or not len(cell.points):
        return Best(value, None)
    extremes = np.where(
        np.isfinite(cell.points.last), cell.points.max if upwards else cell.points.min, np.nan
    )
    known = np.nan_to_num(extremes, nan=-np.inf if upwards else np.inf)
    return Best(value, int(cell.points.step[int(pick(known))]))


def _measured(member: Member, points: Points | None, epochs: Points | None, *, mixed: bool) -> Measured:
    if points is None:
        return Measured(member, None, None)
    curve = curve_of(points, points.step.astype(np.float64))
    dense = member.name.granularity != "epoch"
    if mixed and dense and epochs is not None and len(points) > 2 * len(epochs):
        return Measured(member, points, averaged(curve, epochs.step.astype(np.float64)), "mean of an epoch")
    return Measured(member, points, curve)


def _by_key(members: Iterable[Member]) -> dict[Key, dict[str | None, Member]]:
    found: dict[Key, dict[str | None, Member]] = {}
    for one in members:
        if set(without_rank_0(one.series.context)) - {"split"}:
            continue
        found.setdefault((one.name.metric, one.name.split), {}).setdefault(one.name.granularity, one)
    return found


def _of_one_kind(choices: Sequence[Mapping[str | None, Member]]) -> tuple[Member | None, ...]:
    having = [choice for choice in choices if choice]
    shared = {kind for kind in _PREFERRED if all(kind in kinds for kinds in having)}
    wanted = [kind for kind in _PREFERRED if kind in shared] or list(_PREFERRED)
    return tuple(
        next((choice[kind] for kind in wanted if kind in choice), None) if choice else None
        for choice in choices
    )


def _order(key: Key, members: Sequence[Member | None]) -> tuple[int, int, int, str, str]:
    metric, split = key
    first = {"loss": 0, "accuracy": 1}.get(metric.partition("/")[0], 2)
    rank = {"validation": 0, "test": 1, "train": 2}.get(split or "train", 3)
    return -sum(member is not None for member in members), first, rank, metric, split or ""
