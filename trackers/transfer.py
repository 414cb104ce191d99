"""The loop that exports: from a store, series by series, to a sink. What comes in goes through imports.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from PIL import UnidentifiedImageError

from ..storage.errors import BadInput, StoreDamaged
from ..storage.model import Run, Series
from ..storage.read import Reader
from .sinks.base import Sink
from .sources.store import StoreSource

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many values were sent and how many there are in all (a live run may add some)."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has done."""

    runs: int
    points: int
    records: int
    places: tuple[str, ...]
    """Where the result is, in words that a person can follow."""
    declined: Mapping[str, str] = field(default_factory=dict[str, str])
    """Kinds that the format cannot hold, and single values that cannot be read, with the reason."""


def export_runs(
    reader: Reader, runs: Sequence[Run], sink: Sink, progress: Progress | None = None
) -> Exported:
    """Send runs with all their data to a sink.

    Memory stays bounded: data are read and sent in pieces. Runs may still be written meanwhile;
    what is stored when the export reads it is sent.

    Args:
        reader: the store; stays open.
        runs: in the order in which they are sent; one that is named twice is sent once.
        sink: used once; it is finished, or discarded when anything fails.
        progress: called after each piece.

    Raises:
        BadInput: no runs were given.
        ExportRefused: the sink's place does not take them.
        StoreError: the store cannot be read.
    """
    chosen = list({run.run_id: run for run in runs}.values())
    if not chosen:
        raise BadInput("expected at least one run to export, but none was named.")
    transfer = _Transfer(reader, sink, progress)
    try:
        transfer.run(chosen)
        places = sink.finish()
    except BaseException:
        sink.discard()
        raise
    return Exported(len(chosen), transfer.points, transfer.records, places, transfer.declined)


class _Transfer:
    """One transfer under way, with its counts."""

    def __init__(self, reader: Reader, sink: Sink, progress: Progress | None) -> None:
        self._source = StoreSource(reader, self._lost)
        self._sink = sink
        self._progress = progress
        self._total = 0
        self.points = 0
        self.records = 0
        self.declined: dict[str, str] = {}

    def run(self, runs: Sequence[Run]) -> None:
        carried = {run.run_id: self._carried(run) for run in runs}
        self._total = sum(self._expected(series) for many in carried.values() for series in many)
        self._sink.start(runs)
        for run in runs:
            self._sink.open_run(run, carried[run.run_id])
            for series in carried[run.run_id]:
                self._send(series)
            self._sink.close_run()

    def _carried(self, run: Run) -> list[Series]:
        every = self._source.series(run)
        for series in every:
            if series.kind not in self._sink.carries:
                unknown = f"{self._sink.name} has no place for it"
                self.declined[series.kind] = self._sink.declines.get(series.kind, unknown)
        return [series for series in every if series.kind in self._sink.carries]

    def _expected(self, series: Series) -> int:
        limit = self._sink.point_limit if series.kind == "scalar" else self._sink.record_limit
        return series.count if limit is None else min(series.count, limit)

    def _send(self, series: Series) -> None:
        if series.kind == "scalar":
            for points in self._source.points(series, self._sink.point_limit):
                self._sink.write_points(series, points)
                self.points += len(points)
                self._report()
            return
        for record, value in self._source.records(series, self._sink.record_limit):
            try:
                self._sink.write_record(series, record, value)
            except (StoreDamaged, UnidentifiedImageError, OverflowError, ValueError) as error:
                self._lost(f"{series.kind} {series.name} at step {record.step}", error)
                continue
            self.records += 1
            self._report()

    def _lost(self, what: str, error: Exception) -> None:
        # One value that is damaged, or that the format cannot hold, must not cost the others.
        self.declined[what] = str(error)

    def _report(self) -> None:
        if self._progress is not None:
            done = self.points + self.records
            self._progress(done, max(self._total, done))
