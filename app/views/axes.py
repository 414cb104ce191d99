"""Where a point lies on the horizontal axis: at its step, its time, or the value of another metric there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.model import Points

_TIME_UNITS = ((172_800, 86_400, "days"), (7_200, 3_600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))

_COLUMNS = ("step", "first_step", "time", "min", "max", "mean", "last", "count")

_Floats = NDArray[np.float64]


class XAxis(StrEnum):
    """What the horizontal axis shows."""

    STEP = "step"
    RELATIVE = "relative"
    """Time since the run began."""
    WALL = "wall"
    """The time of day at which a value was logged."""
    METRIC = "metric"
    """The value that another metric had: the epoch, the samples seen, the learning rate ..."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The horizontal axis of a chart."""

    kind: XAxis = XAxis.STEP
    metric: str = ""
    """Which metric, where it is one."""
    counts: bool = False
    """Whether that metric counts how far the training is, as an epoch does."""
    log: bool = False
    seconds: float = 1.0
    """How long one unit of relative time is."""
    unit: str = "seconds"
    steps: str = ""
    """What steps count, where they are no steps of a training."""

    @property
    def title(self) -> str:
        """What stands under the axis; steps of a training need no word."""
        if self.kind is XAxis.RELATIVE:
            return f"{self.unit} since start"
        return self.metric if self.kind is XAxis.METRIC else self.steps if self.kind is XAxis.STEP else ""

    @property
    def word(self) -> str:
        """What the axis counts: charts of one word can share a cursor."""
        return self.title or str(self.kind)

    @property
    def style(self) -> dict[str, Any]:
        """What plotly must know of the axis, without its title."""
        if self.kind is XAxis.WALL:
            return {"type": "date"}
        hover = {XAxis.STEP: ",d", XAxis.RELATIVE: ".3~f", XAxis.METRIC: ".6~g"}[self.kind]
        return {"hoverformat": hover, "type": "log" if self.log else "linear"}


def in_units_of(axis: Axis, seconds: float) -> Axis:
    """Return the axis with the unit in which people would say times of up to so many seconds."""
    size, unit = next((size, word) for above, size, word in _TIME_UNITS if seconds >= above)
    return replace(axis, seconds=float(size), unit=unit)


def place(
    points: Points, axis: Axis, start: float, other: Points | None = None, *, by_time: bool = False
) -> _Floats:
    """Return where each entry lies on the axis, shape (n,); NaN where that is not known.

    Args:
        points: of one series.
        axis: which one.
        start: when the run began, seconds since the epoch: the zero of relative time.
        other: the metric that is the axis, of the same run; None when the run has none of it.
        by_time: find the other metric's value by the time of logging, not by the step.
    """
    return place_of(points.step, points.time, axis, start, other, by_time=by_time)


def place_of(
    step: NDArray[np.int64],
    time: _Floats,
    axis: Axis,
    start: float,
    other: Points | None = None,
    *,
    by_time: bool = False,
) -> _Floats:
    """Return where steps that were logged at these times lie on the axis, shape (n,) (see `place`)."""
    if axis.kind is XAxis.RELATIVE:
        return (time - start) / axis.seconds
    if axis.kind is XAxis.WALL:
        # Milliseconds; plotly shows them by the clock of the browser.
        return time * 1000.0
    # A browser's numbers are float64 in any case.
    steps = step.astype(np.float64)
    if axis.kind is XAxis.STEP:
        return steps
    if other is None:
        return np.full(len(steps), np.nan)
    at, places = (time, other.time) if by_time else (steps, other.step.astype(np.float64))
    return joined(at, places, other.last, counts=axis.counts)


def joined(at: _Floats, places: _Floats, values: _Floats, *, counts: bool = False) -> _Floats:
    """Return the value that another metric of the run had at some places: there, or else before.

    A counter is taken to run evenly from one place at which it changes to the next, and before the first and
    after the last as fast as beside them: whether a loop logs `epoch` at each step or once an epoch, a step
    in the middle of it lies in the middle.

    Args:
        at: steps or times, shape (n,).
        places: where the other metric was logged, ascending, shape (k,).
        values: what was logged there; what is no number is left out.
        counts: whether it is a counter; one that falls is none.

    Returns:
        Shape (n,); NaN where there is no value yet, and where a counter would fall below zero.
    """
    known = np.isfinite(values)
    places, values = places[known], values[known]
    changes = np.append(True, np.diff(values) > 0) if len(values) else np.zeros(0, np.bool_)
    if counts and changes.sum() > 1 and bool((np.diff(values) >= 0).all()):
        return _counted(at, places[changes], values[changes])
    found = np.searchsorted(places, at, side="right") - 1
    if not len(values):
        return np.full(len(at), np.nan)
    return np.where(found >= 0, values[np.maximum(found, 0)], np.nan)


def _counted(at: _Floats, places: _Floats, values: _Floats) -> _Floats:
    found = np.interp(at, places, values)
    before, after = at < places[0], at > places[-1]
    pace = np.diff(values) / np.maximum(np.diff(places), 1e-9)
    found[before] = values[0] - pace[0] * (places[0] - at[before])
    found[after] = values[-1] + pace[-1] * (at[after] - places[-1])
    # A counter does not begin below zero: what it counted there is not known.
    return np.where(before & (found < -1e-9), np.nan, found)


def steps_of_view(points: Points, x: _Floats, first: float, last: float) -> tuple[int, int] | None:
    """Return which steps to read finer for what a viewer zoomed to.

    Args:
        points: the whole series in buckets.
        x: where its entries lie on the axis.
        first: the left end of what is seen.
        last: its right end.

    Returns:
        The first and the last step, half a width of margin on each side; None when nothing finer is there.
    """
    seen: list[int] = np.flatnonzero((x >= first) & (x <= last)).tolist()
    if not seen:
        # Between two entries: the bucket that ends behind it holds it.
        seen = np.flatnonzero(x > last)[:1].tolist()
    if not seen:
        return None
    left, right = seen[0], seen[-1]
    margin = (right - left + 1) // 2 + 1
    low, high = max(left - margin, 0), min(right + margin, len(points) - 1)
    if high - low + 1 >= len(points) or int(points.count[low : high + 1].max()) == 1:
        return None
    return int(points.first_step[low]), int(points.step[high])


def refined(points: Points, fine: Points) -> Points:
    """Return buckets of a whole series, with finer ones in place of those whose steps they hold."""
    if not len(fine):
        return points
    before = int((points.step < fine.first_step[0]).sum())
    after = max(before, int((points.first_step <= fine.step[-1]).sum()))
    parts: dict[str, Any] = {}
    for name in _COLUMNS:
        old: NDArray[Any] = getattr(points, name)
        new: NDArray[Any] = getattr(fine, name)
        parts[name] = np.concatenate([old[:before], new, old[after:]])
    return replace(points, **parts)


def view_of(xs: Sequence[_Floats], first: float | None, last: float | None) -> list[NDArray[np.bool_]]:
    """Return for each line which entries are seen; all of them when the ends are None."""
    if first is None or last is None:
        return [np.isfinite(x) for x in xs]
    return [(x >= first) & (x <= last) for x in xs]
