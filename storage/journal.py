"""The journal: where a log call puts a value, by a copy into a memory-mapped file.

The page cache outlives the process, so what was appended survives SIGKILL. A journal is a folder
`<store>.spool/<run>-<random>/` with three lanes of segments:

    series   what each series number means; small, and read again from the start by whoever drains
    points   slots of 32 bytes: step i64, time f64, value f64, series u32, mark u32
    values   entries of any length: images, arrays, changes of the run

The mark is written last, so an entry that was cut short by a kill does not count. Whoever holds the
lock on the file `lock` owns the journal: the process that logs, or, once that is gone, the one that
recovers it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import platform
import secrets
import shutil
import struct
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import StepscopeError
from .model import Run
from .os_files import acquire_lock, after_fork_in_child
from .segments import HEADER_BYTES, Segment, create_segment, segment_path

SLOT = struct.Struct("<qddII")
ENTRY = struct.Struct("<QIIqdII")
"""Length of the data, length of the meta, series, step, time, entry type, mark."""

DEFAULT_LIMIT = 1 << 30
_REFUSAL_SECONDS = 0.1
"""How long a full disk is not asked again for a segment: asking takes longer than all else does."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_POINTS_BYTES = 4 << 20
_VALUES_BYTES = 4 << 20
_SERIES_BYTES = 256 << 10

Bytes = bytes | memoryview | NDArray[Any]


class EntryType(IntEnum):
    """What an entry of the lanes `series` and `values` is."""

    SERIES = 1
    VALUE = 2
    RUN = 3
    DROPS = 4


class JournalFull(StepscopeError):
    """The journal reached its limit, or the disk is full: the value was not taken."""

    reason = "the journal had no room"


@dataclass(frozen=True, slots=True)
class JournalInfo:
    """What a journal says of itself, in its file journal.json."""

    run_id: str
    attempt: int
    name: str
    """The folder's name; unique."""
    host: str
    pid: int
    main: bool
    """False for a forked child of the run's process: its end is not the run's end."""
    run: dict[str, Any] | None = None
    """The whole run (see model.Run.to_json) while it may be missing in the store: whoever stores
    this journal first creates it."""

    def save(self, folder: Path) -> None:
        """Write the file anew, at once or not at all. Raises OSError."""
        fresh = folder / "journal.json.new"
        fresh.write_text(json.dumps(asdict(self), default=str))
        fresh.replace(folder / "journal.json")


class Lane:
    """One row of segments that grows at its end."""

    def __init__(self, folder: Path, name: str, segment_bytes: int, room: Room) -> None:
        """Create the first segment. Raises OSError when the disk refuses."""
        self._folder = folder
        self.name = name
        self._segment_bytes = segment_bytes
        self._room = room
        self._spare: Segment | None = None
        self._refusal, self._refused_at = "", -math.inf
        self._number = 0
        self.segment = self._create(segment_bytes)
        self.segment.place(segment_path(folder, name, 0))
        self.position = HEADER_BYTES

    def prepare(self) -> None:
        """Create the next segment ahead of its use; called by the writer's thread.

        Only that thread sets the spare and only an appending thread takes it, so no lock is needed.
        """
        if self._spare is None and self.position > self.segment.size // 2:
            self._spare = self._create(self._segment_bytes)

    def advance(self, need: int) -> None:
        """Go on in a segment that has room for `need` bytes.

        Raises:
            JournalFull: at the journal's limit, or when the disk is full.
        """
        size = max(self._segment_bytes, HEADER_BYTES + need)
        fresh = self._spare
        if fresh is None or fresh.size < size:
            if time.monotonic() < self._refused_at + _REFUSAL_SECONDS:
                raise JournalFull(self._refusal)
            fresh = self._create(size)
        else:
            self._spare = None
        # An empty segment that is too small is replaced: readers wait at the first empty one.
        number = self._number + (self.position > HEADER_BYTES)
        fresh.place(segment_path(self._folder, self.name, number))
        full, replaced = self.segment, number == self._number
        self.segment, self.position, self._number = fresh, HEADER_BYTES, number
        full.close()
        if replaced:
            self._room.give(full.size)

    def append(
        self,
        entry_type: EntryType,
        series: int,
        step: int,
        time: float,
        meta: bytes,
        data: Bytes = b"",
    ) -> None:
        """Copy one entry into the lane, its mark last."""
        # Spaces are no change to JSON, and keep the data aligned for a fast copy.
        meta = meta.ljust(padded(len(meta)))
        meta_size = len(meta)
        size = data.nbytes if isinstance(data, np.ndarray | memoryview) else len(data)
        total = padded(ENTRY.size + meta_size + size)
        if self.position + total > self.segment.size:
            self.advance(total)
        buffer, start = self.segment.buffer, self.position
        after = start + ENTRY.size + meta_size
        buffer[start + ENTRY.size : after] = meta
        if not isinstance(data, np.ndarray):
            buffer[after : after + size] = data
        elif data.size:
            target = np.frombuffer(buffer, data.dtype, data.size, after).reshape(data.shape)
            np.copyto(target, data)
        mark = self.segment.mark
        # Moved first, with no call in between: signals are handled after a call, and Ctrl-C must leave
        # neither a hole nor an entry that is complete where the next one goes.
        self.position = start + total
        try:
            ENTRY.pack_into(buffer, start, size, meta_size, series, step, time, entry_type, mark)
        except struct.error:
            self.position = start
            raise

    def close(self) -> None:
        """Unmap everything."""
        self.segment.close()
        if self._spare is not None:
            self._spare.close()

    def _create(self, size: int) -> Segment:
        self._room.take(size)
        try:
            return create_segment(self._folder, size)
        except OSError as error:
            self._room.give(size)
            if error.errno in _NO_ROOM:
                self._refused_at = time.monotonic()
            self._refusal = (
                f"the journal in {self._folder} cannot grow by {size} bytes: {error.strerror}. "
                f"New values are dropped and counted until there is room."
            )
            raise JournalFull(self._refusal) from error


class Room:
    """How many bytes of segments may exist at once."""

    def __init__(self, limit: int) -> None:
        """Start with all of `limit` bytes free."""
        self._limit = limit
        self._used = 0
        self._extra = 0
        self._lock = threading.RLock()  # a signal handler may log while its own thread takes room

    def take(self, size: int) -> None:
        """Use `size` bytes. Raises JournalFull when fewer are left."""
        with self._lock:
            if self._used + size > self._limit + self._extra:
                raise JournalFull(
                    f"the journal reached its limit of {self._limit >> 20} MiB because the store "
                    f"does not keep up. New values are dropped and counted until there is room."
                )
            self._used += size

    def widen(self, size: int) -> None:
        """Allow `size` bytes beyond the limit: how a run ended must find room when its values do not."""
        with self._lock:
            self._extra = max(self._extra, size)

    def give(self, size: int) -> None:
        """Take back what a segment used, after it was removed."""
        with self._lock:
            self._used -= size


class Journal:
    """The appending side of one journal. Its caller holds a lock around every append."""

    def __init__(
        self,
        spool: Path,
        run_id: str,
        attempt: int,
        *,
        limit: int = DEFAULT_LIMIT,
        main: bool = True,
        run: Run | None = None,
    ) -> None:
        """Create a new journal under `spool` and own it.

        `main` is false in a forked child; `run` is given while the store may not have it yet.

        Raises:
            OSError: when the folder cannot be made.
            JournalFull: when the disk has no room for the first segments.
        """
        name = f"{run_id}-{secrets.token_hex(4)}"
        self.info = JournalInfo(
            run_id, attempt, name, platform.node(), os.getpid(), main, run and run.to_json()
        )
        self.room = Room(limit)
        self.folder = spool / name
        self.folder.mkdir(parents=True)
        self._series_count = 0
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._lock = _lock_new(self.folder)
            undo.callback(os.close, self._lock)
            # Recovery leaves a folder alone that does not say what it is.
            self.info.save(self.folder)
            self.series = self._new_lane("series", _SERIES_BYTES)
            undo.callback(self.series.close)
            self.points = self._new_lane("points", _POINTS_BYTES)
            undo.callback(self.points.close)
            self.values = self._new_lane("values", _VALUES_BYTES)
            undo.pop_all()
        _open_journals.add(self)

    def define_series(self, name: str, kind: str, context: Mapping[str, str | int]) -> int:
        """Give a number to a series; its slots and entries carry it."""
        number = self._series_count + 1
        meta = json.dumps({"name": name, "kind": kind, "context": dict(context)}).encode()
        self.series.append(EntryType.SERIES, number, 0, 0.0, meta)
        self._series_count = number
        return number

    def append_number(self, series: int, step: int, time: float, value: float) -> None:
        """Append one point. This is the path of every scalar: keep it short."""
        lane = self.points
        position = lane.position
        segment = lane.segment
        if position + 32 > segment.size:
            lane.advance(32)
            position, segment = lane.position, lane.segment
        lane.position = position + 32  # first, as in Lane.append
        try:
            SLOT.pack_into(segment.buffer, position, step, time, value, series, segment.mark)
        except struct.error:
            lane.position = position
            raise

    def append_value(self, series: int, step: int, time: float, meta: Mapping[str, Any], data: Bytes) -> None:
        """Append one value that is not a number, copied as it is now."""
        packed = json.dumps(meta).encode()
        self.values.append(EntryType.VALUE, series, step, time, packed, data)

    def append_run(self, time: float, change: Mapping[str, Any]) -> None:
        """Append a change of the run: config, summary, state and the like."""
        self.values.append(EntryType.RUN, 0, 0, time, json.dumps(change, default=str).encode())

    def append_drops(self, time: float, drops: Mapping[str, int]) -> None:
        """Append how many values were dropped for which reason since the last such entry."""
        self.values.append(EntryType.DROPS, 0, 0, time, json.dumps(dict(drops)).encode())

    def _new_lane(self, name: str, segment_bytes: int) -> Lane:
        return Lane(self.folder, name, segment_bytes, self.room)

    def prepare(self) -> None:
        """Create segments ahead of their use; called by the writer's thread."""
        self.points.prepare()
        self.values.prepare()

    def close(self) -> None:
        """Unmap the segments and give up the lock; the folder stays for whoever drains it."""
        for lane in (self.series, self.points, self.values):
            lane.close()
        _open_journals.discard(self)
        descriptor, self._lock = self._lock, -1
        if descriptor >= 0:
            os.close(descriptor)


def _lock_new(folder: Path) -> int:
    # Somebody who looks for orphans may hold the lock for the moment it takes to see there is none.
    for _ in range(100):
        try:
            return acquire_lock(folder)
        except (BlockingIOError, PermissionError):
            time.sleep(0.01)
    return acquire_lock(folder)


def padded(size: int) -> int:
    """Return the next multiple of 8."""
    return (size + 7) & ~7


_open_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _close_inherited() -> None:
    # A forked child that kept the descriptor would keep the lock after its parent died, and one that
    # kept the mapping would overwrite its parent's slots.
    for journal in list(_open_journals):
        journal.close()


after_fork_in_child(_close_inherited)
