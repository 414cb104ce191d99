"""Encoded pictures and sounds that the store can keep as they are, without decoding them."""

from __future__ import annotations

import io
import struct
import wave
from typing import Any

from ....storage.errors import BadInput
from ....storage.journal_read import SeriesDefinition
from ....storage.kinds import EncodedValue
from ....storage.write_series import NewRecord
from ..base import record
from .media import picture, sound

_PNG, _HEADER = b"\x89PNG\r\n\x1a\n", b"IHDR"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""PNG's colour types without a palette."""
_BITS = 8


def picture_record(definition: SeriesDefinition, encoded: bytes, step: int, time: float) -> NewRecord:
    """Return an encoded picture: a PNG of 8 bits as it is, others as PNG, what moves as a video.

    Raises:
        BadInput: it is no picture.
    """
    kept = _png(encoded)
    if kept is None:
        return record(definition.name, picture(encoded), step, time, definition.context)
    return NewRecord(definition, step, time, kept)


def sound_record(
    definition: SeriesDefinition, encoded: bytes, label: str, step: int, time: float
) -> NewRecord:
    """Return an encoded sound: a WAV file of 16 bits as it is, others as one. Raises BadInput."""
    kept = _wav(encoded, label)
    if kept is None:
        return record(definition.name, sound(encoded, label), step, time, definition.context)
    return NewRecord(definition, step, time, kept)


def _png(encoded: bytes) -> EncodedValue | None:
    if encoded[:8] != _PNG or encoded[12:16] != _HEADER or len(encoded) < 33:
        return None
    width, height, bits, colours = struct.unpack_from(">IIBB", encoded, 16)
    if bits != _BITS or colours not in _CHANNELS or not width or not height:
        return None
    return EncodedValue(encoded, {"width": width, "height": height, "channels": _CHANNELS[colours]})


def _wav(encoded: bytes, label: str) -> EncodedValue | None:
    try:
        with wave.open(io.BytesIO(encoded)) as file:
            width, channels = file.getsampwidth(), file.getnchannels()
            rate, frames = file.getframerate(), file.getnframes()
    except (wave.Error, EOFError) as error:
        reason = str(error) or "they end too early"
        raise BadInput(f"expected a WAV file, but {len(encoded):,} bytes cannot be read: {reason}") from error
    if width != 2 or not rate:
        return None
    meta: dict[str, Any] = {"sample_rate": rate, "channels": channels, "seconds": frames / rate}
    return EncodedValue(encoded, {**meta, "caption": label} if label else meta)
