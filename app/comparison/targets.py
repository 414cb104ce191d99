"""Which metric is looked at first, and when each run reached a value of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .curves import reached
from .metrics import Measured, MetricRow

SHARE_OF_BEST = 0.95


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a run reached a value."""

    seconds: float
    """Since it began."""
    step: int


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
