"""Files of fixed size in which a journal lies: making, mapping and naming them.

A segment is a 64-byte header, a body, and the same header once more, for when a machine stopped before
the first page was on the disk. It carries the segment's mark, a random non-zero number. An entry counts
only when it ends with that mark, so neither zeros nor leftovers of another file are ever taken for data.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import StoreDamaged
from .os_files import create_to_write, open_to_write, read_at, write_all_at

HEADER_BYTES = 64
_HEADER = struct.Struct("<8sIIQ")
_VERSIONS = {b"STEPJRN1": 1, b"STEPJRN2": 2}
MAGIC = b"STEPJRN2"


class Header(NamedTuple):
    """What a segment says of itself."""

    mark: int
    end: int
    """Where its entries end."""
    version: int
    """1: without sums, ordinals and a second header."""


@dataclass(slots=True)
class Segment:
    """One file of a journal, for appending."""

    path: Path
    mark: int
    size: int
    descriptor: int

    @property
    def end(self) -> int:
        """Where its entries end."""
        return self.size - HEADER_BYTES

    def place(self, path: Path) -> None:
        """Give the file its final name. Raises OSError."""
        if sys.platform == "win32":
            # It renames no open file.
            self.close()
            self.path.replace(path)
            self.descriptor = open_to_write(path)
        else:
            self.path.replace(path)
        self.path = path

    def discard(self) -> None:
        """Close and remove a file that is not used."""
        self.close()
        _forget(self.path)

    def close(self) -> None:
        """Close the file."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


@dataclass(slots=True)
class MappedSegment:
    """One file of a journal, mapped for appending."""

    path: Path
    mark: int
    size: int
    buffer: mmap.mmap = field(repr=False)

    @property
    def end(self) -> int:
        """Where its slots end."""
        return self.size - HEADER_BYTES

    def place(self, path: Path) -> None:
        """Give the file its final name. Raises OSError."""
        self.path.replace(path)
        self.path = path

    def discard(self) -> None:
        """Unmap and remove a file that is not used."""
        self.close()
        _forget(self.path)

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


def create_segment(folder: Path, size: int, *, touch: bool) -> Segment:
    """Allocate a new file of `size` bytes under a name that no reader looks for.

    `touch` its pages wherever that keeps nobody waiting: a write into pages that are in memory takes
    two thirds of the time.

    Raises:
        OSError: when the disk is full or refuses.
    """
    return Segment(*_create(folder, size, zeros=touch))


def create_mapped(folder: Path, size: int, *, touch: bool) -> MappedSegment:
    """Allocate and map a new file of `size` bytes under a name that no reader looks for.

    The disk blocks are allocated first: writing through a mapping into a hole of a full disk ends
    the process with SIGBUS. `touch` its pages wherever that keeps nobody waiting, so that no log call
    has to.

    Raises:
        OSError: when the disk is full or refuses.
    """
    path, mark, size, descriptor = _create(folder, size, zeros=False)
    try:
        buffer = mmap.mmap(descriptor, size)
    except BaseException:
        _forget(path)
        raise
    finally:
        os.close(descriptor)
    if touch:
        # By numpy, which lets other threads run; MAP_POPULATE would not, nor make pages writable. The
        # bytes are padding of the header, and zeros.
        np.frombuffer(buffer, np.uint8)[HEADER_BYTES - 1 :: mmap.PAGESIZE] = 0
    return MappedSegment(path, mark, size, buffer)


def read_header(descriptor: int, path: Path) -> Header:
    """Return what an open segment file says of itself, at its begin or else at its end.

    Raises:
        StoreDamaged: when the file is not a segment.
    """
    first = read_at(descriptor, _HEADER.size, 0)
    last = read_at(descriptor, _HEADER.size, max(0, os.fstat(descriptor).st_size - HEADER_BYTES))
    for header in (first, last):
        if len(header) == _HEADER.size and header[:8] in _VERSIONS:
            magic, mark, _, size = _HEADER.unpack(header)
            version = _VERSIONS[magic]
            return Header(int(mark), int(size) - (HEADER_BYTES if version > 1 else 0), version)
    raise StoreDamaged(f"{path} is not a segment of a journal; it begins with {first[:8]!r}")


def _create(folder: Path, size: int, *, zeros: bool) -> tuple[Path, int, int, int]:
    path = folder / f"spare-{secrets.token_hex(8)}"
    mark = secrets.randbelow(0xFFFF_FFFF) + 1
    header = _HEADER.pack(MAGIC, mark, 0, size).ljust(HEADER_BYTES, b"\0")
    descriptor = create_to_write(path)
    try:
        _allocate(descriptor, size, zeros=zeros)
        write_all_at(descriptor, header, size - HEADER_BYTES)
        write_all_at(descriptor, header, 0)
    except BaseException:
        os.close(descriptor)
        _forget(path)
        raise
    return path, mark, size, descriptor


def _allocate(descriptor: int, size: int, *, zeros: bool) -> None:
    # macOS and Windows have no posix_fallocate: written zeros take the blocks as well.
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        if not zeros:
            return
    block = bytes(256 << 10)
    for start in range(0, size, len(block)):
        write_all_at(descriptor, block[: size - start], start)


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
