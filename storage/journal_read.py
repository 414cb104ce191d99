"""The reading side of a journal: used by the writer's thread and by whoever recovers.

It reads files and takes no part in the appending side's mapping, so it may run in any process.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .entries import ENTRY, ENTRY_1, SLOT, EntryType, Head, body_sum, padded, unpack_head
from .errors import StoreDamaged
from .journal import JournalInfo
from .os_files import open_to_read, read_at
from .segments import HEADER_BYTES, Header, list_segments, read_header, segment_path

SLOT_TYPE = np.dtype([("step", "<i8"), ("time", "<f8"), ("value", "<f8"), ("series", "<u4"), ("mark", "<u4")])
DAMAGED = "damaged in the journal"
"""What values are counted under that the machine's end left out."""
_BLOCK_SLOTS = 4096


class Position(NamedTuple):
    """Where in a lane the reader stands."""

    segment: int = 0
    offset: int = HEADER_BYTES


@dataclass(frozen=True, slots=True)
class SeriesDefinition:
    """What a series number of a journal means."""

    name: str
    kind: str
    context: dict[str, str | int]


class Entry(NamedTuple):
    """One entry of the values lane."""

    entry_type: EntryType
    series: int
    step: int
    time: float
    meta: dict[str, Any]
    data: bytes
    ordinal: int = 0
    """See entries.Head; 0 in journals of version 1."""


class JournalReader:
    """Reads one journal's folder."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; nothing is read yet."""
        self.folder = folder
        self._definitions: dict[int, SeriesDefinition] = {}
        self._series_position = Position()

    def info(self) -> JournalInfo:
        """Return what the journal says of itself. Raises StoreDamaged."""
        path = self.folder / "journal.json"
        try:
            return JournalInfo(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise StoreDamaged(f"{path} does not describe a journal: {error}") from error

    def definitions(self) -> dict[int, SeriesDefinition]:
        """Return all series defined so far, by number."""
        while True:
            entries, self._series_position = self._read_entries("series", self._series_position, 1 << 20)
            if not entries:
                return self._definitions
            for entry in entries:
                if entry.entry_type is EntryType.SERIES:
                    self._definitions[entry.series] = SeriesDefinition(**entry.meta)

    def points(self, position: Position, most: int) -> tuple[NDArray[np.void], Position]:
        """Return up to `most` slots from `position` on (dtype SLOT_TYPE), and where they end."""
        parts: list[NDArray[np.void]] = []
        wanted = most
        while wanted > 0:
            slots, position, moved = self._slots_of_segment(position, wanted)
            if len(slots):
                parts.append(slots)
                wanted -= len(slots)
            if not moved:
                break
        return join_slots(parts), position

    def values(self, position: Position, most_bytes: int) -> tuple[list[Entry], Position]:
        """Return entries of the values lane, at least one if there is one, and where they end."""
        return self._read_entries("values", position, most_bytes)

    def take_lost(self) -> dict[str, int]:
        """Return why how much is missing in what was read: nothing, as long as somebody appends."""
        return {}

    def lost_is_stored(self) -> None:
        """Take note that what `take_lost` returned is in the store."""

    def bytes_before(self, points: Position, values: Position) -> int:
        """Return the size of the segments that lie before these positions."""
        return sum(path.stat().st_size for path in self._before(points, values))

    def remove_before(self, points: Position, values: Position) -> int:
        """Delete the segments that lie before these positions; return the bytes set free."""
        freed = 0
        for path in self._before(points, values):
            freed += path.stat().st_size
            path.unlink()
        return freed

    def _before(self, points: Position, values: Position) -> list[Path]:
        return [
            self._path(lane, number)
            for lane, position in (("points", points), ("values", values))
            for number in list_segments(self.folder, lane)
            if number < position.segment
        ]

    def _slots_of_segment(self, position: Position, most: int) -> tuple[NDArray[np.void], Position, bool]:
        """Return slots, the new position, and whether the reader moved on to the next segment."""
        with self._open("points", position.segment) as descriptor:
            if descriptor is None:
                return np.empty(0, SLOT_TYPE), position, False
            mark, last, _ = read_header(descriptor, self._path("points", position.segment))
            slots = _valid_slots(descriptor, mark, position.offset, most)
        end = position.offset + len(slots) * SLOT.size
        if end + SLOT.size <= last:
            return slots, Position(position.segment, end), False
        return slots, Position(position.segment + 1), True

    def _read_entries(self, lane: str, position: Position, most_bytes: int) -> tuple[list[Entry], Position]:
        entries, end = self._entries_of_segment(lane, position, most_bytes)
        if entries or not self._has_entry(lane, Position(position.segment + 1)):
            return entries, end
        # The writer has gone on, but it may have filled this segment after it was read above.
        entries, end = self._entries_of_segment(lane, position, most_bytes)
        if entries:
            return entries, end
        return self._entries_of_segment(lane, Position(position.segment + 1), most_bytes)

    def _has_entry(self, lane: str, position: Position) -> bool:
        return bool(self._entries_of_segment(lane, position, 1)[0])

    def _entries_of_segment(
        self, lane: str, position: Position, most_bytes: int
    ) -> tuple[list[Entry], Position]:
        entries: list[Entry] = []
        offset = position.offset
        with self._open(lane, position.segment) as descriptor:
            if descriptor is None:
                return entries, position
            header = read_header(descriptor, self._path(lane, position.segment))
            while offset - position.offset < most_bytes:
                found = entry_at(descriptor, header, offset)
                if found is None:
                    break
                entry, offset = found
                entries.append(entry)
        return entries, Position(position.segment, offset)

    def _path(self, lane: str, number: int) -> Path:
        return segment_path(self.folder, lane, number)

    @contextmanager
    def _open(self, lane: str, number: int) -> Generator[int | None]:
        try:
            descriptor = open_to_read(self._path(lane, number))
        except FileNotFoundError:
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _valid_slots(descriptor: int, mark: int, offset: int, most: int) -> NDArray[np.void]:
    parts: list[NDArray[np.void]] = []
    while most > 0:
        block = min(most, _BLOCK_SLOTS) * SLOT.size
        slots = slots_in(read_at(descriptor, block, offset))
        invalid = np.flatnonzero(slots["mark"] != mark)
        count = int(invalid[0]) if len(invalid) else len(slots)
        # Read again now that the marks are known to be there: a slot that was written during the first
        # reading may have been seen with its mark but without its value.
        valid = slots_in(read_at(descriptor, count * SLOT.size, offset))
        parts.append(valid)
        offset += len(valid) * SLOT.size
        most -= len(valid)
        if len(valid) < _BLOCK_SLOTS:
            break
    return join_slots(parts)


def join_slots(parts: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Return slots one after the other."""
    # As bytes: numpy compares the fields of structured types in Python, which takes longer than the copy.
    return parts[0] if len(parts) == 1 else slots_in(b"".join(part.tobytes() for part in parts))


def slots_in(data: bytes) -> NDArray[np.void]:
    """Return the slots that lie in these bytes, the last one only if it is complete."""
    return np.frombuffer(data, SLOT_TYPE, len(data) // SLOT.size)


def form_of(header: Header) -> struct.Struct:
    """Return the form of what an entry of this segment begins with. It ends with the mark."""
    return ENTRY if header.version > 1 else ENTRY_1


def entry_at(descriptor: int, header: Header, offset: int) -> tuple[Entry, int] | None:
    """Return the entry that begins at an offset, and where it ends; None when none does."""
    form = form_of(header)
    # Twice for the reason that _valid_slots gives.
    if _head_at(descriptor, header, offset) is None or not (head := _head_at(descriptor, header, offset)):
        return None
    at = offset + form.size
    meta = read_at(descriptor, head.meta_size, at)
    data = read_at(descriptor, head.size, at + head.meta_size)
    entry = _checked(head, meta, data, header.version)
    return entry, offset + padded(form.size + head.meta_size + head.size)


def _head_at(descriptor: int, header: Header, offset: int) -> Head | None:
    if header.version > 1:
        return unpack_head(read_at(descriptor, ENTRY.size, offset), header.mark)
    data = read_at(descriptor, ENTRY_1.size, offset)
    if len(data) < ENTRY_1.size or ENTRY_1.unpack(data)[-1] != header.mark:
        return None
    return Head(*ENTRY_1.unpack(data)[:-1], ordinal=0, body_sum=0)


def _checked(head: Head, meta: bytes, data: bytes, version: int) -> Entry:
    whole = len(meta) == head.meta_size and len(data) == head.size
    if whole and (version == 1 or body_sum(meta, data) == head.body_sum):
        with contextlib.suppress(ValueError):
            entry_type = EntryType(head.entry_type)
            return Entry(entry_type, head.series, head.step, head.time, json.loads(meta), data, head.ordinal)
    # Its head is there and the rest is not: the machine stopped before all of it was on the disk.
    return Entry(EntryType.DROPS, 0, 0, head.time, {DAMAGED: 1}, b"", head.ordinal)
