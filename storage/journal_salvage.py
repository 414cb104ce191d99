"""Reading the journal of a process that is gone: past what the end of the machine left out.

When a machine stops, the pages of a file that had not reached the disk are zeros afterwards, in its middle
too; files end early, and some are missing. What lies behind such a hole is whole. Nobody appends any more,
so a hole is not something that is still to come.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .entries import ENTRY, SLOT
from .errors import StoreDamaged
from .journal import UNDER_WAY, UNDER_WAY_FILE
from .journal_read import DAMAGED, Entry, JournalReader, Position, entry_at, form_of, join_slots, slots_in
from .os_files import read_at
from .segments import HEADER_BYTES, MAGIC, Header, list_segments, read_header

ON_DEVICE = "still on a device when the process ended"
_BLOCK_BYTES = 1 << 20
_ORDINAL_BITS = 0xFFFF_FFFF
_NO_MARK = -1


class _Segment(NamedTuple):
    """One segment's file, opened where a reader stands."""

    descriptor: int
    header: Header
    start: Position
    following: int | None
    """The number of the next segment that is there."""

    def slots(self) -> NDArray[np.void]:
        """Return all slots from the start on, whole or not."""
        size = max(self.header.end - self.start.offset, 0)
        return slots_in(read_at(self.descriptor, size, self.start.offset))

    def slots_since(self, position: Position) -> int:
        """Return how many slots lie between a position and the start: those of segments that are gone."""
        gone = self.start.segment - position.segment
        each = (self.header.end - HEADER_BYTES) // SLOT.size
        return gone * each - (position.offset - HEADER_BYTES) // SLOT.size if gone else 0

    def next_entry(self, offset: int) -> tuple[Entry, int] | None:
        """Return the first whole entry from an offset on, and where it ends."""
        found = entry_at(self.descriptor, self.header, offset)
        while found is None:
            block = read_at(self.descriptor, _BLOCK_BYTES, offset)
            if len(block) < ENTRY.size:
                return None
            for start in self._marked(block, offset):
                found = found or entry_at(self.descriptor, self.header, start)
            offset += len(block) - ENTRY.size + 8
        return found

    def _marked(self, block: bytes, offset: int) -> list[int]:
        """Return where in the file an entry may begin: those whose mark is in the block."""
        form = form_of(self.header)
        words = np.frombuffer(block, "<u4", len(block) // 4)
        starts = (np.flatnonzero(words == self.header.mark) + 1) * 4 - form.size
        return [offset + start for start in starts.tolist() if start >= 0 and start % 8 == 0]


class SalvageReader(JournalReader):
    """Reads all that is whole in a journal, and counts what is not.

    What was lost at the very end is not counted: nobody knows whether there was more.
    """

    def __init__(self, folder: Path) -> None:
        """Remember the folder; nothing is read yet."""
        super().__init__(folder)
        self._lost = 0
        self._reached: dict[str, tuple[Position, int]] = {}
        """By lane: where the last reading ended, and the ordinal of the entry that comes there."""

    def take_lost(self) -> dict[str, int]:
        """Return how many values were missing in what was read since the last call, or still on a device."""
        lost, self._lost = self._lost, 0
        counts = {DAMAGED: lost, ON_DEVICE: self._under_way()}
        return {reason: count for reason, count in counts.items() if count}

    def lost_is_stored(self) -> None:
        """Count what was still on a device no more."""
        (self.folder / UNDER_WAY_FILE).unlink(missing_ok=True)

    def _under_way(self) -> int:
        try:
            data = (self.folder / UNDER_WAY_FILE).read_bytes()
        except OSError:
            return 0
        return int(UNDER_WAY.unpack(data)[0]) if len(data) == UNDER_WAY.size else 0

    def points(self, position: Position, most: int) -> tuple[NDArray[np.void], Position]:
        """Return slots from `position` on, a segment or more at once, and where they end."""
        parts: list[NDArray[np.void]] = []
        while most > 0:
            with self._segment("points", position) as segment:
                if segment is None:
                    break
                self._lost += segment.slots_since(position)
                slots, position = self._whole_slots(segment)
            parts.append(slots)
            most -= len(slots)
            if segment.following is None:
                break
        return join_slots(parts), position

    def _whole_slots(self, segment: _Segment) -> tuple[NDArray[np.void], Position]:
        slots, start = segment.slots(), segment.start
        whole = np.flatnonzero(slots["mark"] == segment.header.mark)
        # Without its header, nobody knows which are whole.
        seen = np.flatnonzero(slots["mark"]) if segment.header.mark == _NO_MARK else whole
        used = int(seen[-1]) + 1 if len(seen) else 0
        end = Position(start.segment, start.offset + used * SLOT.size)
        if segment.following is not None:
            # The next one was begun when this one was full.
            used, end = (segment.header.end - start.offset) // SLOT.size, Position(start.segment + 1)
        self._lost += used - len(whole)
        return slots[whole], end

    def _read_entries(self, lane: str, position: Position, most_bytes: int) -> tuple[list[Entry], Position]:
        expected = self._expected(lane, position)
        begun = position.offset > HEADER_BYTES
        while True:
            with self._segment(lane, position) as segment:
                if segment is None:
                    return [], position
                entries, end = _whole_entries(segment, most_bytes)
            if entries:
                # Without what came before, nobody knows how many are missing: one is.
                first = entries[0].ordinal - begun if expected is None else expected
                if lane == "values" and segment.header.version > 1:
                    self._lost += (entries[-1].ordinal + 1 - first - len(entries)) & _ORDINAL_BITS
                position = Position(segment.start.segment, end)
                self._reached[lane] = (position, entries[-1].ordinal + 1)
                return entries, position
            if segment.following is None:
                return [], position
            position = Position(segment.following)

    def _expected(self, lane: str, position: Position) -> int | None:
        """Return the ordinal of the entry at a position, None when that cannot be told."""
        reached, ordinal = self._reached.get(lane, (Position(), 0))
        if position == reached:
            return ordinal
        with self._segment(lane, Position(position.segment)) as segment:
            if segment is None or segment.start.segment != position.segment:
                return None
            ordinal, offset = -1, HEADER_BYTES
            while (found := segment.next_entry(offset)) and found[1] <= position.offset:
                ordinal, offset = found[0].ordinal, found[1]
        return ordinal + 1 if offset == position.offset > HEADER_BYTES else None

    @contextmanager
    def _segment(self, lane: str, position: Position) -> Generator[_Segment | None]:
        """Open the segment of a position, or the next one that is there."""
        numbers = [number for number in list_segments(self.folder, lane) if number >= position.segment]
        if not numbers:
            yield None
            return
        start = position if numbers[0] == position.segment else Position(numbers[0])
        with self._open(lane, start.segment) as descriptor:
            if descriptor is None:
                yield None
                return
            header = _header(descriptor, self._path(lane, start.segment))
            yield _Segment(descriptor, header, start, numbers[1] if len(numbers) > 1 else None)


def _header(descriptor: int, path: Path) -> Header:
    """Return the header of a segment, one that no entry fits to if the machine's end left it out.

    Raises:
        StoreDamaged: it is something else.
    """
    try:
        return read_header(descriptor, path)
    except StoreDamaged:
        # What a stop leaves of a header is zeros, or the beginning of one.
        begin = read_at(descriptor, HEADER_BYTES, 0)
        if any(begin) and not (len(begin) < HEADER_BYTES and begin[: len(MAGIC)] == MAGIC[: len(begin)]):
            raise
        # Those of numbers are all of one size.
        size = max(other.stat().st_size for other in path.parent.glob(f"{path.stem[:-8]}*.seg"))
        return Header(_NO_MARK, size - HEADER_BYTES, 2)


def _whole_entries(segment: _Segment, most_bytes: int) -> tuple[list[Entry], int]:
    entries: list[Entry] = []
    start = offset = segment.start.offset
    while offset - start < most_bytes:
        found = segment.next_entry(offset)
        if found is None:
            break
        entry, offset = found
        entries.append(entry)
    return entries, offset
