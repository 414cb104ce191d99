"""Sending runs elsewhere: one function for each export."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from ..storage.errors import BadInput
from ..storage.read import Reader
from .sinks.files import folder_to_fill
from .transfer import Exported, Progress, export_runs

_SECONDS_BETWEEN_LOOKS = 0.5


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
    from .sinks.tensorboard.sink import TensorBoardSink  # noqa: PLC0415 - needs the extra

    return export_runs(reader, chosen, TensorBoardSink(folder, reader), progress)


def follow_tensorboard(
    reader: Reader,
    runs: Sequence[str],
    folder: str | Path,
    stop: threading.Event,
    report: Callable[[int], None] | None = None,
) -> Exported:
    """Keep an export for TensorBoard growing while the runs are written; return when all have ended.

    Called again, it goes on where it was. What is new in the store is in the files half a second later. The
    folders keep the names that the runs have when it is called first.

    Args:
        reader: the store.
        runs: ids, beginnings of ids, or names.
        folder: made when it is not there; give it to `tensorboard --logdir`.
        stop: ends it when it is set.
        report: told how many values were written, whenever there were new ones.

    Raises:
        RunNotFound: no run, or several, fit one of the texts.
        BadInput: no runs were named.
        ExportRefused: the folder cannot be written to, or another process follows one of the runs there.
        MissingExtra: tensorboard is not installed.
    """
    chosen = list({run.run_id: run for run in (reader.find_run(text) for text in runs)}.values())
    if not chosen:
        raise BadInput("expected at least one run to export, but none was named.")
    from .sinks.tensorboard.follow import FollowedRun  # noqa: PLC0415 - needs the extra

    place = folder_to_fill(folder)
    with ExitStack() as open_runs:
        followed = [open_runs.enter_context(closing(FollowedRun(reader, run, place))) for run in chosen]
        written = 0
        while True:
            for one in followed:
                one.update()
            points, records = sum(one.points for one in followed), sum(one.records for one in followed)
            if report is not None and points + records > written:
                written = points + records
                report(written)
            if all(one.has_ended for one in followed) or stop.wait(_SECONDS_BETWEEN_LOOKS):
                return Exported(len(followed), points, records, (str(place),))


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
        folder: where to write environments; give it to `visdom -env_path`.
        env: the environment, in which {project}, {run} and {id} stand for those of each run; by default each
            run goes to that of its project.
        progress: called after each piece.

    Raises:
        RunNotFound: no run, or several, fit one of the texts.
        BadInput: no runs were named.
        ExportRefused: the server does not answer, or the folder cannot be written to.
    """
    chosen = [reader.find_run(text) for text in runs]
    from .sinks.visdom.sink import VisdomSink  # noqa: PLC0415 - only when it is used

    sink = VisdomSink(server=server, folder=folder, env=env, naming=reader.naming())
    return export_runs(reader, chosen, sink, progress)


def export_csv(
    reader: Reader, runs: Sequence[str], folder: str | Path, progress: Progress | None = None
) -> Exported:
    """Write runs as a dataset of CSV files: see trackers/sinks/dataset/sink.py for its folders and columns.

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
    from .sinks.dataset.csv_sink import CsvSink  # noqa: PLC0415 - only when it is used

    return export_runs(reader, chosen, CsvSink(folder, reader), progress)


def export_parquet(
    reader: Reader, runs: Sequence[str], folder: str | Path, progress: Progress | None = None
) -> Exported:
    """Write runs as a dataset of Parquet files; arguments and errors are those of `export_csv`."""
    chosen = [reader.find_run(text) for text in runs]
    from .sinks.dataset.parquet_sink import ParquetSink  # noqa: PLC0415 - loads pyarrow

    return export_runs(reader, chosen, ParquetSink(folder, reader), progress)
