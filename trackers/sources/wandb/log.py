"""The log that W&B writes for each run: records in the framing of LevelDB's logs.

After seven bytes that name the format come blocks of 32 KiB. A block holds frames, each of a checksum, a
length, a type and data, and zeros where no further frame fits. A record is one FULL frame, or a FIRST, some
MIDDLE and a LAST one. As every frame carries a checksum, what follows damaged bytes is found again by looking
for the next frame whose checksum is right.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

MAGIC = b":W&B\xe1\xbe\x00"
BLOCK_BYTES = 1 << 15

_HEADER = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_DAMAGE, _TAIL = -1, -2
_SEEDS = [zlib.crc32(bytes([kind])) for kind in range(_LAST + 1)]


class LogRecord(NamedTuple):
    """A record, or what stands in the place of one."""

    start: int
    end: int
    """Where the next record begins; where reading goes on later. Of an unfinished last one, its start."""
    data: bytes
    problem: str = ""
    """What is wrong with the bytes from start on; there are no data then."""
    is_tail: bool = False
    """Whether it is the unfinished last one: the rest of it may be still to come."""


class _Frame(NamedTuple):
    start: int
    end: int
    kind: int
    data: bytes


def read_log(path: Path, position: int = 0) -> Iterator[LogRecord]:
    """Yield the records from a position on, in their order, in the memory of one record.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if position == 0 and (begins := file.read(len(MAGIC))) != MAGIC[: len(begins)]:
            yield LogRecord(0, len(MAGIC), b"", f"{path} does not begin as W&B's logs do")
        yield from _records(_frames(file, max(position, len(MAGIC))), path)


def _records(frames: Iterator[_Frame], path: Path) -> Iterator[LogRecord]:
    pieces: list[bytes] = []
    start = 0
    for frame in frames:
        if pieces and frame.kind in (_FULL, _FIRST, _DAMAGE):
            yield LogRecord(start, frame.start, b"", f"{path}: the record at byte {start:,} has no end")
            pieces = []
        if frame.kind == _FULL:
            yield LogRecord(frame.start, frame.end, frame.data)
        elif frame.kind == _FIRST:
            pieces, start = [frame.data], frame.start
        elif frame.kind == _DAMAGE:
            place = f"{path}: bytes {frame.start:,} to {frame.end:,}"
            yield LogRecord(frame.start, frame.end, b"", f"{place} are damaged")
        elif frame.kind == _TAIL:
            begin = start if pieces else frame.start
            yield _tail(path, begin, frame.end)
            return
        elif pieces:  # what goes on without a beginning belongs to what is damaged
            pieces.append(frame.data)
            if frame.kind == _LAST:
                yield LogRecord(start, frame.end, b"".join(pieces))
                pieces = []
    if pieces:
        yield _tail(path, start, path.stat().st_size)


def _tail(path: Path, start: int, end: int) -> LogRecord:
    missing = f"its last {max(0, end - start):,} bytes are taken when the rest is there"
    return LogRecord(start, start, b"", f"{path} ends within a record: {missing}", is_tail=True)


def _frames(file: IO[bytes], at: int) -> Iterator[_Frame]:
    """Yield the frames from `at` on, _DAMAGE for what lies between them, _TAIL for a rest that is none."""
    while True:
        base = at - at % BLOCK_BYTES
        file.seek(base)
        block = file.read(BLOCK_BYTES)
        inside = at - base
        while (begin := _next_good(block, inside)) is not None:
            if begin > inside:
                yield _Frame(base + inside, base + begin, _DAMAGE, b"")
            _, size, kind = _HEADER.unpack_from(block, begin)
            data = begin + _HEADER.size
            inside = data + size
            yield _Frame(base + begin, base + inside, kind, block[data:inside])
        rest = len(block) - inside
        if len(block) < BLOCK_BYTES:
            if rest > 0:
                yield _Frame(base + inside, base + len(block), _TAIL, b"")
            return
        if rest >= _HEADER.size:
            yield _Frame(base + inside, base + BLOCK_BYTES, _DAMAGE, b"")
        at = base + BLOCK_BYTES


def _next_good(block: bytes, at: int) -> int | None:
    """Return where the next frame begins that is whole, at a place or after it."""
    for place in range(at, len(block) - _HEADER.size + 1):
        # The type alone rules most places out.
        if _FULL <= block[place + _HEADER.size - 1] <= _LAST and _is_good(block, place):
            return place
    return None


def _is_good(block: bytes, at: int) -> bool:
    checksum, size, kind = cast("tuple[int, int, int]", _HEADER.unpack_from(block, at))
    begin = at + _HEADER.size
    data = block[begin : begin + size]
    return len(data) == size and zlib.crc32(data, _SEEDS[kind]) == checksum
