"""An export that grows with its run: what is new is appended, and a TensorBoard that runs shows it.

When a newer attempt replaces steps, or steps go back, the file says that it starts again from that step
(SessionLog.START), and all that counts from there on is written once more: TensorBoard forgets what it had.
How far the export has come lies beside it in a hidden file, so that it can go on after it was stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import UnidentifiedImageError

from ....storage.errors import ExportRefused, StoreDamaged
from ....storage.events import Event
from ....storage.model import Run, RunState, Series
from ....storage.news import News, news_of
from ....storage.os_files import acquire_lock
from ....storage.read import Reader
from ...sources.store import StoreSource
from ..files import AtomicFile, cannot_write
from .events import RunEvents, Write
from .growing import GrowingFile
from .layout import layout_of_runs
from .names import Place, run_name
from .projector import ProjectorFiles
from .sidecar import facts_of
from .sink import STATE, file_name

_NOT_SHOWN = (StoreDamaged, UnidentifiedImageError, OverflowError, ValueError)
"""What TensorBoard's form of a broken value raises."""


@dataclass(slots=True)
class _Followed:
    """How far a series has come."""

    sub_run: str
    tag: str
    seen: Mapping[int, int] = field(default_factory=dict[int, int])
    """Journal -> how many of its values."""
    last_step: int | None = None
    """The largest step that was written."""


@dataclass(slots=True)
class _State:
    """What the hidden file holds."""

    export: str
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    """Sub-run -> how long its file is."""
    series: dict[int, _Followed] = field(default_factory=dict[int, _Followed])
    hparams: dict[str, Any] = field(default_factory=dict[str, Any])
    events: int = 0
    """How many events of the run were written."""


class FollowedRun:
    """A run and its growing event files."""

    def __init__(self, reader: Reader, run: Run, folder: Path) -> None:
        """Go on where an earlier one stopped, or begin.

        Args:
            reader: of the store.
            run: its name now is that of its folder for good.
            folder: TensorBoard's --logdir.

        Raises:
            ExportRefused: the folder cannot be written to, or another process follows the run into it.
        """
        self.points, self.records = 0, 0
        self.has_ended: bool = False
        self._reader = reader
        self._source = StoreSource(reader)
        self._run = run
        self._folder = folder / run_name(run)
        self._lock = _locked(self._folder / STATE)
        self._files: dict[str, GrowingFile] = {}
        self._counts: dict[int, int] = {}
        known = self._known_state()
        self._goes_on = known is not None
        places = {key: Place(one.sub_run, one.tag) for key, one in known.series.items()} if known else {}
        self._facts = facts_of(reader, run)
        self._sizes = dict(known.sizes) if known else {}
        export = known.export if known else ""
        self._events = RunEvents(self._facts, self._open_file, can_restart=True, export=export, known=places)
        self._state = known or _State(self._events.export)
        self._events.hparams.update(self._state.hparams)
        self._is_new = known is None
        # At once, so that no reader comes upon the half of a record at an end.
        for sub_run in self._sizes:
            self._events.open(sub_run)

    def update(self) -> None:
        """Write what is new. Raises StoreError, ExportRefused."""
        # The run first: what it logged before it ended is then there.
        run = self._reader.run(self._run.run_id)
        series = self._reader.series(run.run_id)
        changed = [one for one in series if one.count != self._counts.get(one.series_id, 0)]
        has_ended = run.state is not RunState.RUNNING
        if not changed and not self._is_new and has_ended == self.has_ended:
            return
        self._events.place(series)
        by_sub_run: dict[str, list[Series]] = {}
        for one in series:
            by_sub_run.setdefault(self._followed(one).sub_run, []).append(one)
        for sub_run, ours in by_sub_run.items():
            self._update_file(run, sub_run, ours, {one.series_id for one in changed})
        self._write_about(run, has_ended=has_ended)
        self._counts = {one.series_id: one.count for one in series}
        self._save()
        self.has_ended, self._is_new = has_ended, False

    def close(self) -> None:
        """Close the files. Never raises."""
        for file in self._files.values():
            file.close()
        with suppress(OSError):
            os.close(self._lock)

    def _update_file(self, run: Run, sub_run: str, series: Sequence[Series], changed: set[int]) -> None:
        news = {one.series_id: self._news(one) for one in series if one.series_id in changed}
        found = {key: new for key, new in news.items() if new is not None}
        if not found:
            return
        step = self._restart_step(sub_run, found)
        if step is not None:
            self._events.restart(sub_run, step, run.updated_at)
        for one in series:
            self._write(one, found.get(one.series_id), step)
        if step is not None and not sub_run:
            # Readers forget what describes the run, too, which stands at step 0.
            self._write_beginning()
        embeddings = [one for one in series if one.kind == "embedding"]
        if any(one.series_id in found for one in embeddings):
            self._write_projector(sub_run, embeddings)

    def _news(self, series: Series) -> News | None:
        return news_of(self._reader, series, self._followed(series).seen)

    def _restart_step(self, sub_run: str, found: Mapping[int, News]) -> int | None:
        """Return from which step on the file has to say it all again, None when it only goes on."""
        self._events.open(sub_run)
        file = self._files[sub_run]
        # What a killed process wrote and did not note is among what is new.
        unsure, file.has_more = file.has_more, False
        last_of = {key: self._state.series[key].last_step for key in found}
        steps = [
            new.first_step
            for key, new in found.items()
            if unsure or ((last := last_of[key]) is not None and new.first_step <= last)
        ]
        return min(steps, default=None)

    def _write(self, series: Series, new: News | None, restart: int | None) -> None:
        """Write a series from its first new step on, or from where the file starts again."""
        state = self._followed(series)
        last = state.last_step
        again = restart if restart is not None and last is not None and last >= restart else None
        starts = [step for step in (again, None if new is None else new.first_step) if step is not None]
        if not starts:
            return
        ends = [step for step in (last, None if new is None else new.last_step) if step is not None]
        first, end = min(starts), max(ends)
        if series.kind == "scalar":
            for points in self._source.points_between(series, first, end):
                self._events.add_points(series, points)
                self.points += len(points)
        else:
            for record, value in self._source.records_between(series, first, end):
                self._add_record(series, record, value)
        self._events.flush()
        state.last_step = end
        if new is not None:
            state.seen = new.seen

    def _add_record(self, series: Series, record: Any, value: Any) -> None:
        # What cannot be shown has its original in the file.
        with suppress(*_NOT_SHOWN):
            self._events.add_record(series, record, value)
        self.records += 1

    def _write_projector(self, sub_run: str, embeddings: Sequence[Series]) -> None:
        """Write all embeddings anew: the projector's config names them all."""
        projector = ProjectorFiles(self._folder / sub_run)
        try:
            for series in embeddings:
                for record, value in self._source.records(series, None):
                    projector.add(self._followed(series).tag, record.step, value)
            projector.commit()
        except BaseException:
            projector.discard()
            raise

    def _write_about(self, run: Run, *, has_ended: bool) -> None:
        """Write what is not in series: the beginning, events, the end."""
        facts = facts_of(self._reader, run)
        self._events.add_events(self._new_events(facts.events))
        if self._is_new:
            self._write_beginning()
        if has_ended and not self.has_ended:
            self._events.write_facts(facts)
            self._write_beginning()
            self._events.write_end(run)

    def _write_beginning(self) -> None:
        self._events.write_start()
        self._events.write_layout(layout_of_runs(self._reader, [self._run.run_id]))

    def _new_events(self, events: Sequence[Event]) -> Sequence[Event]:
        new = events[self._state.events :]
        self._state.events = len(events)
        return new

    def _followed(self, series: Series) -> _Followed:
        state = self._state.series
        if series.series_id not in state:
            place = self._events.place_of(series)
            state[series.series_id] = _Followed(place.sub_run, place.tag)
        return state[series.series_id]

    def _open_file(self, sub_run: str) -> tuple[Write, bool]:
        path = self._folder / sub_run / file_name(self._run)
        size = self._sizes.get(sub_run)
        if size is None and self._goes_on and path.exists():
            # Begun by a process that was killed before it could note it; readers have it open.
            size = 0
        file = GrowingFile(path, size)
        self._files[sub_run] = file
        return file.write, size is None

    def _known_state(self) -> _State | None:
        """Return how far an earlier process came, None when its files are not there or others by now."""
        try:
            state = _state_of(json.loads((self._folder / STATE / "state.json").read_text()))
            files = {sub: self._folder / sub / file_name(self._run) for sub in state.sizes}
            whole = all(files[sub].stat().st_size >= size for sub, size in state.sizes.items())
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return state if whole else None

    def _save(self) -> None:
        """Let readers see what was written, then note how far that is."""
        for sub_run, file in self._files.items():
            file.flush()
            self._sizes[sub_run] = file.size
        self._state.sizes = dict(self._sizes)
        self._state.hparams = self._events.hparams
        note = AtomicFile(self._folder / STATE / "state.json")
        note.write(json.dumps(asdict(self._state)).encode())
        note.commit()


def _state_of(found: dict[str, Any]) -> _State:
    """Return what `asdict` and JSON made of a state."""
    series: dict[str, dict[str, Any]] = found.pop("series")
    state = _State(**found)
    for key, one in series.items():
        seen: dict[str, int] = one.pop("seen")
        numbers = {int(journal): count for journal, count in seen.items()}
        state.series[int(key)] = _Followed(seen=numbers, **one)
    return state


def _locked(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return acquire_lock(folder)
    except BlockingIOError as error:
        raise ExportRefused(
            f"expected to be the only one that follows a run into {folder.parent}, but another process does. "
            "Stop that, or choose another folder."
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
