"""Rows that each hold one number of any series, as databases give them: sorted into series without a loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...storage.chunks import Columns
from ...storage.journal_read import SeriesDefinition
from ...storage.model import SYSTEM_PREFIX
from .base import columns, scalar


def by_series(
    names: Sequence[str], steps: Any, times: Any, values: Any
) -> list[tuple[SeriesDefinition, Columns]]:
    """Return the points of each series, in the order of their rows; every argument has the shape (n,)."""
    places: dict[str, int] = {}
    numbers = np.fromiter((places.setdefault(name, len(places)) for name in names), np.int64, len(names))
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(len(places) + 1)).tolist()
    every = columns(steps, times, values)
    return [
        (scalar(name), every.take(order[bounds[place] : bounds[place + 1]])) for name, place in places.items()
    ]


def as_seconds(name: str, points: Columns, began: float) -> Columns:
    """Return what was measured of the machine with the steps of the store: seconds since the run began."""
    if not name.startswith(SYSTEM_PREFIX):
        return points
    return points._replace(step=np.maximum(0, np.rint(points.time - began)).astype(np.int64))
