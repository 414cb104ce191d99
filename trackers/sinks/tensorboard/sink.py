"""Event files for TensorBoard, one folder for each run, through TensorBoard's own protos.

What changes on the way: numbers become float32, the only form in which TensorBoard keeps scalars. Videos
become GIFs, and figures pictures, among the images; tables become text; captions have no place. Embeddings
lie in files of their own, which the projector reads. What these forms lose lies beside them, where no page of
TensorBoard shows it (see sidecar.py). What a newer attempt replaced is not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from ....storage.model import Points, Record, Run, Series
from ....storage.read import Reader
from ..files import AtomicFile, folder_to_fill
from .events import RunEvents, Write
from .layout import layout_of_runs
from .names import run_name
from .projector import ProjectorFiles, remove_projector
from .sidecar import RunFacts, facts_of

STATE = ".stepscope-follow"
"""The folder in a run's where an export that follows the run keeps how far it has come."""


class TensorBoardSink:
    """Writes `<folder>/<name>-<run_id>/events.out.tfevents...`, each run whole or not at all.

    Series with a split lie in a folder within, as a sub-run. The files' name follows from the run, so
    exporting a run again replaces them and doubles no point. A TensorBoard that is showing the folder keeps
    the old files until it is started again.
    """

    name: ClassVar[str] = "TensorBoard"
    carries: ClassVar[frozenset[str]] = frozenset(
        {"scalar", "histogram", "image", "audio", "text", "video", "figure", "table"}
        | {"pr_curve", "embedding", "mesh", "hparams", "graph"}
    )
    declines: ClassVar[Mapping[str, str]] = {}
    point_limit: int | None = None
    record_limit: int | None = None

    def __init__(self, folder: str | Path, reader: Reader | None = None) -> None:
        """Take the folder that is to be TensorBoard's --logdir; it is made when it is needed.

        Args:
            folder: the place.
            reader: where environment, attempts and descriptions of the runs are read; without one, they are
                left out.

        Raises:
            ExportRefused: there is a file of that name.
        """
        self._folder = folder_to_fill(folder)
        self._reader = reader
        self._layout: Any = None
        self._open: _OpenRun | None = None

    def start(self, runs: Sequence[Run]) -> None:
        """Plan the charts of the custom scalars, the same for all runs: TensorBoard joins them."""
        if self._reader is not None:
            self._layout = layout_of_runs(self._reader, [run.run_id for run in runs])

    def open_run(self, run: Run, series: Sequence[Series]) -> None:
        """Begin the run's event files."""
        facts = RunFacts(run) if self._reader is None else facts_of(self._reader, run)
        self._open = _OpenRun(self._folder / run_name(run), facts, series)

    def write_points(self, series: Series, points: Points) -> None:
        """Write numbers as float32."""
        self._run.events.add_points(series, points)

    def write_record(self, series: Series, record: Record, value: Any) -> None:
        """Write a value of any kind but a scalar."""
        self._run.add_record(series, record, value)

    def close_run(self) -> None:
        """Write the hyperparameters and how the run ended, and move the files to their place."""
        run = self._run.run
        self._run.events.write_layout(self._layout)
        self._run.commit()
        self._open = None
        self._remove_older_names(run)

    def finish(self) -> tuple[str, ...]:
        """Return the folder."""
        return (str(self._folder),)

    def discard(self) -> None:
        """Remove the half-written files of the run that is open."""
        if self._open is not None:
            self._open.discard()
            self._open = None

    @property
    def _run(self) -> _OpenRun:
        if self._open is None:
            raise RuntimeError("open_run comes before data and close_run")
        return self._open

    def _remove_older_names(self, run: Run) -> None:
        """Remove what was exported under another name: TensorBoard would show a renamed run twice."""
        current = self._folder / run_name(run)
        for folder in self._folder.glob(f"*{run.run_id}"):
            if folder != current:
                remove_run(folder, run)


class _OpenRun:
    """A run that is being written: its event files, and those of the projector."""

    def __init__(self, folder: Path, facts: RunFacts, series: Sequence[Series]) -> None:
        self.run = facts.run
        self._folder = folder
        self._files: list[AtomicFile] = []
        self._projectors: dict[str, ProjectorFiles] = {}
        try:
            self.events = RunEvents(facts, self._open_file)
            self.events.place(series)
            self.events.add_events(facts.events)
        except BaseException:
            self.discard()
            raise

    def add_record(self, series: Series, record: Record, value: Any) -> None:
        self.events.add_record(series, record, value)
        if series.kind == "embedding":
            place = self.events.place_of(series)
            projector = self._projectors.setdefault(
                place.sub_run, ProjectorFiles(self._folder / place.sub_run)
            )
            projector.add(place.tag, record.step, value)

    def commit(self) -> None:
        self.events.flush()
        self.events.write_start()
        self.events.write_end(self.run)
        for projector in self._projectors.values():
            projector.commit()
        # An export that followed the run cannot go on in other files than its own.
        (self._folder / STATE / "state.json").unlink(missing_ok=True)
        for file in self._files:
            file.commit()

    def discard(self) -> None:
        for projector in self._projectors.values():
            projector.discard()
        for file in self._files:
            file.discard()

    def _open_file(self, sub_run: str) -> tuple[Write, bool]:
        file = AtomicFile(self._folder / sub_run / file_name(self.run))
        self._files.append(file)
        return file.write, True


def file_name(run: Run) -> str:
    """Return the name of the run's event file, and of those of its sub-runs."""
    return f"events.out.tfevents.{int(run.created_at):010d}.stepscope.{run.run_id}"


def remove_run(folder: Path, run: Run) -> None:
    """Remove what an export wrote of a run; a folder in which something else lies stays."""
    for path in [*folder.glob(f"*/{file_name(run)}"), *folder.glob(file_name(run))]:
        with suppress(OSError):
            path.unlink()
            remove_projector(path.parent)
            path.parent.rmdir()  # fails, as it should, when something else lies in it
