"""The checksum of a record: of a value that lies in its row, where no digest tells of a flipped bit."""

from __future__ import annotations

import struct
import zlib
from typing import Any


def record_checksum(step: int, time: float, meta: str, payload: bytes | None, digest: str | None) -> int:
    """Return the CRC-32 of what a record holds, from 0 to 2**32 - 1."""
    value = digest.encode() if payload is None and digest is not None else payload or b""
    facts = meta.encode("utf-8", "surrogatepass")
    return zlib.crc32(value, zlib.crc32(struct.pack("<qdI", step, time, len(facts)) + facts))


def is_as_stored(row: Any) -> bool:
    """Whether a row of `records` is what was written; true for one that an older Stepscope stored."""
    if row.checksum is None:
        return True
    return row.checksum == record_checksum(row.step, row.time, row.meta, row.payload, row.digest)
