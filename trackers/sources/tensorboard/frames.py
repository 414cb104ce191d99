"""The framing of event files: bytes -> records, and where the next sound record begins after a damaged one.

A record is a length in 8 bytes and its checksum in 4, the data and its checksum in 4: CRC-32C, rotated and
shifted. Records follow each other without a gap, so what is lost can be told only by their checksums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...sinks.tensorboard.records import FOOTER_BYTES, HEADER_BYTES, framed, google_crc32c, length_of

HEAD, TAIL = HEADER_BYTES, FOOTER_BYTES
"""Bytes before and after the data of a record."""
_ROTATED, _ADDED = 15, 0xA282EAD8
_MOST_HEADS = 10_000
SMALLEST = HEAD + TAIL + 1
"""Bytes of a record that holds something."""


class Records(NamedTuple):
    """The records at the beginning of some bytes."""

    start: NDArray[np.int64]
    """Where the data of each begin, shape (n,)."""
    length: NDArray[np.int64]
    """How many bytes they have, shape (n,)."""
    end: int
    """Where the record after them would begin."""
    needed: int
    """How many bytes from `end` on that record takes, as far as can be told: 12 to know more; 0 if it is
    damaged."""


class Frames:
    """Splits bytes into records; remembers the heads it has seen, since most records have few lengths."""

    def __init__(self) -> None:
        """Know no length yet."""
        self._heads: dict[bytes, int] = {}

    def split(self, data: bytes) -> Records:
        """Return the records that `data` begins with, up to what is damaged or not whole."""
        heads, sum_of = self._heads, google_crc32c.value
        ends: list[int] = []
        sums: list[int] = []
        body, most = HEAD, len(data) - TAIL
        while True:
            try:
                # Nothing but this runs for each of millions of records. The end of the data is no known head.
                while (end := body + heads[data[body - HEAD : body]]) <= most:
                    ends.append(end)
                    sums.append(sum_of(data[body:end]))
                    body = end + TAIL + HEAD
                needed = end + TAIL - body + HEAD
                break
            except KeyError:
                if body > len(data):
                    needed = HEAD
                    break
                if self._learn(data[body - HEAD : body]) is None:
                    needed = 0
                    break
        return _checked(data, np.array(ends, np.int64), np.array(sums, np.uint32), needed)

    def _learn(self, head: bytes) -> int | None:
        """Return the length that a record's head states, None if it is damaged."""
        if len(self._heads) > _MOST_HEADS:
            self._heads.clear()
        length = length_of(head)
        if length is not None:
            self._heads[head] = length
        return length


def is_whole(data: bytes, at: int) -> bool:
    """Whether a sound record lies at a place."""
    length = length_of(data[at : at + HEAD])
    if length is None or at + HEAD + length + TAIL > len(data):
        return False
    end = at + HEAD + length
    return framed(data[at + HEAD : end]) == data[at : end + TAIL]


def next_head(
    data: bytes, after: int, is_sound_beyond: Callable[[int, int], bool] | None = None
) -> int | None:
    """Return the first place from `after` on where a record begins that is not damaged; None without any.

    Args:
        data: the bytes.
        after: where to begin.
        is_sound_beyond: tells of a place and a number of bytes whether these are a sound record; asked where
            a record goes on beyond the bytes. Without it, a record must lie in them as a whole.
    """
    for place in _places_of_heads(data, after):
        length = length_of(data[place : place + HEAD])
        if length is None:
            continue
        size = HEAD + length + TAIL
        if place + size <= len(data):
            if is_whole(data, place):
                return place
        elif is_sound_beyond is not None and is_sound_beyond(place, size):
            return place
    return None


def _places_of_heads(data: bytes, after: int) -> list[int]:
    """Return where a head may lie, judged by its length alone."""
    raw = np.frombuffer(data, np.uint8)
    last = len(raw) - SMALLEST
    if after > last:
        return []
    # No record has 4 GiB: bytes 4 to 7 of the length are zero; and none is empty, so that a stretch of
    # zeros is no candidate all along.
    zeros = raw[after + 4 : last + 8] == 0
    high = zeros[:-3] & zeros[1:-2] & zeros[2:-1] & zeros[3:]
    low = raw[after : last + 4] != 0
    some = low[:-3] | low[1:-2] | low[2:-1] | low[3:]
    return (np.flatnonzero(high & some) + after).tolist()


def _checked(data: bytes, ends: NDArray[np.int64], sums: NDArray[np.uint32], needed: int) -> Records:
    """Return the records that end at some places, up to the first whose data do not fit their checksum."""
    starts = np.concatenate([np.zeros(1, np.int64), ends + TAIL])
    raw = np.frombuffer(data, np.uint8)
    stored = raw[ends[:, None] + np.arange(TAIL)].view("<u4")[:, 0]
    masked = (sums >> np.uint32(_ROTATED) | sums << np.uint32(32 - _ROTATED)) + np.uint32(_ADDED)
    wrong = np.flatnonzero(masked != stored)
    sound = int(wrong[0]) if len(wrong) else len(ends)
    bodies = starts[:sound] + HEAD
    return Records(bodies, ends[:sound] - bodies, int(starts[sound]), 0 if len(wrong) else needed)
