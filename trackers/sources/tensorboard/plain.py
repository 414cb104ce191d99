"""The bytes of an event that holds one number: where they lie, told without protobuf.

Writers give the fields in the order of their numbers: the time, the step, and a summary with one value that
has a tag, maybe metadata, and a float or a tensor of one number. What is in any other way is no such event
here, and is left to protobuf.
"""

from __future__ import annotations

from typing import NamedTuple

_TIME, _STEP, _SUMMARY, _VALUE = 0x09, 0x10, 0x2A, 0x0A
_TAG, _SIMPLE_VALUE, _TENSOR, _METADATA = 0x0A, 0x15, 0x42, 0x4A
_DTYPE, _SHAPE, _CONTENT, _FLOATS, _DOUBLES = 0x08, 0x12, 0x22, 0x2A, 0x32

STEP_AT = 10
"""Where the step begins, after its field's number; before it, there are the time and its field's number."""
_CONTENTS = {1: "<f4", 2: "<f8", 3: "<i4", 4: "|u1", 5: "<i2", 6: "|i1", 9: "<i8", 19: "<f2"}
"""DataType of a tensor -> how numpy calls it; what is not here (bfloat16 ...) is left to protobuf."""
_WIDTHS = {"<f4": 4, "<f8": 8, "<i4": 4, "|u1": 1, "<i2": 2, "|i1": 1, "<i8": 8, "<f2": 2}


class Layout(NamedTuple):
    """Where the number lies in an event."""

    at: int
    dtype: str

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.at + _WIDTHS[self.dtype]


class Plain(NamedTuple):
    """An event with one number."""

    layout: Layout
    tag: bytes
    metadata: bytes | None


def summary_at(step_size: int) -> int:
    """Return where the summary begins if the step takes so many bytes; 0 bytes stand for step 0."""
    return STEP_AT + step_size if step_size else STEP_AT - 1


def plain_event(event: bytes, step_size: int) -> Plain | None:
    """Return what an event with one number holds; None for any other event."""
    at = summary_at(step_size)
    inside = _whole(event, at, _SUMMARY)
    inside = None if inside is None else _whole(event, inside, _VALUE)
    return None if inside is None or event[0] != _TIME else _value(event, inside)


def _value(event: bytes, at: int) -> Plain | None:
    layout: Layout | None = None
    tag = metadata = None
    while at < len(event):
        field = event[at]
        if field == _SIMPLE_VALUE and layout is None:
            layout, at = Layout(at + 1, "<f4"), at + 5
            continue
        found = _bytes(event, at + 1)
        if found is None:
            return None
        start, at = found
        if field == _TAG and tag is None:
            tag = event[start:at]
        elif field == _METADATA and metadata is None:
            metadata = event[start:at]
        elif field == _TENSOR and layout is None:
            layout = _tensor(event, start, at)
            if layout is None:
                return None
        else:
            return None
    if layout is None or tag is None or at != len(event):
        return None
    return Plain(layout, tag, metadata)


def _tensor(event: bytes, at: int, end: int) -> Layout | None:
    """Return where the one number of a tensor without dimensions lies."""
    if event[at : at + 1] != bytes([_DTYPE]) or end - at < 4:
        return None
    dtype, at = event[at + 1], at + 2
    if event[at] == _SHAPE and event[at + 1] == 0:
        at += 2
    found = _bytes(event, at + 1)
    if found is None or found[1] != end:
        return None
    start, _ = found
    form = {_CONTENT: _CONTENTS.get(dtype), _FLOATS: "<f4", _DOUBLES: "<f8"}.get(event[at])
    fits = (event[at] == _CONTENT) or (event[at], dtype) in ((_FLOATS, 1), (_DOUBLES, 2))
    return Layout(start, form) if form is not None and fits and end - start == _WIDTHS[form] else None


def _whole(event: bytes, at: int, field: int) -> int | None:
    """Return where the content of a field begins that reaches from a place to the end."""
    if at >= len(event) or event[at] != field:
        return None
    found = _bytes(event, at + 1)
    return found[0] if found is not None and found[1] == len(event) else None


def _bytes(event: bytes, at: int) -> tuple[int, int] | None:
    """Return where a field's bytes begin and end, whose size, of one or two bytes, stands at a place."""
    if at >= len(event):
        return None
    size, at = event[at], at + 1
    if size & 0x80:
        if at >= len(event) or event[at] & 0x80:
            return None
        size, at = size & 0x7F | event[at] << 7, at + 1
    return (at, at + size) if at + size <= len(event) else None
