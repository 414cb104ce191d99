"""Several ranks of one run as one line: their mean, in the band from the smallest to the largest."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...storage.model import Points

MOST_RANKS = 32
"""How many ranks are read for one line; of more, so many that are evenly chosen."""

_Ints = NDArray[np.int64]
T = TypeVar("T")


def chosen(members: Sequence[T]) -> list[T]:
    """Return the ranks that are read for one line: the first, the last and some between."""
    if len(members) <= MOST_RANKS:
        return list(members)
    return [members[place] for place in np.linspace(0, len(members) - 1, MOST_RANKS).astype(int)]


def across(ranks: Sequence[Points]) -> Points:
    """Return the mean of several ranks, and their extremes as those of buckets.

    Args:
        ranks: the points of one metric on each rank, at least one.

    Returns:
        Entries at the steps of the rank that has the most. A rank counts at a step with the entry that
        holds the step, or with its last one before, up to its end. Where a rank's value is NaN or infinite,
        so is `last`.
    """
    grid = max(ranks, key=len)
    places = [_places(one, grid.step) for one in ranks]
    with warnings.catch_warnings():
        # Of steps where no rank has a number, NaN is the answer.
        warnings.simplefilter("ignore", RuntimeWarning)
        return Points(
            step=grid.step,
            first_step=grid.first_step,
            time=grid.time,
            min=np.nanmin([_at(one.min, place) for one, place in zip(ranks, places, strict=True)], axis=0),
            max=np.nanmax([_at(one.max, place) for one, place in zip(ranks, places, strict=True)], axis=0),
            mean=np.nanmean([_at(one.mean, place) for one, place in zip(ranks, places, strict=True)], axis=0),
            last=_last([one.last for one in ranks], places),
            count=np.full(len(grid), len(ranks)),
            total=sum(one.total for one in ranks),
            nan_count=sum(one.nan_count for one in ranks),
            posinf_count=sum(one.posinf_count for one in ranks),
            neginf_count=sum(one.neginf_count for one in ranks),
        )


def _places(points: Points, steps: _Ints) -> _Ints:
    """Return which entry stands for each step; -1 where there is none."""
    if not len(points):
        return np.full(len(steps), -1)
    within = np.searchsorted(points.step, steps, side="left")
    inside = within < len(points)
    holds = inside & (points.first_step[np.minimum(within, len(points) - 1)] <= steps)
    return np.where(holds, within, np.where(inside, within - 1, -1))


def _at(values: NDArray[np.float64], places: _Ints) -> NDArray[np.float64]:
    if not len(values):
        return np.full(len(places), np.nan)
    return np.where(places < 0, np.nan, values[places])


def _last(values: Sequence[NDArray[np.float64]], places: Sequence[_Ints]) -> NDArray[np.float64]:
    """Return the mean of the last values of those ranks that are there, with their NaN and infinities."""
    found = np.array([_at(one, place) for one, place in zip(values, places, strict=True)])
    there = np.array([place >= 0 for place in places])
    return np.where(there, found, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
