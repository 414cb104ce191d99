"""The forms of what lies in a journal: slots of numbers, and entries of any length.

Both end with the mark of their segment, which is written last. An entry carries two sums, since a
machine that stops leaves zeros or old bytes where a page had not reached the disk: one over its head,
without which nobody knows where the next entry begins, and one over the rest.
"""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from typing import NamedTuple

import numpy as np

SLOT = struct.Struct("<qddII")
"""Step, time, value, series, mark."""
ENTRY = struct.Struct("<QIIqdIIQII")
"""The fields of Head, then the sum of the head and the mark."""
ENTRY_1 = struct.Struct("<QIIqdII")
"""As version 1 had it: the first six fields of Head and the mark."""

_FIELDS = struct.Struct("<QIIqdIIQ")
_COLUMNS = 509
_SUMMED_BY_COLUMNS = 16 << 10


class EntryType(IntEnum):
    """What an entry of the lanes `series` and `values` is."""

    SERIES = 1
    VALUE = 2
    RUN = 3
    DROPS = 4


class Head(NamedTuple):
    """What stands before the meta and the data of an entry."""

    size: int
    """Bytes of the data."""
    meta_size: int
    series: int
    step: int
    time: float
    entry_type: int
    ordinal: int
    """How many entries the lane had before, in the lowest 32 bits; gaps tell what is missing."""
    body_sum: int

    def pack(self, mark: int) -> bytes:
        """Return the bytes that make an entry count. Raises struct.error."""
        fields = _FIELDS.pack(*self)
        return ENTRY.pack(*self, zlib.crc32(fields, mark), mark)


def unpack_head(data: bytes, mark: int) -> Head | None:
    """Return the head that these ENTRY.size bytes are, None when they are none or damaged."""
    if len(data) < ENTRY.size:
        return None
    *fields, head_sum, found = ENTRY.unpack(data)
    if found != mark or zlib.crc32(data[: _FIELDS.size], mark) != head_sum:
        return None
    return Head(*fields)


def body_sum(meta: bytes, data: bytes | memoryview) -> int:
    """Return the sum of an entry's meta and data.

    Much data is laid out in rows, whose sum by columns gets the CRC: a tenth of the time of a CRC of all.
    A page that is zeros, or an old one, changes nearly every column; as there are 509 of them, a prime,
    so does a page in the place of another.
    """
    start = zlib.crc32(meta)
    view = memoryview(data)
    if len(view) < _SUMMED_BY_COLUMNS:
        return zlib.crc32(view, start)
    rows = len(view) // (8 * _COLUMNS)
    words = np.frombuffer(view, "<u8", rows * _COLUMNS).reshape(rows, _COLUMNS)
    return zlib.crc32(view[words.nbytes :], zlib.crc32(np.add.reduce(words, axis=0), start))


def padded(size: int) -> int:
    """Return the next multiple of 8."""
    return (size + 7) & ~7
