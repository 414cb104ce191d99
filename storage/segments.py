"""Files of fixed size in which a journal lies: making, mapping and naming them.

A segment is a 64-byte header and a body. The header carries the segment's mark, a random non-zero
number. An entry counts only when it ends with that mark, so neither zeros nor leftovers of another
file are ever taken for data.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import StoreDamaged
from .os_files import read_at

HEADER_BYTES = 64
_HEADER = struct.Struct("<8sIIQ")
_MAGIC = b"STEPJRN1"


@dataclass(slots=True)
class Segment:
    """One mapped file, open for appending."""

    path: Path
    mark: int
    size: int
    buffer: mmap.mmap

    def place(self, path: Path) -> None:
        """Give the file its final name."""
        self.path.rename(path)
        self.path = path

    def close(self) -> None:
        """Unmap. Views of the buffer must be gone, else it stays mapped until they are."""
        with contextlib.suppress(BufferError):
            self.buffer.close()


def segment_path(folder: Path, lane: str, number: int) -> Path:
    """Name the file of one segment."""
    return folder / f"{lane}-{number:08d}.seg"


def list_segments(folder: Path, lane: str) -> list[int]:
    """Return the numbers of the segments that exist, ascending."""
    return sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob(f"{lane}-*.seg"))


def create_segment(folder: Path, size: int) -> Segment:
    """Allocate, prefault and map a new segment of `size` bytes, under a name that no reader looks for.

    The disk blocks are allocated first: writing through a mapping into a hole of a full disk ends
    the process with SIGBUS. The pages are touched here so that no log call has to.

    Raises:
        OSError: when the disk is full or refuses.
    """
    path = folder / f"spare-{secrets.token_hex(8)}"
    mark = new_mark()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _allocate(descriptor, size)
        os.pwrite(descriptor, segment_header(mark, size), 0)
        buffer = _map(descriptor, size)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    finally:
        os.close(descriptor)
    return Segment(path, mark, size, buffer)


def segment_header(mark: int, size: int) -> bytes:
    """Return the first HEADER_BYTES of a segment."""
    return _HEADER.pack(_MAGIC, mark, 0, size).ljust(HEADER_BYTES, b"\0")


def new_mark() -> int:
    """Return a random mark that is not zero."""
    return secrets.randbelow(0xFFFF_FFFF) + 1


def read_header(descriptor: int, path: Path) -> tuple[int, int]:
    """Return the mark and the full size of an open segment file.

    Raises:
        StoreDamaged: when the file is not a segment.
    """
    header = read_at(descriptor, _HEADER.size, 0)
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise StoreDamaged(f"{path} is not a segment of a journal; it begins with {header[:8]!r}")
    _, mark, _, size = _HEADER.unpack(header)
    return int(mark), int(size)


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    # macOS has no posix_fallocate: written zeros take the blocks as well.
    block = bytes(1 << 20)
    for start in range(0, size, len(block)):
        os.pwrite(descriptor, block[: size - start], start)


def _map(descriptor: int, size: int) -> mmap.mmap:
    flags = mmap.MAP_SHARED
    if sys.platform == "linux":
        flags |= mmap.MAP_POPULATE
    return mmap.mmap(descriptor, size, flags=flags)
