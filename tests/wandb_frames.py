"""Writes the framing of W&B's logs, as its own program does."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from stepscope.trackers.sources.wandb.log import BLOCK_BYTES, MAGIC

_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def framed(records: Sequence[bytes]) -> bytes:
    """Return a log with these records."""
    out = bytearray(MAGIC)
    for record in records:
        at = 0
        while True:
            left = BLOCK_BYTES - len(out) % BLOCK_BYTES
            if left < 7:
                out += b"\0" * left
                left = BLOCK_BYTES
            part = record[at : at + left - 7]
            first, last = at == 0, at + len(part) == len(record)
            kind = {(True, True): _FULL, (True, False): _FIRST, (False, True): _LAST}.get(
                (first, last), _MIDDLE
            )
            checksum = zlib.crc32(part, zlib.crc32(bytes([kind])))
            out += struct.pack("<IHB", checksum, len(part), kind) + part
            at += len(part)
            if last:
                break
    return bytes(out)
