"""From a journal into the store, exactly once; and the recovery of journals whose owner is gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .chunks import Columns
from .entries import EntryType
from .errors import RunNotFound, StoreDamaged, StoreError
from .journal import Journal, JournalInfo
from .journal_read import Entry, JournalReader, Position, SeriesDefinition
from .kinds import KIND_OF, RawValue
from .model import Run, RunState
from .os_files import acquire_lock
from .segments import list_segments
from .write import Batch, JournalCursor, Writer
from .write_points import NewPoints
from .write_series import NewRecord

_MOST_POINTS = 1 << 18
_MOST_BYTES = 16 << 20
_SEAL_SECONDS = 0.5
"""How long the end of a journal may spend on merging chunks."""
_DONE = ".done"
_UNKNOWN = "the journal does not say what series it is"


class Drain:
    """Moves one journal into the store, a bounded batch at a time."""

    def __init__(self, writer: Writer, folder: Path, journal: Journal | None = None) -> None:
        """Read from `folder`; `journal` is its appending side, when that is in this process."""
        self._writer = writer
        self._journal = journal
        self._reader = JournalReader(folder)
        self._info = self._reader.info()
        self._cursor: JournalCursor | None = None
        self._first = (Position(), Position())
        self.newest = 0.0
        """The time of the newest value stored so far, in seconds since the epoch."""

    def open(self) -> None:
        """Enter the journal into the store, and its run if that is not there. Raises as `step` does."""
        if self._cursor is None:
            self._cursor = self._open()

    def step(self) -> bool:
        """Store one batch; return whether there was anything.

        Raises:
            StoreError: the store could not take it; nothing is lost, call again later.
            RunNotFound: the run was deleted.
        """
        try:
            return self._step()
        except BaseException:
            # What the cursor counted may not be what was committed: ask the store again.
            self._cursor = None
            raise

    def remove(self) -> None:
        """Delete the journal's folder, after everything in it was stored."""
        self._seal()
        folder = self._reader.folder
        # Renamed first: a kill in the middle then leaves something that is plainly rubbish, and nobody
        # who looks for orphans puts a lock into a folder that is being emptied.
        done = folder.with_name(folder.name + _DONE)
        with contextlib.suppress(OSError):
            folder.rename(done)
        for path in (done, folder):
            shutil.rmtree(path, ignore_errors=True)

    def _seal(self) -> None:
        # What is not merged now is merged by `stepscope compact`: it is slower to read, no more.
        with contextlib.suppress(StoreError):
            if self._cursor is not None:
                self._writer.seal(self._cursor.run_id, self._cursor.journal_no, _SEAL_SECONDS)

    def _step(self) -> bool:
        cursor = self._cursor = self._cursor or self._open()
        first_points, first_values = self._first
        slots, points_position = self._reader.points(max(cursor.points_position, first_points), _MOST_POINTS)
        entries, values_position = self._reader.values(max(cursor.values_position, first_values), _MOST_BYTES)
        if not len(slots) and not entries:
            return False
        # Read after the slots and entries: what they refer to was defined before they were written.
        definitions = self._reader.definitions()
        batch = Batch(points_position, values_position)
        _group_into(slots, definitions, batch)
        for entry in entries:
            _sort_in(entry, definitions, batch)
        self._writer.commit(cursor, batch)
        self.newest = max(self.newest, float(slots["time"].max(initial=0.0)), *(e.time for e in entries), 0.0)
        self._free(points_position, values_position)
        return True

    def _open(self) -> JournalCursor:
        info, folder = self._info, self._reader.folder
        run = None if info.run is None else Run.from_json(info.run)
        cursor = self._writer.open_journal(info.run_id, info.name, info.attempt, run)
        # A store that took the place of a lost one begins with what is still here.
        points, values = (min(list_segments(folder, lane), default=0) for lane in ("points", "values"))
        self._first = (Position(points), Position(values))
        if run is not None:
            # Now that the store has it: a run that is deleted there later must not come back.
            self._info = replace(info, run=None)
            with contextlib.suppress(OSError):
                self._info.save(folder)
        return cursor

    def _free(self, points: Position, values: Position) -> None:
        freed = self._reader.remove_before(points, values)
        if self._journal is not None:
            self._journal.room.give(freed)


def recover_orphans(writer: Writer, go_on: Callable[[], bool] = lambda: True) -> list[str]:
    """Store what dead processes left in their journals; return the ids of their runs.

    It is asked between two batches whether to `go_on`: there may be gigabytes.

    Safe to call from any number of processes at once: the journal's lock decides who does it. A
    journal that cannot be read is left where it is, for `stepscope verify`.

    Raises:
        StoreError: the store cannot be written now.
    """
    recovered: list[str] = []
    _clean(writer.location.spool)
    for folder in _folders(writer.location.spool):
        if not go_on():
            break
        try:
            lock = acquire_lock(folder)
        except OSError:
            continue
        try:
            with contextlib.suppress(StoreDamaged, LookupError, TypeError, ValueError):
                recovered += _recover(writer, folder, go_on)
        finally:
            os.close(lock)
    return recovered


def living_journal(writer: Writer, run_id: str) -> JournalInfo | None:
    """Return the journal that a living process writes for this run, if one does."""
    for folder in _folders(writer.location.spool):
        try:
            info = JournalReader(folder).info()
        except StoreDamaged:
            continue
        if info.run_id == run_id and info.main and _is_owned(folder):
            return info
    return None


def _is_owned(folder: Path) -> bool:
    try:
        os.close(acquire_lock(folder))
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        pass
    return False


def _folders(spool: Path) -> list[Path]:
    try:
        found = list(spool.iterdir())
    except FileNotFoundError:
        return []
    return [path for path in found if path.suffix != _DONE and (path / "journal.json").is_file()]


def _clean(spool: Path) -> None:
    """Remove what a kill left of journals that were being removed, or had not begun."""
    for path in spool.glob("*"):
        with contextlib.suppress(OSError):
            never_began = not (path / "journal.json").exists() and time.time() - path.stat().st_mtime > 60
            if path.suffix == _DONE or never_began:
                shutil.rmtree(path)


def _recover(writer: Writer, folder: Path, go_on: Callable[[], bool]) -> list[str]:
    info = JournalReader(folder).info()
    drain = Drain(writer, folder)
    # A run that was deleted takes its journal along.
    with contextlib.suppress(RunNotFound):
        drain.open()
        # Asked before, since storing what is left is a change of the run, too.
        alive_at = writer.last_change(info.run_id)
        left = True
        while left and go_on():
            left = drain.step()
        if info.main:
            # Also when the rest comes later: then nobody could tell any more when it ended.
            ended_at = max(alive_at, drain.newest)
            writer.end_if_running(info.run_id, info.attempt, RunState.KILLED, ended_at)
        if left:
            return []
    drain.remove()
    return [info.run_id]


def _group_into(slots: NDArray[np.void], definitions: dict[int, SeriesDefinition], batch: Batch) -> None:
    """Take the points of series that are known."""
    numbers = slots["series"]
    unknown = [number for number in np.unique(numbers).tolist() if number not in definitions]
    if unknown:
        lost = np.isin(numbers, unknown)
        _drop(batch, _UNKNOWN, int(lost.sum()))
        slots = slots[~lost]
    if len(slots):
        columns = Columns(*(np.ascontiguousarray(slots[name]) for name in ("step", "time", "value")))
        batch.points = NewPoints(np.ascontiguousarray(slots["series"]), columns, definitions)


def _sort_in(entry: Entry, definitions: dict[int, SeriesDefinition], batch: Batch) -> None:
    if entry.entry_type is EntryType.RUN:
        batch.changes.append(entry.meta)
    elif entry.entry_type is EntryType.DROPS:
        for reason, count in entry.meta.items():
            _drop(batch, reason, count)
    elif entry.entry_type is EntryType.VALUE:
        _encode_into(entry, definitions.get(entry.series), batch)


def _encode_into(entry: Entry, definition: SeriesDefinition | None, batch: Batch) -> None:
    kind = None if definition is None else KIND_OF.get(definition.kind)
    if definition is None or kind is None:
        _drop(batch, _UNKNOWN, 1)
        return
    try:
        encoded = kind.encode(RawValue(entry.meta, entry.data))
    except Exception as error:
        # Whatever it is: a value that is never stored must not keep back all that follow it.
        _drop(batch, f"{definition.kind} could not be encoded: {error}"[:200], 1)
        return
    batch.records.append(NewRecord(definition, entry.step, entry.time, encoded))


def _drop(batch: Batch, reason: str, count: int) -> None:
    batch.drops[reason] = batch.drops.get(reason, 0) + count
