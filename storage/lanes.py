"""The rows of segments in which a journal grows: numbers into mapped files, all else by plain writes.

A copy into a map costs a number a third of a microsecond, where a write costs two. Large values are
the other way round: writing a million numbers costs less than touching the pages of a fresh map, which
would stay in the process besides, and a disk that is full is an error and not the end of the process.

The next segment is made ahead, by the journal's keeper: making one may wait for the disk.
"""

from __future__ import annotations

import errno
import math
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from .entries import ENTRY, SLOT, EntryType, Head, body_sum, padded
from .errors import StepscopeError
from .os_files import write_all_at, write_at
from .segments import HEADER_BYTES, MappedSegment, Segment, create_mapped, create_segment, segment_path

Bytes: TypeAlias = bytes | memoryview | NDArray[Any]
Keep: TypeAlias = Callable[[MappedSegment | Segment | None], None]
"""Asks for the next segment; closes the one that is given, which is full."""

S = TypeVar("S", Segment, MappedSegment)

_SLOT_BYTES = SLOT.size
_pack_slot = SLOT.pack_into
_AT_ONCE = 64 << 10
"""Up to so many bytes, meta and data are joined: a copy of them costs less than one more write."""
_REFUSAL_SECONDS = 0.1
"""How long a full disk is not asked again for a segment: asking takes longer than all else does."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EROFS)


class JournalFull(StepscopeError):
    """The journal reached its limit, or the disk is full: the value was not taken."""

    reason = "the journal had no room"


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

    @property
    def short(self) -> bool:
        """Whether more than half of the limit is used."""
        return self._used > self._limit // 2

    def widen(self, size: int) -> None:
        """Allow `size` bytes beyond the limit: how a run ended must find room when its values do not."""
        with self._lock:
            self._extra = max(self._extra, size)

    def give(self, size: int) -> None:
        """Take back what a segment used, after it was removed."""
        with self._lock:
            self._used -= size


class Lane(ABC, Generic[S]):
    """One row of segments that grows at its end."""

    # Slots make the path of a number a tenth shorter.
    __slots__ = (
        "_folder", "_keep", "_name", "_number", "_refusal", "_refused_at", "_room", "_segment",
        "_segment_bytes", "_spare", "position",
    )  # fmt: skip

    def __init__(self, folder: Path, name: str, segment_bytes: int, room: Room, keep: Keep) -> None:
        """Create the first segment. Raises JournalFull when the disk refuses."""
        self._folder = folder
        self._name = name
        self._segment_bytes = segment_bytes
        self._room = room
        self._keep = keep
        self._spare: S | None = None
        self._refusal, self._refused_at = "", -math.inf
        self._number = self.position = 0
        self._segment = self._create(segment_bytes, ahead=True)
        self._place(self._segment, 0)
        self.position = HEADER_BYTES

    def prepare(self) -> None:
        """Create the next segment ahead of its use; not for the appending threads.

        Only one thread sets the spare at a time and only an appending one takes it: no lock is needed.

        Raises:
            JournalFull: at the journal's limit, or when the disk is full.
        """
        # What is made ahead must not take the room of what a log call needs now.
        if self._spare is None and self.position > self._segment.size // 2 and not self._room.short:
            self._spare = self._create(self._segment_bytes, ahead=True)

    def close(self) -> None:
        """Close the files."""
        self._segment.close()
        if self._spare is not None:
            self._spare.close()

    def _advance(self, need: int = 0) -> None:
        """Go on in a segment that has room for `need` bytes."""
        size = max(self._segment_bytes, need + 2 * HEADER_BYTES)
        fresh = self._spare
        if fresh is None or fresh.size < size:
            if monotonic() < self._refused_at + _REFUSAL_SECONDS:
                raise JournalFull(self._refusal)
            fresh = self._create(size, ahead=False)
        # An empty segment that is too small is replaced: readers wait at the first empty one.
        number = self._number + (self.position > HEADER_BYTES)
        self._place(fresh, number)
        full, replaced = self._segment, number == self._number
        if fresh is self._spare:
            self._spare = None
        self._segment, self._number, self.position = fresh, number, HEADER_BYTES
        self._keep(full)
        if replaced:
            self._room.give(full.size)

    def _create(self, size: int, *, ahead: bool) -> S:
        self._room.take(size)
        try:
            return self._create_file(size, ahead=ahead)
        except BaseException as error:
            self._room.give(size)
            raise self._said(error, size) from error

    @abstractmethod
    def _create_file(self, size: int, *, ahead: bool) -> S:
        """Make a file of the lane's kind."""

    def _place(self, segment: S, number: int) -> None:
        try:
            segment.place(segment_path(self._folder, self._name, number))
        except BaseException as error:
            if segment is self._spare:
                self._spare = None
            segment.discard()
            self._room.give(segment.size)
            raise self._said(error, segment.size) from error

    def _said(self, error: BaseException, size: int) -> BaseException:
        """Return what to raise for an error of the system, and remember that the disk is full."""
        if not isinstance(error, OSError):
            return error
        if error.errno in _NO_ROOM:
            self._refused_at = monotonic()
        self._refusal = (
            f"the journal in {self._folder} cannot grow by {size} bytes: {error.strerror}. "
            f"New values are dropped and counted until there is room."
        )
        return JournalFull(self._refusal)


class EntryLane(Lane[Segment]):
    """Entries of any length, by plain writes."""

    _count = 0
    _asked = False

    def append(
        self,
        entry_type: EntryType,
        series: int,
        step: int,
        time: float,
        meta: bytes,
        data: Bytes = b"",
    ) -> None:
        """Write one entry; its head, which ends with the mark, comes last.

        Raises:
            JournalFull: at the journal's limit, or when the disk is full.
        """
        # Spaces are no change to JSON, and keep the data aligned.
        meta = meta.ljust(padded(len(meta)))
        body = as_bytes(data)
        total = padded(ENTRY.size + len(meta) + len(body))
        if self.position + total > self._segment.end:
            self._advance(total)
            self._asked = False
        sums = body_sum(meta, body)
        head = Head(len(body), len(meta), series, step, time, entry_type, self._count, sums)
        packed = head.pack(self._segment.mark)
        start, descriptor = self.position, self._segment.descriptor
        try:
            _write_body(descriptor, meta, body, start + ENTRY.size)
            # Moved first, with no call in between: signals are handled after a call, and Ctrl-C must
            # leave neither a hole nor an entry that is complete where the next one goes.
            self.position = start + total
            self._count = (self._count + 1) & 0xFFFF_FFFF
            write_at(descriptor, packed, start)
        except OSError as error:
            self.position, self._count = start, head.ordinal
            raise self._said(error, total) from error
        if not self._asked and self.position > self._segment.size // 2:
            self._asked = True
            self._keep(None)

    def _create_file(self, size: int, *, ahead: bool) -> Segment:
        # Not the first one: most runs have only few values.
        return create_segment(self._folder, size, touch=ahead and self.position > 0)


class SlotLane(Lane[MappedSegment]):
    """Numbers, by a copy into mapped files. This is the path of every scalar: keep it short."""

    __slots__ = ("_buffer", "_last", "_mark")

    def __init__(self, folder: Path, name: str, segment_bytes: int, room: Room, keep: Keep) -> None:
        """Create the first segment. Raises JournalFull when the disk refuses."""
        super().__init__(folder, name, segment_bytes, room, keep)
        segment = self._segment
        self._buffer, self._mark, self._last = segment.buffer, segment.mark, segment.size // 2

    @property
    def advancing(self) -> bool:
        """Whether the segment is being changed: a signal handler that logs now gets no slot."""
        return self._last < 0

    def append(self, series: int, step: int, time: float, value: float) -> None:
        """Put one number into a slot.

        Raises:
            JournalFull: at the journal's limit, or when the disk is full.
        """
        position = self.position
        if position > self._last:
            self._go_on()
            position = self.position
        self.position = position + _SLOT_BYTES  # first, as in EntryLane.append
        try:
            _pack_slot(self._buffer, position, step, time, value, series, self._mark)
        except struct.error:
            self.position = position
            raise

    def append_floats(
        self, values: Mapping[str, Any], series: Mapping[str, int], step: int, time: float
    ) -> list[str]:
        """Put the floats among `values` whose names are in `series` into slots.

        Returns:
            The names of the others, and of those for which there was no room: `append` says why.
        """
        rest: list[str] = []
        for name, value in values.items():
            # As in `append`, without a call for each: that would cost a third more.
            if type(value) is float and name in series:
                position = self.position
                if position <= self._last or self._can_go_on():
                    position = self.position
                    self.position = position + _SLOT_BYTES
                    _pack_slot(self._buffer, position, step, time, value, series[name], self._mark)
                    continue
            rest.append(name)
        return rest

    def _can_go_on(self) -> bool:
        try:
            self._go_on()
        except JournalFull:
            return False
        return True

    def _go_on(self) -> None:
        """Make room for a slot, in the middle of a segment and at its end."""
        if self.advancing:
            raise JournalFull("the journal is being changed by the call that this one interrupted")
        last = self._segment.end - _SLOT_BYTES
        if self.position <= last:
            self._last = last
            self._keep(None)
            return
        self._last = -1
        try:
            self._advance()
        finally:
            # Without a call: Ctrl-C would come in between. Up to the middle at first, see above.
            segment = self._segment
            self._buffer, self._mark, self._last = segment.buffer, segment.mark, segment.size // 2

    def _create_file(self, size: int, *, ahead: bool) -> MappedSegment:
        return create_mapped(self._folder, size, touch=ahead)


def as_bytes(data: Bytes) -> bytes | memoryview:
    """Return data as it lies in memory; copied only if it does not lie there in one piece."""
    if isinstance(data, np.ndarray):
        return np.ascontiguousarray(data).reshape(-1).view(np.uint8).data
    return data


def _write_body(descriptor: int, meta: bytes, body: bytes | memoryview, at: int) -> None:
    if len(body) <= _AT_ONCE:
        write_all_at(descriptor, meta + body, at)
    else:
        write_all_at(descriptor, meta, at)
        write_all_at(descriptor, body, at + len(meta))
