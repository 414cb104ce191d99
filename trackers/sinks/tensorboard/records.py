"""The framing of event files, the same bytes as TensorBoard's RecordWriter, with checksums made in C.

Each record is its length (8 bytes), a checksum of that (4), the data, and a checksum of them (4), all
little-endian. Checksums are CRC-32C, turned and shifted, so that one of data which hold checksums stays good.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from ....storage.errors import MissingExtra

try:
    import google_crc32c as _google_crc32c
except ImportError as error:
    raise MissingExtra("The export to TensorBoard", "tensorboard") from error

google_crc32c: Any = _google_crc32c  # carries no types
_checksum = google_crc32c.value
_LENGTH = struct.Struct("<Q")
_SUM = struct.Struct("<I")
_pack_sum = _SUM.pack
HEADER_BYTES = _LENGTH.size + _SUM.size
FOOTER_BYTES = _SUM.size


def framed(data: bytes) -> bytes:
    """Return a record of an event file."""
    return _header(len(data)) + data + _pack_sum(_masked(_checksum(data)))


def length_of(header: bytes) -> int | None:
    """Return how many bytes of data follow a header of HEADER_BYTES, None when it is none."""
    if len(header) < HEADER_BYTES:
        return None
    (length,) = _LENGTH.unpack_from(header)
    return length if header == _header(length) else None


# Records of one series are of a few lengths only.
@lru_cache(maxsize=1024)
def _header(length: int) -> bytes:
    packed = _LENGTH.pack(length)
    return packed + _SUM.pack(_masked(_checksum(packed)))


def _masked(checksum: int) -> int:
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
