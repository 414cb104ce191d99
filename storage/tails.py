"""Points of many series in one row: what a flush brought, as long as it is too few for chunks.

Columns lie as they are, grouped by series. Each group says which point of its series it begins with, counted
within the journal: points that are in chunks by now are passed over, so a row need not be rewritten for them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .chunks import Columns
from .errors import StoreDamaged

_VERSION = 1
_HEADER = struct.Struct("<B3xIII")


class Tail(NamedTuple):
    """Points grouped by series: group i is columns[starts[i] : starts[i] + counts[i]]."""

    series_ids: NDArray[np.int64]
    """(k,), each series once, in any order."""
    first: NDArray[np.int64]
    """(k,), how many points of the series the journal logged before the first of the group."""
    counts: NDArray[np.int64]
    """(k,), none of them 0."""
    columns: Columns

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each group begins, shape (k,)."""
        return np.cumsum(self.counts) - self.counts

    def without(self, stored: NDArray[np.int64]) -> Tail:
        """Return the points that come after the first `stored` ones of their series; (k,) as the groups."""
        passed = np.clip(stored - self.first, 0, self.counts)
        if not bool(passed.any()):
            return self
        counts = self.counts - passed
        kept = np.flatnonzero(counts)
        starts, counts = (self.starts + passed)[kept], counts[kept]
        if len(kept) == 1:
            columns = self.columns.take(slice(starts[0], starts[0] + counts[0]))
        else:
            # The index of each point: those of a group follow one another.
            shift = np.repeat(starts - (np.cumsum(counts) - counts), counts)
            columns = self.columns.take(shift + np.arange(len(shift)))
        return Tail(self.series_ids[kept], (self.first + passed)[kept], counts, columns)

    def of_series(self, series_id: int, stored: int) -> Columns:
        """Return the points of one series but for the first `stored` that the journal logged."""
        ours = self.series_ids == series_id
        return self.without(np.where(ours, stored, np.iinfo(np.int64).max)).columns

    def encode(self) -> bytes:
        """Return the bytes of a row."""
        numbers = (self.series_ids, self.first, self.counts)
        body = b"".join(array.tobytes() for array in (*numbers, *self.columns))
        return _HEADER.pack(_VERSION, len(self.series_ids), len(self.columns.step), zlib.crc32(body)) + body


def decode(data: bytes, *, check: bool = False) -> Tail:
    """Return what `encode` made.

    Args:
        data: the bytes of a row.
        check: whether to compare their checksum, too, which takes longer than all the rest.

    Raises:
        StoreDamaged: when the bytes are something else, or were cut short.
    """
    try:
        version, groups, count, checksum = _HEADER.unpack_from(data)
    except struct.error as error:
        raise StoreDamaged(f"a tail of {len(data)} bytes cannot be read: {error}") from error
    if version != _VERSION or len(data) != _HEADER.size + 24 * (groups + count):
        raise StoreDamaged(f"a tail of version {version} with {count} points has {len(data)} bytes")
    if check and zlib.crc32(memoryview(data)[_HEADER.size :]) != checksum:
        raise StoreDamaged(f"a tail of {count} points is not what was stored: its checksum differs")
    numbers = np.frombuffer(data, np.int64, 3 * groups, _HEADER.size).reshape(3, groups)
    at = _HEADER.size + 24 * groups
    step = np.frombuffer(data, np.int64, count, at)
    time, value = np.frombuffer(data, np.float64, 2 * count, at + 8 * count).reshape(2, count)
    return Tail(numbers[0], numbers[1], numbers[2], Columns(step, time, value))


def merge(tails: Sequence[Tail]) -> Tail:
    """Join tails of one journal that follow one another, each without what is stored in chunks."""
    tails = [tail for tail in tails if len(tail.counts)] or list(tails[:1])
    if len(tails) == 1:
        return tails[0]
    ids = np.concatenate([tail.series_ids for tail in tails])
    counts = np.concatenate([tail.counts for tail in tails])
    order = np.argsort(ids, kind="stable")
    new = np.append(True, np.diff(ids[order]) != 0)
    starts = np.flatnonzero(new)
    first = np.concatenate([tail.first for tail in tails])[order][new]
    points = np.repeat(ids, counts)
    columns = Columns.join([tail.columns for tail in tails]).take(np.argsort(points, kind="stable"))
    return Tail(ids[order][new], first, np.add.reduceat(counts[order], starts), columns)
