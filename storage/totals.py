"""Counts, extremes and last values of series: what a list of runs shows without looking at points.

One row of the table `totals` holds the series of one journal, up to SHARD_SERIES of them, as a packed
array; so a flush of a thousand series is one small write. A series that several journals write has its
totals in each, which are added up when reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from .chunks import Columns
from .schema import totals

TOTAL = np.dtype(
    [
        ("series_id", "<i8"),
        ("count", "<i8"),
        ("last_step", "<i8"),
        ("last_time", "<f8"),
        ("last_value", "<f8"),
        ("min_value", "<f8"),
        ("max_value", "<f8"),
        ("nan_count", "<i8"),
        ("posinf_count", "<i8"),
        ("neginf_count", "<i8"),
    ]
)
"""count is of all that was logged; min and max are of finite values, NaN without any."""

SHARD_SERIES = 1024
_RUNS_A_QUERY = 500
_COUNTS = ("count", "nan_count", "posinf_count", "neginf_count")
_NONE = np.array((0, 0, 0, -np.inf, *(np.nan,) * 3, 0, 0, 0), TOTAL)

TotalsArray: TypeAlias = NDArray[np.void]
"""Structured, shape (n,), of the type TOTAL."""


class JournalTotals:
    """The totals of one journal, as its writer keeps them. A series has one place in the array for good."""

    def __init__(self, stored: Sequence[bytes] = ()) -> None:
        """Go on from the rows of the table, ordered by shard."""
        self._rows = np.frombuffer(b"".join(stored), TOTAL).copy()
        self.places = {int(number): place for place, number in enumerate(self._rows["series_id"])}
        self._changed: set[int] = set()

    @property
    def series_ids(self) -> NDArray[np.int64]:
        """The numbers of the series by place, shape (n,)."""
        return self._rows["series_id"][: len(self.places)]

    def enter(self, series_id: int) -> int:
        """Return the place of a series, making one if it has none."""
        place = self.places.setdefault(series_id, len(self.places))
        if place >= len(self._rows):
            room = np.full(max(16, len(self._rows)), _NONE, TOTAL)
            self._rows = np.concatenate([self._rows, room])
        self._rows["series_id"][place] = series_id
        return place

    def add_points(self, places: NDArray[np.intp], columns: Columns, starts: NDArray[np.intp]) -> None:
        """Add points grouped by series: group i begins at starts[i] and is of the series at places[i]."""
        rows, values = self._rows, columns.value
        ends = np.append(starts[1:], len(values)) - 1
        rows["count"][places] += ends - starts + 1
        rows["last_step"][places] = columns.step[ends]
        rows["last_time"][places] = columns.time[ends]
        rows["last_value"][places] = values[ends]
        finite = np.isfinite(values)
        if not bool(finite.all()):
            for name, which in zip(_COUNTS[1:], (np.isnan, np.isposinf, np.isneginf), strict=True):
                rows[name][places] += np.add.reduceat(which(values), starts, dtype=np.int64)
            values = np.where(finite, values, np.nan)
        for name, extreme in (("min_value", np.fmin), ("max_value", np.fmax)):
            rows[name][places] = extreme(rows[name][places], extreme.reduceat(values, starts))
        self._changed.update((places // SHARD_SERIES).tolist())

    def add_record(self, place: int, step: int, time: float) -> None:
        """Add one record."""
        row = self._rows[place]
        row["count"] += 1
        row["last_step"], row["last_time"] = step, time
        self._changed.add(place // SHARD_SERIES)

    def take_changed(self) -> Iterable[tuple[int, bytes]]:
        """Yield the number and the bytes of each shard that changed since the last call."""
        for shard in sorted(self._changed):
            start = shard * SHARD_SERIES
            yield shard, self._rows[start : min(start + SHARD_SERIES, len(self.places))].tobytes()
        self._changed.clear()


def read_totals(connection: sa.Connection, run_ids: Sequence[str]) -> tuple[NDArray[np.intp], TotalsArray]:
    """Return the totals of all series of some runs.

    Returns:
        Two arrays of the shape (n,), ordered by run: the index of the run in `run_ids`, and the totals.
    """
    found: list[tuple[int, bytes]] = []
    number_of = {run_id: number for number, run_id in enumerate(run_ids)}
    for start in range(0, len(run_ids), _RUNS_A_QUERY):
        part = run_ids[start : start + _RUNS_A_QUERY]
        query = sa.select(totals.c.run_id, totals.c.data).where(totals.c.run_id.in_(part))
        found += [(number_of[run_id], data) for run_id, data in connection.execute(query)]
    found.sort()
    numbers = [number for number, _ in found]
    rows = np.frombuffer(b"".join(data for _, data in found), TOTAL)
    run = np.repeat(numbers, [len(data) // TOTAL.itemsize for _, data in found]).astype(np.intp)
    # One journal a run, as for most: there is nothing to add up.
    return (run, rows) if len(set(numbers)) == len(numbers) else _added_up(run, rows)


def _added_up(run: NDArray[np.intp], rows: TotalsArray) -> tuple[NDArray[np.intp], TotalsArray]:
    order = np.lexsort((rows["last_time"], rows["series_id"], run))
    run, rows = run[order], rows[order]
    ends = np.ones(len(rows), np.bool_)
    ends[:-1] = (rows["series_id"][1:] != rows["series_id"][:-1]) | (run[1:] != run[:-1])
    # Ordered by time within a series: the last one brings the last values.
    whole: Any = rows[ends]
    starts = np.flatnonzero(np.append(True, ends[:-1]))[: len(whole)]
    if len(whole) < len(rows):
        for name in _COUNTS:
            whole[name] = np.add.reduceat(rows[name], starts)
        whole["min_value"] = np.fmin.reduceat(rows["min_value"], starts)
        whole["max_value"] = np.fmax.reduceat(rows["max_value"], starts)
    return run[ends], whole
