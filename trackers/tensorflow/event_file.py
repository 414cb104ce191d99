"""Event files that a TensorFlow writer is still writing, read as they grow.

A file is a sequence of records: a length in 8 bytes and its checksum in 4, the data and its checksum in 4.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import tensorflow

tf: Any = tensorflow  # its types say little

_HEAD, _TAIL = struct.Struct("<QI"), 4
_READ_BYTES = 4 << 20
_FREE_BYTES = 1 << 20
_KEEP_SIZE_AND_PUNCH_HOLE = 0x03  # of Linux' fallocate


class EventFolder:
    """The event files of one writer, known by the end of their names."""

    def __init__(self, folder: Path, suffix: str, *, keep: bool) -> None:
        """Follow the files in `folder` whose names end in `suffix`; what was read is freed unless `keep`."""
        self._folder, self._suffix, self._keep = folder, suffix, keep
        self._files: dict[str, _GrowingFile] = {}

    def events(self) -> Iterator[Any]:
        """Yield the events that came since the last call, as tf.compat.v1.Event."""
        for name in sorted(os.listdir(self._folder)):
            if name.endswith(self._suffix) and name not in self._files:
                self._files[name] = _GrowingFile(self._folder / name, keep=self._keep)
        for file in self._files.values():
            for record in file.records():
                yield tf.compat.v1.Event.FromString(record)

    def close(self) -> None:
        """Read no more."""
        for file in self._files.values():
            file.close()
        self._files.clear()


class _GrowingFile:
    def __init__(self, path: Path, *, keep: bool) -> None:
        self._keep = keep
        self._file: BinaryIO = path.open("rb" if keep else "r+b", buffering=0)
        self._rest = b""
        self._read = self._freed = 0
        if not keep:
            # The writer goes on into a file without a name, of which nothing is left when the process ends.
            with contextlib.suppress(OSError):  # Windows lets nobody remove a file that is open
                path.unlink()

    def records(self) -> Iterator[bytes]:
        """Yield the data of each record that is whole by now."""
        while block := self._file.read(_READ_BYTES):
            self._read += len(block)
            data, at = self._rest + block, 0
            while at + _HEAD.size <= len(data):
                length, _ = _HEAD.unpack_from(data, at)
                end = at + _HEAD.size + length + _TAIL
                if end > len(data):
                    break
                yield data[at + _HEAD.size : end - _TAIL]
                at = end
            self._rest = data[at:]
            if not self._keep and self._read - self._freed > _FREE_BYTES:
                self._free()

    def _free(self) -> None:
        """Give the disk back what was read, where the system can do so in a file that others write."""
        self._freed = self._read
        if sys.platform == "linux":
            fallocate = ctypes.CDLL(None).fallocate
            fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
            fallocate(self._file.fileno(), _KEEP_SIZE_AND_PUNCH_HOLE, 0, self._freed)

    def close(self) -> None:
        self._file.close()
