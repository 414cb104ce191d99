"""Event files for TensorBoard, one folder for each run, through TensorBoard's own protos and record writer.

What changes on the way: numbers become float32, the only form in which TensorBoard keeps scalars;
captions of images are lost and those of sounds not shown, since TensorBoard has no place for them. Videos
become GIFs, and figures pictures, among the images; tables become text. Embeddings lie in files of their
own, which the projector reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...storage.errors import ExportRefused
from ...storage.kinds import KINDS
from ...storage.kinds.hparams import HParamsData
from ...storage.model import Points, Record, Run, Series
from .files import AtomicFile, safe_name
from .tensorboard_hparams import session_end, session_start
from .tensorboard_projector import ProjectorFiles, remove_projector
from .tensorboard_protos import event_pb2, record_writer
from .tensorboard_values import graph_def, summary_values

_VERSION = "brain.Event:2"


class TensorBoardSink:
    """Writes `<folder>/<name>-<run_id>/events.out.tfevents...`, each run whole or not at all.

    The file's name follows from the run, so exporting a run again replaces the file and doubles no
    point. A TensorBoard that is showing the folder keeps the old file until it is started again.
    """

    name: ClassVar[str] = "TensorBoard"
    carries: ClassVar[frozenset[str]] = frozenset(
        {"scalar", "histogram", "image", "audio", "text", "video", "figure", "table"}
        | {"pr_curve", "embedding", "mesh", "hparams", "graph"}
    )
    declines: ClassVar[Mapping[str, str]] = {}
    point_limit: int | None = None
    record_limit: int | None = None

    def __init__(self, folder: str | Path) -> None:
        """Take the folder that is to be TensorBoard's --logdir; it is made when it is needed.

        Raises:
            ExportRefused: there is a file of that name.
        """
        self._folder = Path(folder)
        if self._folder.exists() and not self._folder.is_dir():
            raise ExportRefused(
                f"expected a folder to export to, but {self._folder} is a file. Name another one."
            )
        self._open: _EventFile | None = None

    def start(self, runs: Sequence[Run]) -> None:
        """Nothing to prepare: each run is a folder of its own."""

    def open_run(self, run: Run, series: Sequence[Series]) -> None:
        """Begin the run's event file."""
        self._open = _EventFile(self._path_of(run), run, series)

    def write_points(self, series: Series, points: Points) -> None:
        """Write numbers as float32."""
        self._file.add_scalars(series, points)

    def write_record(self, series: Series, record: Record, value: Any) -> None:
        """Write a value of any kind but a scalar."""
        self._file.add_record(series, record, value)

    def close_run(self) -> None:
        """Write the hyperparameters and how the run ended, and move the files to their place."""
        file = self._file
        file.add_summary(session_start(file.run, file.hparams), file.run.created_at)
        end = session_end(file.run)
        if end is not None:
            file.add_summary(end, file.run.created_at + file.run.duration)
        file.commit()
        self._open = None
        self._remove_older_names(file.run)

    def finish(self) -> tuple[str, ...]:
        """Return the folder."""
        return (str(self._folder),)

    def discard(self) -> None:
        """Remove the half-written file of the run that is open."""
        if self._open is not None:
            self._open.discard()
            self._open = None

    @property
    def _file(self) -> _EventFile:
        if self._open is None:
            raise RuntimeError("open_run comes before data and close_run")
        return self._open

    def _path_of(self, run: Run) -> Path:
        name = safe_name(run.name)
        return self._folder / f"{name}-{run.run_id}".lstrip("-") / _file_name(run)

    def _remove_older_names(self, run: Run) -> None:
        """Remove what was exported under another name: TensorBoard would show a renamed run twice."""
        current = self._path_of(run)
        for path in self._folder.glob(f"*{run.run_id}/{_file_name(run)}"):
            if path != current:
                with suppress(OSError):
                    path.unlink()
                    remove_projector(path.parent)
                    path.parent.rmdir()  # fails, as it should, when something else lies in it


class _EventFile:
    """One event file: events in, framed records out."""

    def __init__(self, path: Path, run: Run, series: Sequence[Series]) -> None:
        self.run = run
        self.hparams: dict[str, Any] = {}
        self._file = AtomicFile(path)
        self._projector = ProjectorFiles(path.parent)
        self._write = record_writer.RecordWriter(self._file).write
        self._tags = _tags(series)
        self._described: set[int] = set()
        source = event_pb2.SourceMetadata(writer="stepscope")
        first = event_pb2.Event(wall_time=run.created_at, file_version=_VERSION, source_metadata=source)
        self._write(first.SerializeToString())

    def add_scalars(self, series: Series, points: Points) -> None:
        event = event_pb2.Event()
        value = event.summary.value.add(tag=self._tags[series.series_id])
        write = self._write
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
            numbers = points.last.astype(np.float32)
        columns = (points.time.tolist(), points.step.tolist(), numbers.tolist())
        for time, step, number in zip(*columns, strict=True):
            # One message is filled again and again: making a new one costs more than writing it.
            event.wall_time, event.step, value.simple_value = time, step, number
            write(event.SerializeToString())

    def add_record(self, series: Series, record: Record, value: Any) -> None:
        tag = self._tags[series.series_id]
        event = event_pb2.Event(wall_time=record.time, step=record.step)
        if series.kind == "embedding":
            self._projector.add(tag, record.step, value)
            return
        if series.kind == "hparams":
            self._add_hparams(event, value)
        elif series.kind == "graph":
            event.graph_def = graph_def(value).SerializeToString()
        else:
            described = series.series_id in self._described
            self._described.add(series.series_id)
            event.summary.value.extend(summary_values(series.kind, tag, value, described))
        self._write(event.SerializeToString())

    def _add_hparams(self, event: Any, value: HParamsData) -> None:
        """Keep hyperparameters for the end of the run; write metrics that are no series of the run."""
        self.hparams.update(value.values)
        for name, number in value.metrics.items():
            if name not in self._tags.values():
                event.summary.value.add(tag=name, simple_value=number)

    def add_summary(self, value: Any, wall_time: float) -> None:
        event = event_pb2.Event(wall_time=wall_time)
        event.summary.value.append(value)
        self._write(event.SerializeToString())

    def commit(self) -> None:
        self._projector.commit()
        self._file.commit()

    def discard(self) -> None:
        self._projector.discard()
        self._file.discard()


def _file_name(run: Run) -> str:
    return f"events.out.tfevents.{int(run.created_at):010d}.stepscope.{run.run_id}"


def _tags(series: Sequence[Series]) -> dict[int, str]:
    """Return a tag for each series. TensorBoard gives a tag one kind only: the first keeps the name."""
    tags: dict[int, str] = {}
    taken: set[str] = set()
    rank = {kind.name: place for place, kind in enumerate(KINDS)}
    for one in sorted(series, key=lambda one: rank[one.kind]):
        tag = one.label
        tag = f"{tag} ({one.kind})" if tag in taken else tag
        taken.add(tag)
        tags[one.series_id] = tag
    return tags
