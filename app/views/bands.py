"""Several runs as one line: their mean or median, in a band of what they spread over."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ...storage.model import Points

MOST_PLACES = 1000
"""At how many places of the axis runs are compared."""

_Floats = NDArray[np.float64]


class Centre(StrEnum):
    """Which line stands for a group."""

    MEAN = "mean"
    MEDIAN = "median"


class Band(StrEnum):
    """What the band of a group spans."""

    RANGE = "min to max"
    DEVIATION = "standard deviation"
    ERROR = "standard error"
    NONE = "none"


def across(
    members: Sequence[tuple[_Floats, Points]], centre: Centre, band: Band, most: int = MOST_PLACES
) -> tuple[_Floats, Points]:
    """Return the line that stands for several runs, and its band as the extremes of buckets.

    Runs are compared at all places of the axis at which any of them has a value (evenly thinned to `most`).
    Between two values of its own a run counts with the straight line between them; before its first and after
    its last value it does not count.

    Args:
        members: for each run, where its entries lie on the axis (NaN where that is unknown), and the entries.
        centre: which line.
        band: which band, from `min` to `max` of the result. "min to max" spans all values of all runs, those
            inside buckets too; the others lie around the line. None makes `min` and `max` the line itself.
        most: how many places.

    Returns:
        Places, ascending, shape (n,), and entries there. `count` says how many runs there were; `last` is NaN
        or infinite where a value of a run was.
    """
    members = [_sorted(x, points) for x, points in members]
    members = [member for member in members if len(member[0])]
    grid = _thinned(np.unique(np.concatenate([np.empty(0), *(x for x, _ in members)])), most)
    values = np.array([_at(grid, x, points.mean) for x, points in members]).reshape(len(members), len(grid))
    with warnings.catch_warnings():
        # Where no run has a number, NaN is the answer.
        warnings.simplefilter("ignore", RuntimeWarning)
        middle = np.nanmedian(values, axis=0) if centre is Centre.MEDIAN else np.nanmean(values, axis=0)
    low, high = _ends(members, grid, values, middle, band)
    return grid, Points(
        step=_steps(grid),
        first_step=_steps(grid),
        time=np.zeros(len(grid)),
        min=low,
        max=high,
        mean=middle,
        last=_with_odd(members, grid, middle),
        count=np.isfinite(values).sum(axis=0),
        total=sum(points.total for _, points in members),
        nan_count=sum(points.nan_count for _, points in members),
        posinf_count=sum(points.posinf_count for _, points in members),
        neginf_count=sum(points.neginf_count for _, points in members),
    )


def _sorted(x: _Floats, points: Points) -> tuple[_Floats, Points]:
    """Return the entries whose place is known, in the order of the axis, those of one place as one."""
    known = np.flatnonzero(np.isfinite(x))
    order = known[np.argsort(x[known], kind="stable")]
    if len(order) == len(x) and bool((x[1:] > x[:-1]).all()):
        return x, points
    ordered, starts = x[order], np.flatnonzero(np.append(True, np.diff(x[order]) > 0))
    if not len(order):
        return ordered, points
    mean, there = points.mean[order], np.isfinite(points.mean[order])
    with np.errstate(invalid="ignore"):
        mean = np.add.reduceat(np.where(there, mean, 0.0), starts) / np.add.reduceat(there * 1.0, starts)
    low, high = np.fmin.reduceat(points.min[order], starts), np.fmax.reduceat(points.max[order], starts)
    step, time = points.step[order][starts], points.time[order][starts]
    # A value that is no number marks its place.
    last = np.where(np.add.reduceat(~np.isfinite(points.last[order]) * 1, starts) > 0, np.nan, mean)
    count = np.add.reduceat(points.count[order], starts)
    one = replace(points, step=step, first_step=step, time=time, min=low, max=high, mean=mean)
    return ordered[starts], replace(one, last=last, count=count)


def _thinned(grid: _Floats, most: int) -> _Floats:
    if len(grid) <= most:
        return grid
    return grid[np.linspace(0, len(grid) - 1, most).astype(int)]


def _at(grid: _Floats, x: _Floats, y: _Floats) -> _Floats:
    known = np.isfinite(y)
    if not known.any():
        return np.full(len(grid), np.nan)
    return np.interp(grid, x[known], y[known], left=np.nan, right=np.nan)


def _ends(
    members: Sequence[tuple[_Floats, Points]], grid: _Floats, values: _Floats, middle: _Floats, band: Band
) -> tuple[_Floats, _Floats]:
    """Return the lower and the upper edge of the band."""
    if band is Band.NONE or not len(grid):
        return middle, middle
    if band is Band.RANGE:
        return _extremes(members, grid, values)
    known = np.isfinite(values)
    amount = known.sum(axis=0)
    squares = np.where(
        known, (values - np.where(known, values, 0.0).sum(axis=0) / np.maximum(amount, 1)) ** 2, 0.0
    )
    # One run alone does not spread.
    spread = np.sqrt(squares.sum(axis=0) / np.maximum(amount - 1, 1))
    if band is Band.ERROR:
        spread = spread / np.sqrt(np.maximum(amount, 1))
    return middle - spread, middle + spread


def _extremes(
    members: Sequence[tuple[_Floats, Points]], grid: _Floats, values: _Floats
) -> tuple[_Floats, _Floats]:
    """Return the smallest and the largest value of all runs, those between two places of the grid too."""
    low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    for x, points in members:
        cell = np.minimum(np.searchsorted(grid, x), len(grid) - 1)
        np.fmin.at(low, cell, points.min)
        np.fmax.at(high, cell, points.max)
    return low, high


def _with_odd(members: Sequence[tuple[_Floats, Points]], grid: _Floats, middle: _Floats) -> _Floats:
    last = middle.copy()
    for x, points in members:
        odd = ~np.isfinite(points.last)
        last[np.minimum(np.searchsorted(grid, x[odd]), len(grid) - 1)] = points.last[odd]
    return last


def _steps(grid: _Floats) -> NDArray[np.int64]:
    """Return whole numbers for the places: what has steps must have some."""
    return np.clip(grid, -9e18, 9e18).astype(np.int64)
