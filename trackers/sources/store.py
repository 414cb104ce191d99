"""A store as the source of a transfer: a run's series, and their data in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from ...storage.errors import StoreDamaged
from ...storage.model import Points, Record, Run, Series
from ...storage.read import Reader

POINTS_A_PIECE = 65_536
"""About 5 MB of arrays."""
RECORDS_A_PIECE = 256
"""Small values lie in the records; images and sounds are loaded one by one."""


class StoreSource:
    """Reads runs out of one store."""

    def __init__(self, reader: Reader, lost: Callable[[str, StoreDamaged], object] | None = None) -> None:
        """Read through an open Reader; closing it stays with whoever opened it.

        `lost` is told what cannot be read, and why; all else comes. Without it, that raises StoreDamaged.
        """
        self._reader = reader
        self._lost = lost

    def series(self, run: Run) -> list[Series]:
        """Return every series of a run, ordered by name."""
        return self._reader.series(run.run_id)

    def points(self, series: Series, limit: int | None) -> Iterator[Points]:
        """Yield the points of a scalar series in the order of steps.

        Args:
            series: of kind "scalar".
            limit: the most points wanted, in one piece of buckets; None for all, none gathered.
        """
        for first, last in self._point_windows(series) if limit is None else [(None, None)]:
            try:
                piece = self._reader.points(series, first_step=first, last_step=last, max_points=limit)
            except StoreDamaged as error:
                self._tell(f"points of {series.label}{_between(first, last)}", error)
                continue
            if len(piece):
                yield piece

    def points_between(self, series: Series, first: int, last: int) -> Iterator[Points]:
        """Yield the points of a scalar series between two steps, both included, in pieces."""
        inside = self._reader.points(series, first_step=first, last_step=last, max_points=1)
        pieces = -(-inside.total // POINTS_A_PIECE)
        if pieces > 1:
            inside = self._reader.points(series, first_step=first, last_step=last, max_points=pieces)
        starts = [first, *sorted(set(inside.first_step[1:].tolist()))]
        for start, end in zip(starts, [*(step - 1 for step in starts[1:]), last], strict=True):
            piece = self._reader.points(series, first_step=start, last_step=end)
            if len(piece):
                yield piece

    def records_between(self, series: Series, first: int, last: int) -> Iterator[tuple[Record, Any]]:
        """Yield the records of a series between two steps, both included, with their values."""
        pieces = -(-series.count // RECORDS_A_PIECE)
        coarse = self._reader.records(series, first_step=first, last_step=last, max_records=pieces)
        starts = [first, *sorted({record.step for record in coarse[1:]} - {first})]
        for start, end in zip(starts, [*(step - 1 for step in starts[1:]), last], strict=True):
            for record in self._reader.records(series, first_step=start, last_step=end):
                whole = self._with_payload(record)
                yield whole, self._reader.load(series, whole)

    def records(self, series: Series, limit: int | None) -> Iterator[tuple[Record, Any]]:
        """Yield the records of a series with their values, in the order of steps; at most `limit`.

        Each holds its payload, wherever that lies in the store.
        """
        for first, last in self._record_windows(series, limit):
            for record in self._reader.records(series, first_step=first, last_step=last, max_records=limit):
                try:
                    whole = self._with_payload(record)
                    value = self._reader.load(series, whole)
                except StoreDamaged as error:
                    self._tell(f"{series.kind} {series.name} at step {record.step}", error)
                    continue
                yield whole, value

    def _tell(self, what: str, error: StoreDamaged) -> None:
        if self._lost is None:
            raise error
        self._lost(what, error)

    def _with_payload(self, record: Record) -> Record:
        if record.payload is not None or record.digest is None:
            return record
        return replace(record, payload=self._reader.blob(record.run_id, record.digest))

    def _point_windows(self, series: Series) -> list[tuple[int | None, int | None]]:
        pieces = -(-series.count // POINTS_A_PIECE)
        if pieces < 2:
            return [(None, None)]
        try:
            coarse = self._reader.points(series, max_points=pieces)
        except StoreDamaged:
            # Whoever reads it will be told.
            return [(None, None)]
        return _windows(coarse.first_step.tolist())

    def _record_windows(self, series: Series, limit: int | None) -> list[tuple[int | None, int | None]]:
        pieces = -(-series.count // RECORDS_A_PIECE)
        if limit is not None or pieces < 2:
            return [(None, None)]
        coarse = self._reader.records(series, max_records=pieces)
        return _windows([record.step for record in coarse])


def _between(first: int | None, last: int | None) -> str:
    words = [("from", first), ("to", last)]
    return "".join(f" {word} step {step}" for word, step in words if step is not None)


def _windows(starts: list[int]) -> list[tuple[int | None, int | None]]:
    """Return windows of steps, both ends included, that together hold every step there is.

    The first and the last are open, so that points which a live run adds meanwhile are not cut off.
    """
    bounds: list[int | None] = [None, *sorted(set(starts[1:])), None]
    return [(first, None if last is None else last - 1) for first, last in pairwise(bounds)]
