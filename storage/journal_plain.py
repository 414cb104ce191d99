"""The journal by plain file writes, for Windows: the same folder and entries, no memory maps.

Windows neither renames nor deletes a file that is mapped. A write of a few bytes costs some
microseconds where a copy into a map costs a third of one; it survives the process just as well.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import numpy as np

from .journal import DEFAULT_LIMIT, ENTRY, SLOT, Bytes, EntryType, Journal, JournalFull, Lane, Room, padded
from .model import Run
from .segments import HEADER_BYTES, new_mark, segment_header, segment_path


class PlainLane(Lane):
    """One row of files that grow by writes. A segment's size says when the next one begins."""

    def __init__(self, folder: Path, name: str, segment_bytes: int, room: Room) -> None:
        self._folder = folder
        self.name = name
        self._segment_bytes = segment_bytes
        self._room = room
        self._number = -1
        self._descriptor = -1
        self.advance(0)

    def prepare(self) -> None:
        """Nothing is prepared: files grow as they are written."""

    def advance(self, need: int) -> None:
        """Go on in a new file that has room for `need` bytes. Raises JournalFull."""
        size = max(self._segment_bytes, HEADER_BYTES + need)
        self._room.take(size)
        path = segment_path(self._folder, self.name, self._number + 1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_BINARY", 0)
        mark = new_mark()
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            self._room.give(size)
            raise self._full(error.strerror) from error
        try:
            _write_all(descriptor, segment_header(mark, size), 0)
        except OSError as error:
            self._room.give(size)
            os.close(descriptor)
            raise self._full(error.strerror) from error
        self.close()
        self._descriptor, self._number = descriptor, self._number + 1
        self.mark, self.size, self.position = mark, size, HEADER_BYTES

    def append(
        self,
        entry_type: EntryType,
        series: int,
        step: int,
        time: float,
        meta: bytes,
        data: Bytes = b"",
    ) -> None:
        """Write one entry, at once: a reader takes it only when all of it is there."""
        meta = meta.ljust(padded(len(meta)))
        body = np.ascontiguousarray(data).tobytes() if isinstance(data, np.ndarray) else bytes(data)
        total = padded(ENTRY.size + len(meta) + len(body))
        if self.position + total > self.size:
            self.advance(total)
        head = ENTRY.pack(len(body), len(meta), series, step, time, entry_type, self.mark)
        self.write((head + meta + body).ljust(total, b"\0"))

    def write(self, data: bytes) -> None:
        """Write bytes at the end, or nothing. Raises JournalFull when the disk refuses."""
        try:
            _write_all(self._descriptor, data, self.position)
        except OSError as error:
            raise self._full(error.strerror) from error
        self.position += len(data)

    def _full(self, reason: str | None) -> JournalFull:
        return JournalFull(
            f"the journal in {self._folder} cannot grow: {reason}. "
            f"New values are dropped and counted until there is room."
        )

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _write_all(descriptor: int, data: bytes, end: int) -> None:
    """Write all of `data` at the end of a file of `end` bytes, or leave it as it was. Raises OSError."""
    written = os.write(descriptor, data)
    if written < len(data):
        os.ftruncate(descriptor, end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class PlainJournal(Journal):
    """A journal of plain files."""

    points: PlainLane

    def append_number(self, series: int, step: int, time: float, value: float) -> None:
        """Append one point."""
        lane = self.points
        if lane.position + SLOT.size > lane.size:
            lane.advance(SLOT.size)
        lane.write(SLOT.pack(step, time, value, series, lane.mark))

    def _new_lane(self, name: str, segment_bytes: int) -> Lane:
        return PlainLane(self.folder, name, segment_bytes, self.room)


def create_journal(
    spool: Path,
    run_id: str,
    attempt: int,
    *,
    limit: int = DEFAULT_LIMIT,
    main: bool = True,
    run: Run | None = None,
) -> Journal:
    """Create the journal that suits this operating system (see Journal)."""
    kind = PlainJournal if sys.platform == "win32" else Journal
    return kind(spool, run_id, attempt, limit=limit, main=main, run=run)
