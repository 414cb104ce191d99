"""What was read of a block of records, put into the order in which it was logged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....storage.chunks import Columns
from ....storage.journal_read import SeriesDefinition
from ....storage.write_series import NewRecord
from ..base import Piece
from .scalars import Numbers

MOST_SECONDS = 9e9
"""Of a time that is kept: as microseconds, it fits into 64 bits; it lies in the year 2255."""


@dataclass(slots=True)
class _Point:
    place: int
    step: int
    time: float
    value: float


@dataclass(slots=True)
class Gathered:
    """The values of a block."""

    numbers: list[Numbers]
    """Those that were taken out by columns."""
    records: list[NewRecord] = field(default_factory=list[NewRecord])
    changes: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    problems: list[str] = field(default_factory=list[str])
    _points: dict[Any, tuple[SeriesDefinition, list[_Point]]] = field(default_factory=dict[Any, Any])

    def add_point(
        self, definition: SeriesDefinition, place: int, step: int, time: float, value: float
    ) -> None:
        """Add one number, which is that of the record at a place."""
        _, points = self._points.setdefault(_key(definition), (definition, []))
        points.append(_Point(place, step, time, value))

    def first_value(self, name: str, after: int) -> float | None:
        """Return the first number of a name that comes after a place; None if there is none."""
        found = [one for one in self._all() if one.definition.name == name]
        later = [
            (int(one.place[at]), float(one.columns.value[at]))
            for one in found
            if (at := int(np.searchsorted(one.place, after, side="right"))) < len(one.place)
        ]
        return min(later)[1] if later else None

    def piece(self, position: int) -> Piece:
        """Return all as a piece that ends at a position."""
        series: dict[Any, list[Numbers]] = {}
        for one in self._all():
            series.setdefault(_key(one.definition), []).append(one)
        points = [(parts[0].definition, _in_order(parts)) for parts in series.values()]
        # The store looks a series up once for each definition, not for each record.
        known: dict[Any, SeriesDefinition] = {}
        records = [
            one._replace(
                time=_time(one.time),
                definition=known.setdefault((one.definition.kind, *_key(one.definition)), one.definition),
            )
            for one in self.records
        ]
        return Piece(position, points, records, changes=self.changes, problems=self.problems)

    def _all(self) -> Iterable[Numbers]:
        yield from self.numbers
        for definition, points in self._points.values():
            place = np.array([one.place for one in points], np.int64)
            steps = np.array([one.step for one in points], np.int64)
            times = np.array([one.time for one in points], np.float64)
            values = np.array([one.value for one in points], np.float64)
            yield Numbers(definition, place, Columns(steps, times, values))


def _key(definition: SeriesDefinition) -> tuple[Any, ...]:
    return (definition.name, *sorted(definition.context.items()))


def _in_order(parts: list[Numbers]) -> Columns:
    joined = Columns.join([one.columns for one in parts])
    if len(parts) > 1:
        order: NDArray[np.intp] = np.argsort(np.concatenate([one.place for one in parts]), kind="stable")
        joined = joined.take(order)
    times = np.nan_to_num(joined.time, nan=0.0)
    return joined._replace(time=np.clip(times, -MOST_SECONDS, MOST_SECONDS))


def _time(time: float) -> float:
    return 0.0 if math.isnan(time) else min(max(time, -MOST_SECONDS), MOST_SECONDS)
