"""Points of series as tables: one series, several side by side, or many in long form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frames import Table, objects
from .model import Points, Series, words_of

_BUCKET = ("step", "first_step", "time", "min", "max", "mean", "last", "count")


def as_values(points: Points) -> Table:
    """Return points that were not gathered: step, time, value."""
    return Table({"step": points.step, "time": points.time, "value": points.last})


def as_buckets(points: Points) -> Table:
    """Return buckets with all that is known of each."""
    return Table({name: getattr(points, name) for name in _BUCKET})


def side_by_side(points_of: Mapping[str, Points]) -> Table:
    """Return all steps, sorted, and one column for each name, with NaN where it has no value."""
    every = [points.step for points in points_of.values()]
    steps = np.unique(np.concatenate([np.empty(0, np.int64), *every]))
    columns: dict[str, NDArray[Any]] = {"step": steps}
    for name, points in points_of.items():
        columns[name] = np.full(len(steps), np.nan)
        columns[name][np.searchsorted(steps, points.step)] = points.last
    return Table(columns)


def long_form(found: Sequence[tuple[Series, Points]]) -> Table:
    """Return one row a point: name, context, step, time, value; the series in the order given."""
    sizes = [len(points) for _, points in found]
    contexts = [words_of(series.context) for series, _ in found]
    floats: list[NDArray[Any]] = [np.empty(0, np.float64)]
    return Table(
        {
            "name": np.repeat(objects([series.name for series, _ in found]), sizes),
            "context": np.repeat(objects(contexts), sizes),
            "step": np.concatenate([np.empty(0, np.int64), *(points.step for _, points in found)]),
            "time": np.concatenate([*floats, *(points.time for _, points in found)]),
            "value": np.concatenate([*floats, *(points.last for _, points in found)]),
        }
    )
