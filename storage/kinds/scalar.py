"""Numbers: float64 in chunked series. They never pass through encode, which is for records."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape


def encode(raw: RawValue) -> EncodedValue:
    """Encode one number as 8 bytes, little-endian."""
    return EncodedValue(struct.pack("<d", float(raw.array().reshape(()))))


def decode(meta: Mapping[str, Any], data: bytes) -> float:
    """Return the number."""
    try:
        return float(struct.unpack("<d", data)[0])
    except struct.error as error:
        raise StoreDamaged(f"a number of {len(data)} bytes cannot be read: {error}") from error


KIND = Kind("scalar", Shape.NUMBER, "application/octet-stream", encode, decode)
