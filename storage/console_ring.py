"""The newest console output of a process, in a file of a fixed size beside its journal.

Plain writes into the page cache: what was printed outlives the process, however it ends, and no amount of it
fills the disk. The writer's thread takes whole lines from it into the journal as long as there is room for
the beginning of the output; what is not taken is its end, which is stored when the process ended.

At the beginning of each line, and where the stream changes, stands a byte that says which
stream it is. Offsets count bytes from the first one on.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .model import Context
from .os_files import create_to_write, open_to_read, read_at, write_all_at

FILE = "console"
STDOUT, STDERR = b"\x01", b"\x02"
RING_BYTES = 256 << 10
HEAD_BYTES = 1 << 20
_PIECE_BYTES = 4 << 10
"""What is written at once: so much of the oldest may be torn when the process is killed."""
_HEADER = struct.Struct("<8sQQ")
_HEADER_BYTES = 1024
_MAGIC = b"stepcon1"


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of console output."""

    start: int
    """Its offset."""
    data: bytes

    @property
    def end(self) -> int:
        """The offset of what follows."""
        return self.start + len(self.data)


class ConsoleRing:
    """The writing side. Its caller holds a lock around every call."""

    def __init__(self, folder: Path, context: Mapping[str, str | int]) -> None:
        """Create the file. Raises OSError."""
        self._descriptor = create_to_write(folder / FILE)
        self._total = self._taken = self._line = 0
        self._stream = b""
        words = json.dumps(dict(context)).encode()
        write_all_at(self._descriptor, words[: _HEADER_BYTES - _HEADER.size], _HEADER.size)
        self._save()

    def append(self, stream: bytes, text: str) -> None:
        """Add what was printed without line feeds at other places than its end. Raises OSError."""
        data = text.encode("utf-8", "replace")
        if stream != self._stream or self._total == self._line:
            self._stream, data = stream, stream + data
        for start in range(0, len(data), _PIECE_BYTES):
            piece = data[start : start + _PIECE_BYTES]
            at = self._total % RING_BYTES
            write_all_at(self._descriptor, piece[: RING_BYTES - at], _HEADER_BYTES + at)
            if at + len(piece) > RING_BYTES:
                write_all_at(self._descriptor, piece[RING_BYTES - at :], _HEADER_BYTES)
            self._total += len(piece)
            self._save()
        if text.endswith("\n") or self._total - self._line > RING_BYTES // 4:
            self._line = self._total

    def begin_line_again(self) -> None:
        """Forget the line that is being written: a progress bar draws it anew."""
        self._total = self._line

    def untaken(self, *, whole: bool) -> Output | None:
        """Return lines that belong to the beginning that is kept; all that is left if `whole`."""
        if whole:
            return _untaken(self._descriptor, self._total, self._taken, self._total)
        if self._taken >= min(self._line, HEAD_BYTES):
            return None
        # All of it, where the writer's thread came too late and the oldest is overwritten already.
        found = _untaken(self._descriptor, self._line, self._taken, self._total)
        return None if found is None or found.start >= HEAD_BYTES else found

    def take(self, end: int) -> None:
        """Note that all before an offset is in the journal. Raises OSError."""
        self._taken = max(self._taken, end)
        self._save()

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be taken that more would overwrite it."""
        return self._taken < HEAD_BYTES and self._total - self._taken > RING_BYTES // 2

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _save(self) -> None:
        write_all_at(self._descriptor, _HEADER.pack(_MAGIC, self._total, self._taken), 0)


def read_ring(folder: Path) -> tuple[Output, Context] | None:
    """Return what a process printed that is not in its journal, and its context; None without any."""
    try:
        descriptor = open_to_read(folder / FILE)
    except OSError:
        return None
    try:
        header = read_at(descriptor, _HEADER_BYTES, 0)
        if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
            return None
        _, total, taken = _HEADER.unpack_from(header)
        found = _untaken(descriptor, total, taken, total)
    finally:
        os.close(descriptor)
    context: Context = {}
    with contextlib.suppress(ValueError):
        context = json.loads(header[_HEADER.size :].rstrip(b"\0"))
    return None if found is None else (found, context)


def _untaken(descriptor: int, end: int, taken: int, total: int) -> Output | None:
    oldest = total - RING_BYTES + _PIECE_BYTES
    start = max(taken, oldest)
    data = _read(descriptor, start, end) if start < end else b""
    if start > taken:
        # From the first whole line on.
        cut = data.find(b"\n") + 1
        start, data = start + cut, data[cut:]
    return Output(start, data) if data else None


def _read(descriptor: int, start: int, end: int) -> bytes:
    at, size = start % RING_BYTES, end - start
    first = read_at(descriptor, min(size, RING_BYTES - at), _HEADER_BYTES + at)
    return first + read_at(descriptor, size - len(first), _HEADER_BYTES) if len(first) < size else first
