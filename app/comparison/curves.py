"""Curves of one metric on axes that runs share, and where two of them part. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ...storage.model import Points

Floats = NDArray[np.float64]

FEWEST_POINTS = 8
"""Of fewer shared points, nobody can tell a difference from noise."""
MOST_POINTS = 500
SLACK, ALARM, CLIP = 0.5, 10.0, 4.0
"""Of the cumulative sum, in standard deviations (see `parting`)."""
ROUNDING = 1e-6
"""A difference of that share is rounding: float32 and float64 of one number differ by less."""


class Axis(StrEnum):
    """What runs are compared over."""

    STEP = "step"
    EPOCH = "epoch"
    RELATIVE = "seconds"
    """Since the run began."""

    @property
    def words(self) -> str:
        """The title of such an axis."""
        return "seconds since the run began" if self is Axis.RELATIVE else self.value


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over an ascending axis; both of shape (n,), all finite."""

    x: Floats
    y: Floats

    def __len__(self) -> int:
        """Return how many points there are."""
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Parting:
    """Where two curves part, if they do."""

    at: float | None
    """The first place of the axis from which they differ by more than their noise; None: nowhere."""
    points: int
    """How many places of the axis were compared."""
    higher: bool = False
    """Whether the second curve lies above the first one in the median from there on."""
    gap: float = 0.0
    """By how much it does so, or lies below."""
    meet: bool = False
    """Whether they lie within their noise again at the end."""
    reason: str = ""
    """Why it cannot be told; "" when it can."""


def curve_of(points: Points, x: Floats) -> Curve:
    """Return the curve of some points over an axis; what is not a number is left out."""
    known = np.isfinite(points.mean) & np.isfinite(x)
    x, y = x[known], points.mean[known]
    order = np.argsort(x, kind="stable")
    return Curve(x[order], y[order])


def places(points: Points, axis: Axis, *, start: float, epochs: Points | None = None) -> Floats | None:
    """Return where points lie on an axis, shape (n,); None when the run does not tell its epochs.

    Args:
        points: of the metric.
        axis: what is asked for.
        start: when the run began, in seconds since the epoch.
        epochs: the run's series `epoch`: each value is a number of epochs that ended at its step.
    """
    if axis is Axis.STEP:
        return points.step.astype(np.float64)
    if axis is Axis.RELATIVE:
        return points.time - start
    if epochs is None or not len(epochs):
        return None
    steps, ended = epochs.step.astype(np.float64), epochs.last
    return np.interp(points.step, np.concatenate([[0.0], steps]), np.concatenate([[ended[0] - 1], ended]))


def averaged(curve: Curve, ends: Floats) -> Curve:
    """Return the mean of the values in each window up to an end, from the end before it.

    An empty window is left out.

    Args:
        curve: what is averaged.
        ends: ascending, shape (m,).
    """
    upto = np.searchsorted(curve.x, ends, side="right")
    sums = np.concatenate([[0.0], np.cumsum(curve.y)])
    counts = np.diff(upto, prepend=0)
    full = counts > 0
    means = np.diff(sums[upto], prepend=0.0)[full] / counts[full]
    return Curve(ends[full], means)


def together(a: Curve, b: Curve) -> tuple[Floats, Floats, Floats]:
    """Return the axis that two curves share, and the values of each: three arrays of one shape.

    The axis is that of the curve with fewer points, where both are known. The other one is averaged over
    the window up to each of its places, as a value per epoch stands for the batches before it; where a
    window is empty, it is drawn straight from the point before to the one behind.
    """
    if not len(a) or not len(b):
        empty = np.empty(0)
        return empty, empty, empty
    low, high = max(a.x[0], b.x[0]), min(a.x[-1], b.x[-1])
    grid = min((_within(a, low, high), _within(b, low, high)), key=len)
    if len(grid) > MOST_POINTS:
        grid = grid[np.linspace(0, len(grid) - 1, MOST_POINTS).astype(int)]
    grid = np.unique(grid)
    return grid, _on(a, grid), _on(b, grid)


def _within(curve: Curve, low: float, high: float) -> Floats:
    return curve.x[(curve.x >= low) & (curve.x <= high)]


def _on(curve: Curve, grid: Floats) -> Floats:
    values = np.interp(grid, curve.x, curve.y)
    means = averaged(curve, grid)
    values[np.searchsorted(grid, means.x)] = means.y
    return values


def noise(x: Floats, y: Floats) -> Floats:
    """Return the standard deviation of a curve's noise at each point, shape (n,).

    What a point is off the line through its neighbours, squared, on average over a fifth of the curve:
    Gasser, Sroka and Jennen-Steinmetz, Residual variance and residual pattern in nonlinear regression,
    Biometrika 73 (1986). A trend adds little to it, and noise that falls in the course of a training is
    followed. It is never less than rounding.
    """
    share = (x[2:] - x[1:-1]) / (x[2:] - x[:-2])
    off = share * y[:-2] + (1 - share) * y[2:] - y[1:-1]
    squares = off**2 / (share**2 + (1 - share) ** 2 + 1)
    wide = min(len(squares), max(9, len(y) // 5)) // 2
    sums = np.concatenate([[0.0], np.cumsum(squares)])
    middle = np.clip(np.arange(len(y)) - 1, 0, len(squares) - 1)
    first, last = np.maximum(middle - wide, 0), np.minimum(middle + wide + 1, len(squares))
    local = np.sqrt(np.maximum(sums[last] - sums[first], 0.0) / (last - first))
    return np.maximum(local, np.maximum(ROUNDING * np.abs(y), np.finfo(np.float64).tiny))


def parting(a: Curve, b: Curve) -> Parting:
    """Return where two curves of one metric, over one axis, part by more than their own noise.

    The distance between the curves, in units of the noise of both, is summed up as in E. S. Page,
    Continuous inspection schemes, Biometrika 41 (1954): one sum for each direction, less SLACK a point,
    never below zero. When one exceeds ALARM, the curves have parted where that sum left zero. A point
    counts CLIP at most, so that no single one decides, nor two. Of two curves of 500 points that differ by
    independent noise alone, one pair in a hundred is taken for parted.
    """
    x, ya, yb = together(a, b)
    if len(x) < FEWEST_POINTS:
        return Parting(None, len(x), reason=f"{len(x)} shared points are too few, {FEWEST_POINTS} are needed")
    apart = (yb - ya) / np.hypot(noise(x, ya), noise(x, yb))
    rises = [_alarm(np.clip(sign * apart, -CLIP, CLIP)) for sign in (1.0, -1.0)]
    found = [place for place in rises if place is not None]
    if not found:
        return Parting(None, len(x))
    first = min(found)
    gap = float(np.median((yb - ya)[first:]))  # curves may cross after they parted
    tail = apart[-max(3, len(x) // 10) :]
    return Parting(
        float(x[first]),
        len(x),
        gap > 0,
        abs(gap),
        meet=bool(abs(np.mean(tail)) * np.sqrt(len(tail)) < 3.0),
    )


def _alarm(apart: Floats) -> int | None:
    """Return the place from which the sum rose until it exceeded the limit; None when it never does."""
    total, since = 0.0, 0
    for place, one in enumerate(apart.tolist()):
        if total == 0.0:
            since = place
        total = max(0.0, total + one - SLACK)
        if total > ALARM:
            return since
    return None


def reached(points: Points, target: float, *, upwards: bool) -> int | None:
    """Return the place of the first entry in which a value reaches a target; None when none does.

    Of points in buckets the extremes are looked at: the true step lies within the bucket.
    """
    found: Sequence[int] = np.flatnonzero(points.max >= target if upwards else points.min <= target).tolist()
    return found[0] if found else None
