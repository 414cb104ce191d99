"""What runs reached: final and best values, and how long they took, by what their names mean. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ...storage.model import Points
from ..analysis.metric_groups import ABOUT_TRAINING, LAST, Member
from .curves import Curve, averaged, curve_of

HIGHER_IS_BETTER = (
    "accuracy", "precision", "recall", "f1", "auc", "r2", "iou", "dice", "bleu", "rouge", "map", "psnr",
    "ssim", "score", "reward", "return", "correct", "top1", "top5",
)  # fmt: skip
"""A metric with one of these words in its name gets better as it grows; all others as they fall."""

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
        value = self.member.series.last_value
        broken = value is not None and not math.isfinite(value)  # a mean leaves out what is no number
        if self.note and not broken and self.curve is not None and len(self.curve):
            return float(self.curve.y[-1])
        return value


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


def metric_row(
    key: Key,
    members: Sequence[Member | None],
    points: Mapping[SeriesId, Points],
    epochs: Sequence[Points | None],
    *,
    upwards: bool | None = None,
) -> MetricRow:
    """Return a row; where some runs log it by epoch, what others log by batch is averaged over their epochs.

    A run that does not tell its epochs is averaged between the steps at which the others logged theirs.

    Args:
        key: metric and split.
        members: the series of each run.
        points: of those series that were read.
        epochs: the series `epoch` of each run that has one.
        upwards: whether the metric gets better as it grows; None for what its name says.
    """
    found = [points.get(id_of(member)) if member else None for member in members]
    known = {member.name.granularity for member in members if member}
    ended = next(
        (each for one, each in zip(members, found, strict=True) if one and _by_epoch(one) and each), None
    )
    cells = [
        _measured(member, each, (own or ended) if len(known) > 1 else None) if member else None
        for member, each, own in zip(members, found, epochs, strict=True)
    ]
    return MetricRow(key, tuple(cells), higher_is_better(key[0]) if upwards is None else upwards)


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


def _by_epoch(member: Member) -> bool:
    return member.name.granularity == "epoch"


def _measured(member: Member, points: Points | None, ended: Points | None) -> Measured:
    """Return a metric of one run; values by batch are averaged up to where epochs ended, if that is given."""
    if points is None:
        return Measured(member, None, None)
    curve = curve_of(points, points.step.astype(np.float64))
    if ended is None or _by_epoch(member) or len(points) <= 2 * len(ended):
        return Measured(member, points, curve)
    means = averaged(curve, ended.step.astype(np.float64))
    return (
        Measured(member, points, means, "mean of an epoch") if len(means) else Measured(member, points, curve)
    )
