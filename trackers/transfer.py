"""Sending runs elsewhere: the one loop from a source to a sink, and one function for each export."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
    transfer = _Transfer(StoreSource(reader), sink, progress)
    try:
        transfer.run(chosen)
        places = sink.finish()
    except BaseException:
        sink.discard()
        raise
    return Exported(len(chosen), transfer.points, transfer.records, places, transfer.declined)


def export_tensorboard(
    reader: Reader, runs: Sequence[str], folder: str | Path, progress: Progress | None = None
) -> Exported:
    """Write runs as event files that TensorBoard reads, one folder for each run.

    Exporting a run again replaces what it wrote before. TensorBoard keeps numbers as float32.

    Args:
        reader: the store.
        runs: ids, beginnings of ids, or names.
        folder: made when it is not there; give it to `tensorboard --logdir`.
        progress: called after each piece.

    Raises:
        RunNotFound: no run, or several, fit one of the texts.
        BadInput: no runs were named.
        ExportRefused: the folder cannot be written to.
        MissingExtra: tensorboard is not installed.
    """
    chosen = [reader.find_run(text) for text in runs]
    from .sinks.tensorboard import TensorBoardSink  # noqa: PLC0415 - needs the extra

    return export_runs(reader, chosen, TensorBoardSink(folder), progress)


def export_visdom(
    reader: Reader,
    runs: Sequence[str],
    *,
    server: str | None = None,
    folder: str | Path | None = None,
    env: str | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Fill a running Visdom server, or write the files from which one starts.

    Args:
        reader: the store.
        runs: ids, beginnings of ids, or names.
        server: URL of a running server, such as "http://localhost:8097"; either this or `folder`.
        folder: where to write environments; give it to `visdom -env_path`. Needs no visdom.
        env: the environment; by default each run goes to that of its project.
        progress: called after each piece.

    Raises:
        RunNotFound: no run, or several, fit one of the texts.
        BadInput: no runs were named.
        ExportRefused: the server does not answer, or the folder cannot be written to.
        MissingExtra: a server was given and visdom is not installed.
    """
    chosen = [reader.find_run(text) for text in runs]
    from .sinks.visdom import VisdomSink  # noqa: PLC0415 - only when it is used

    sink = VisdomSink(server=server, folder=folder, env=env, naming=reader.naming())
    return export_runs(reader, chosen, sink, progress)


def export_csv(
    reader: Reader, runs: Sequence[str], folder: str | Path, progress: Progress | None = None
) -> Exported:
    """Write runs as a dataset of CSV files: see trackers/sinks/dataset.py for its folders and columns.

    Exporting a run again replaces what it wrote before. Numbers are written to their last digit.

    Args:
        reader: the store.
        runs: ids, beginnings of ids, or names.
        folder: made when it is not there.
        progress: called after each piece.

    Raises:
        RunNotFound: no run, or several, fit one of the texts.
        BadInput: no runs were named.
        ExportRefused: the folder cannot be written to.
    """
    chosen = [reader.find_run(text) for text in runs]
    from .sinks.csv_dataset import CsvSink  # noqa: PLC0415 - only when it is used

    return export_runs(reader, chosen, CsvSink(folder), progress)


def export_parquet(
    reader: Reader, runs: Sequence[str], folder: str | Path, progress: Progress | None = None
) -> Exported:
    """Write runs as a dataset of Parquet files; arguments and errors are those of `export_csv`."""
    chosen = [reader.find_run(text) for text in runs]
    from .sinks.parquet import ParquetSink  # noqa: PLC0415 - loads pyarrow

    return export_runs(reader, chosen, ParquetSink(folder), progress)


class _Transfer:
    """One transfer under way, with its counts."""

    def __init__(self, source: StoreSource, sink: Sink, progress: Progress | None) -> None:
        self._source = source
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
                # One value that the format cannot hold, such as a broken file, must not cost the others.
                self.declined[f"{series.kind} {series.name} at step {record.step}"] = str(error)
                continue
            self.records += 1
            self._report()

    def _report(self) -> None:
        if self._progress is not None:
            done = self.points + self.records
            self._progress(done, max(self._total, done))
