"""The journal: where a log call puts a value, into a file that outlives the process.

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
import json
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
from pathlib import Path
from typing import Any

from .entries import EntryType
from .keeper import Keeper
from .lanes import Bytes, EntryLane, Room, SlotLane
from .model import Run
from .os_files import acquire_lock, after_fork_in_child, create_to_write, write_at
from .segments import MappedSegment, Segment

DEFAULT_LIMIT = 1 << 30
_POINTS_BYTES = 4 << 20
_VALUES_BYTES = 4 << 20
_SERIES_BYTES = 256 << 10
UNDER_WAY = struct.Struct("<Q")
UNDER_WAY_FILE = "under-way"
"""How many values are not here yet because they are still on a device: the end of the process loses them."""


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
        self._under_way = -1
        self._preparing = threading.Lock()
        self._keeper: Keeper | None = None
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._lock = _lock_new(self.folder)
            undo.callback(os.close, self._lock)
            # Recovery leaves a folder alone that does not say what it is.
            self.info.save(self.folder)
            self.series = self._entry_lane("series", _SERIES_BYTES)
            undo.callback(self.series.close)
            self.points = self._slot_lane("points", _POINTS_BYTES)
            undo.callback(self.points.close)
            self.values = self._entry_lane("values", _VALUES_BYTES)
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
        """Append one point. Raises JournalFull."""
        self.points.append(series, step, time, value)

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

    def tell_under_way(self, count: int) -> None:
        """Note how many values are still on a device, for whoever recovers this journal."""
        with contextlib.suppress(OSError):
            if self._under_way < 0:
                self._under_way = create_to_write(self.folder / UNDER_WAY_FILE)
            write_at(self._under_way, UNDER_WAY.pack(count), 0)

    def keep_ahead(self) -> None:
        """Begin to make segments ahead of their use, in a thread: making one may wait for the disk."""
        self._keeper = Keeper(self.prepare)

    def prepare(self) -> None:
        """Create segments ahead of their use, where it is time. Raises JournalFull."""
        with self._preparing:
            self.points.prepare()
            self.values.prepare()
            self.series.prepare()

    def close(self) -> None:
        """Close the segments and give up the lock; the folder stays for whoever drains it."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop()
        self.close_inherited()

    def close_inherited(self) -> None:
        """Close as `close` does, in a forked child, which has no other threads."""
        for lane in (self.series, self.points, self.values):
            lane.close()
        _open_journals.discard(self)
        descriptors, self._lock, self._under_way = (self._lock, self._under_way), -1, -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)

    def _keep(self, full: MappedSegment | Segment | None) -> None:
        if self._keeper is not None:
            self._keeper.wake(full)
        elif full is not None:
            full.close()

    def _entry_lane(self, name: str, segment_bytes: int) -> EntryLane:
        return EntryLane(self.folder, name, segment_bytes, self.room, self._keep)

    def _slot_lane(self, name: str, segment_bytes: int) -> SlotLane:
        return SlotLane(self.folder, name, segment_bytes, self.room, self._keep)


def _lock_new(folder: Path) -> int:
    # Somebody who looks for orphans may hold the lock for the moment it takes to see there is none.
    for _ in range(100):
        try:
            return acquire_lock(folder)
        except (BlockingIOError, PermissionError):
            time.sleep(0.01)
    return acquire_lock(folder)


_open_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _close_inherited() -> None:
    # A forked child that kept the descriptor would keep the lock after its parent died, and one that
    # kept the mapping would overwrite its parent's slots.
    for journal in list(_open_journals):
        journal.close_inherited()


after_fork_in_child(_close_inherited)
