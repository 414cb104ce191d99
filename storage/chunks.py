"""Columns of points <-> bytes. Pure: no clock, no disk.

A chunk is a 12-byte header (version, flags, two bytes unused, count, raw size) and one zstd frame of
three columns, each with its bytes transposed ("shuffled", as Blosc and HDF5 do) so that the bytes that
hardly change lie together: differences of steps (int64), differences of times (int64 microseconds), and
values (float32 when every value survives that, else float64). Noise costs about 9 bytes a point, values
that came from float32 about 5.5.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from .errors import StoreDamaged

CHUNK_POINTS = 4096
"""The most points that a chunk holds."""

_VERSION = 1
_FLOAT32 = 1
_HEADER = struct.Struct("<BBxxII")
_MICROSECONDS = 1e6
_LEVEL = 3


class Columns(NamedTuple):
    """Points in the order they were logged; each array has the shape (n,)."""

    step: NDArray[np.int64]
    time: NDArray[np.float64]
    """Seconds since the epoch; kept to the microsecond."""
    value: NDArray[np.float64]

    def take(self, which: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Columns:
        """Return some of the points: a slice, a mask or indices."""
        return Columns(self.step[which], self.time[which], self.value[which])

    @staticmethod
    def join(parts: Sequence[Columns]) -> Columns:
        """Return the points of several columns, one after the other."""
        parts = [part for part in parts if len(part.step)]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Columns(np.empty(0, np.int64), np.empty(0), np.empty(0))
        return Columns(
            np.concatenate([part.step for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.value for part in parts]),
        )


def pack(columns: Columns) -> bytes:
    """Encode points. `unpack` gives them back exactly, times to the microsecond."""
    micros = np.rint(columns.time * _MICROSECONDS).astype(np.int64)
    narrow = _as_float32(columns.value)
    flags = 0 if narrow is None else _FLOAT32
    body = b"".join(
        (
            shuffle(_differences(columns.step)),
            shuffle(_differences(micros)),
            shuffle(columns.value if narrow is None else narrow),
        )
    )
    header = _HEADER.pack(_VERSION, flags, len(columns.step), len(body))
    return header + compress(body)


def unpack(*chunks: bytes) -> Columns:
    """Decode what `pack` made: the points of one chunk, or of several, one after the other.

    Raises:
        StoreDamaged: when the bytes are something else, or were cut short.
    """
    gathered = Gathering(sum(point_count(data) for data in chunks))
    for data in chunks:
        gathered.unpack(data)
    return gathered.columns()


class Gathering:
    """Points from many places, put into arrays that were made once: to join them would take as long again."""

    def __init__(self, most: int) -> None:
        """Make room for `most` points."""
        self._columns = Columns(np.empty(most, np.int64), np.empty(most), np.empty(most))
        self._end = 0

    def append(self, columns: Columns) -> None:
        """Add points."""
        part = self._next(len(columns.step))
        for target, column in zip(self._columns, columns, strict=True):
            target[part] = column

    def unpack(self, data: bytes) -> None:
        """Add the points of a chunk. Raises StoreDamaged."""
        count = point_count(data)
        body, narrow = _columns(data)
        step, time, value = self._columns.take(self._next(count))
        _sum_up(step, body[: 8 * count])
        micros = time.view(np.int64)
        _sum_up(micros, body[8 * count : 16 * count])
        np.divide(micros, _MICROSECONDS, out=time)
        if narrow:
            floats = np.empty(count, np.float32)
            unshuffle_into(floats, body[16 * count :])
            value[:] = floats
        else:
            unshuffle_into(value, body[16 * count :])

    def columns(self) -> Columns:
        """Return all that was added."""
        return self._columns.take(slice(0, self._end))

    def _next(self, count: int) -> slice:
        start, self._end = self._end, self._end + count
        if self._end > len(self._columns.step):
            raise StoreDamaged(
                f"there are more points than the {len(self._columns.step)} that were announced"
            )
        return slice(start, self._end)


def shown(columns: Columns) -> Columns:
    """Return the points sorted by step, and of several points of one step the one logged last."""
    if len(columns.step) < 2:
        return columns
    rises = columns.step[1:] > columns.step[:-1]
    if bool(rises.all()):
        return columns
    if not bool((columns.step[1:] >= columns.step[:-1]).all()):
        columns = columns.take(np.argsort(columns.step, kind="stable"))
        rises = columns.step[1:] > columns.step[:-1]
    return columns.take(np.append(rises, True))


class _OfThread(threading.local):
    """A compressor for each thread: to make one costs as much as to compress a small chunk."""

    def __init__(self) -> None:
        # Four bytes more, by which a bit that was flipped on the disk is noticed.
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self.decompressor = zstandard.ZstdDecompressor()


_zstd = _OfThread()


def compress(body: bytes) -> bytes:
    """Return one zstd frame."""
    return _zstd.compressor.compress(body)


def decompress(frame: bytes | memoryview, size: int) -> bytes:
    """Return what is in a zstd frame. Raises zstandard.ZstdError."""
    return _zstd.decompressor.decompress(frame, max_output_size=size)


def shuffle(column: NDArray[Any]) -> bytes:
    """Return the bytes of an array transposed: the first of each element, the second of each ..."""
    width = column.dtype.itemsize
    return np.ascontiguousarray(column).view(np.uint8).reshape(-1, width).T.tobytes()


def unshuffle_into(target: NDArray[Any], planes: NDArray[np.uint8]) -> None:
    """Undo `shuffle`; the target is contiguous and has as many bytes as came."""
    width = target.dtype.itemsize
    rows = planes.reshape(width, -1)
    columns = target.view(np.uint8).reshape(-1, width)
    # Plane by plane is the fastest that numpy does.
    for number in range(width):
        columns[:, number] = rows[number]


def point_count(data: bytes) -> int:
    """Return how many points a chunk holds, without decoding it. Raises StoreDamaged."""
    try:
        version, flags, count, size = _HEADER.unpack_from(data)
    except struct.error as error:
        raise StoreDamaged(f"a chunk of {len(data)} bytes cannot be read: {error}") from error
    if version != _VERSION:
        raise StoreDamaged(f"a chunk says version {version}; this Stepscope reads {_VERSION}")
    if size != count * (20 if flags & _FLOAT32 else 24):
        raise StoreDamaged(f"a chunk of {count} points holds {size} bytes of columns")
    return count


def _columns(data: bytes) -> tuple[NDArray[np.uint8], bool]:
    """Return the three columns as they lie, and whether the values are float32."""
    _, flags, _, size = _HEADER.unpack_from(data)
    try:
        body = decompress(memoryview(data)[_HEADER.size :], size)
    except zstandard.ZstdError as error:
        raise StoreDamaged(f"a chunk of {len(data)} bytes cannot be read: {error}") from error
    if len(body) != size:
        raise StoreDamaged(f"a chunk of {size} bytes of columns holds {len(body)}")
    return np.frombuffer(body, np.uint8), bool(flags & _FLOAT32)


def _sum_up(target: NDArray[np.int64], planes: NDArray[np.uint8]) -> None:
    """Decode a column of differences; those that fit into two bytes, as they mostly do, faster."""
    rows = planes.reshape(8, -1)
    if bool(rows[2:, 1:].any()):
        unshuffle_into(target, planes)
    else:
        columns = target.view(np.uint8).reshape(-1, 8)
        target.fill(0)
        columns[:, 0], columns[:, 1] = rows[0], rows[1]
        columns[:1] = rows[:, :1].T
    np.cumsum(target, out=target)


def _differences(column: NDArray[np.int64]) -> NDArray[np.int64]:
    # Differences of extreme steps wrap around; the sum in unpack wraps back.
    differences = column.copy()
    np.subtract(column[1:], column[:-1], out=differences[1:])
    return differences


def _as_float32(values: NDArray[np.float64]) -> NDArray[np.float32] | None:
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = values.astype(np.float32)
    # Compared as bits, so that -0.0 and each NaN count as what they are.
    same = narrow.astype(np.float64).view(np.int64) == values.view(np.int64)
    return narrow if bool(same.all()) else None
