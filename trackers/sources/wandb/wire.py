"""As much of protobuf as is needed to tell W&B's records apart, and to find the items in rows of the history.

Parsing each record as a whole would take longer, and most of them are rows of numbers.
"""

from __future__ import annotations

from typing import NamedTuple

HISTORY, SUMMARY, OUTPUT, STATS, OUTPUT_RAW = 2, 3, 4, 7, 13
"""Numbers of the fields of a record, of which each has one that says what it is."""
ITEM, STEP = 0x0A, 0x12
"""What the fields of a HistoryRecord begin with."""

_ABOUT_A_RECORD = (1, 16, 19, 200)
"""Its number, whether it is answered, its uuid, who sent it."""


class Content(NamedTuple):
    """Where in a record that lies what it is about."""

    kind: int
    """HISTORY, or another number of a field; 0 for none."""
    start: int
    end: int


def content_of(data: bytes) -> Content:
    """Find what a record is about."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        size, at = varint(data, at)
        if tag >> 3 not in _ABOUT_A_RECORD:
            return Content(tag >> 3, at, min(at + size, len(data)))
        at += size if tag & 7 else 0
    return Content(0, at, at)


def field_at(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag of the field at a place, and where its content begins and ends."""
    tag, at = varint(data, at)
    size, at = varint(data, at)
    return tag, at, at + size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and where it ends."""
    if at < len(data) and data[at] < 0x80:
        return data[at], at + 1
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            break
    return value, at


def step_in(data: bytes) -> int:
    """Return the step that a HistoryStep is; one of 0 is left out of it."""
    value = varint(data, 1)[0] if data else 0
    return value - (1 << 64) if value >> 63 else value
