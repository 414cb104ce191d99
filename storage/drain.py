"""From a journal into the store, exactly once; and the recovery of journals whose owner is gone."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from .console_ring import read_ring
from .drain_batch import drop, make_batch
from .durable import sync
from .errors import RunNotFound, StoreDamaged, StoreError
from .journal import Journal, JournalInfo
from .journal_read import JournalReader, Position, SeriesDefinition
from .journal_salvage import SalvageReader
from .kinds import EVENT, RawValue
from .kinds.event import CONSOLE
from .model import Run, RunState
from .os_files import acquire_lock
from .schema import journals, runs
from .segments import list_segments
from .write import JournalCursor, Writer
from .write_artifacts import hashed
from .write_journal import Batch
from .write_series import NewRecord

_MOST_POINTS = 1 << 16
_MOST_BYTES = 4 << 20
_SEAL_SECONDS = 0.5
"""How long the end of a journal may spend on merging chunks."""
_DONE = ".done"
_RECOVERED = b"recovered"
"""What is in the lock's file once somebody else than the journal's own process has held it."""
_MOST_KEPT = 32 << 20
_SYNC_SECONDS = 5.0
"""What is stored stays in the journal until there is so much of it or so long ago: to delete it, the disk
has to confirm the store's own files first."""
_PARTS = re.compile(
    r"lock|under-way|console|journal\.json(\.new)?|(series|points|values)-\d+\.seg|spare-[0-9a-f]+"
)
"""The files of a journal."""


class Drain:
    """Moves one journal into the store, a bounded batch at a time."""

    def __init__(
        self, writer: Writer, folder: Path, journal: Journal | None = None, info: JournalInfo | None = None
    ) -> None:
        """Read from `folder`.

        `journal` is its appending side in this process: without it, nobody may append any more. `info`
        replaces what the journal says of itself.
        """
        self._writer = writer
        self._journal = journal
        self._reader = SalvageReader(folder) if journal is None else JournalReader(folder)
        self._info = self._reader.info() if info is None else info
        self._cursor: JournalCursor | None = None
        self._first = (Position(), Position())
        self.on_points: Callable[[NDArray[np.void], Mapping[int, SeriesDefinition]], object] | None = None
        """Called with the slots that were stored, and what their numbers mean."""
        self._synced = -math.inf
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

    def store_console(self) -> None:
        """Store what the process printed last, after it ended. Raises as `step` does."""
        found = read_ring(self._reader.folder)
        if found is None:
            return
        output, context = found
        cursor = self._cursor = self._cursor or self._open()
        batch = Batch(cursor.points_position, cursor.values_position)
        definition = SeriesDefinition(CONSOLE, EVENT.name, dict(context))
        facts = {"at": output.start, "end": output.end}
        # Whoever comes after a kill in between stores it again: what has the same place is shown once.
        encoded = EVENT.encode(RawValue(facts, output.data))
        batch.records.append(NewRecord(definition, 0, time.time(), encoded))
        self._writer.commit(cursor, batch)

    def remove(self) -> None:
        """Delete the journal's folder, after everything in it was stored.

        Raises:
            StoreError: the disk did not confirm what was stored; the folder stays.
        """
        self._seal()
        sync(self._writer.location)
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
        lost = self._reader.take_lost()
        if not len(slots) and not entries and not lost:
            return False
        # Read after the slots and entries: what they refer to was defined before they were written.
        definitions = self._reader.definitions()
        batch = make_batch(points_position, values_position, slots, entries, definitions)
        for reason, count in lost.items():
            drop(batch, reason, count)
        hashed(self._writer.location, cursor.run_id, batch)
        self._writer.commit(cursor, batch)
        if lost:
            self._reader.lost_is_stored()
        if self.on_points is not None and len(slots):
            self.on_points(slots, definitions)
        self.newest = max(self.newest, float(slots["time"].max(initial=0.0)), *(e.time for e in entries), 0.0)
        self._free(points_position, values_position)
        return True

    def _open(self) -> JournalCursor:
        info, folder = self._info, self._reader.folder
        run = None if info.run is None else Run.from_json(info.run)
        cursor = self._writer.open_journal(info.run_id, info.name, info.attempt, run)
        # A store that took the place of a lost one begins with what is still here.
        if cursor.points_position == cursor.values_position == Position():
            points, values = (min(list_segments(folder, lane), default=0) for lane in ("points", "values"))
            self._first = (Position(points), Position(values))
        if run is not None:
            # Now that the store has it: a run that is deleted there later must not come back.
            self._info = replace(info, run=None)
            with contextlib.suppress(OSError):
                self._info.save(folder)
        return cursor

    def _free(self, points: Position, values: Position) -> None:
        """Delete what is stored, once the disk has it."""
        size = self._reader.bytes_before(points, values)
        journal, now = self._journal, time.monotonic()
        short = journal is not None and journal.room.short
        if not size or not (short or size >= _MOST_KEPT or now >= self._synced + _SYNC_SECONDS):
            return
        sync(self._writer.location)
        self._synced = now
        self._reader.remove_before(points, values)
        if journal is not None:
            journal.room.give(size)


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
            with contextlib.suppress(OSError):
                # For those who ask whether the journal's own process lives.
                os.write(lock, _RECOVERED)
            with contextlib.suppress(StoreDamaged, LookupError, TypeError, ValueError, OSError):
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
        if info.run_id == run_id and info.main and _is_owned(folder) and not _is_recovered(folder):
            return info
    return None


def await_recovery(writer: Writer, run_id: str, seconds: float) -> None:
    """Wait until no other process is recovering a journal of this run any more, or time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        journals = [path for path in _folders(writer.location.spool) if path.name.startswith(f"{run_id}-")]
        if not any(_is_recovered(folder) and _is_owned(folder) for folder in journals):
            return
        time.sleep(0.02)


def _is_recovered(folder: Path) -> bool:
    try:
        return (folder / "lock").stat().st_size > 0
    except OSError:
        return False


def _is_owned(folder: Path) -> bool:
    try:
        os.close(acquire_lock(folder))
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        pass
    return False


def _folders(spool: Path) -> list[Path]:
    return [path for path in _inside(spool) if path.suffix != _DONE and _is_journal(path)]


def _is_journal(path: Path) -> bool:
    names = [part.name for part in _inside(path)]
    # The description may be what a machine that stopped left out.
    return "journal.json" in names or any(name.endswith(".seg") for name in names)


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _clean(spool: Path) -> None:
    """Remove what a kill left of journals that were being removed, or had not begun."""
    for path in _inside(spool):
        with contextlib.suppress(OSError):
            never_began = not _is_journal(path) and time.time() - path.stat().st_mtime > 60
            ours = all(_PARTS.fullmatch(part.name) for part in path.iterdir())
            if ours and (path.suffix == _DONE or never_began):
                shutil.rmtree(path)


def _recover(writer: Writer, folder: Path, go_on: Callable[[], bool]) -> list[str]:
    info = _describe(writer, folder)
    drain = Drain(writer, folder, info=info)
    # A run that was deleted takes its journal along.
    with contextlib.suppress(RunNotFound):
        drain.open()
        # Asked before, since storing what is left is a change of the run, too.
        alive_at = writer.last_change(info.run_id)
        left = True
        while left and go_on():
            left = drain.step()
        if not left:
            drain.store_console()
        if info.main:
            # Also when the rest comes later: then nobody could tell any more when it ended.
            ended_at = max(alive_at, drain.newest)
            writer.end_if_running(info.run_id, info.attempt, RunState.KILLED, ended_at)
        if left:
            return []
    drain.remove()
    return [info.run_id]


def _describe(writer: Writer, folder: Path) -> JournalInfo:
    """Return what a journal says of itself, or what its name and the store say of it.

    Raises:
        StoreDamaged: it is described in a way that this Stepscope does not know.
        RunNotFound: neither says which run it is of.
    """
    try:
        return JournalReader(folder).info()
    except StoreDamaged as error:
        # A small file is easily empty after the machine stopped, though the large ones are there.
        if not isinstance(error.__cause__, ValueError | FileNotFoundError):
            raise
        run_id = folder.name.rpartition("-")[0]
        return JournalInfo(run_id, _attempt_of(writer, run_id, folder.name), folder.name, "", 0, main=True)


def _attempt_of(writer: Writer, run_id: str, journal: str) -> int:
    """Return which attempt a journal is of; the run's newest if it is a new one. Raises RunNotFound."""
    known = sa.select(journals.c.attempt).where(journals.c.run_id == run_id, journals.c.name == journal)
    query = sa.select(sa.func.coalesce(known.scalar_subquery(), runs.c.attempt)).where(
        runs.c.run_id == run_id
    )
    found = writer.transact(lambda connection: connection.execute(query).scalar())
    if found is None:
        raise RunNotFound(f"there is no run {run_id!r} in {writer.location.display}")
    return int(found)
