"""Sound, stored as WAV with 16-bit samples.

Floats span -1 to 1 and are clipped; integers are taken as 16-bit samples and clipped.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape

_FULL_SCALE = 32_767


@dataclass(frozen=True, slots=True)
class AudioData:
    """One sound."""

    data: bytes
    """The WAV file."""
    sample_rate: int
    """Samples a second."""
    channels: int
    seconds: float
    caption: str | None = None
    media_type: str = "audio/wav"

    def array(self) -> NDArray[np.float32]:
        """Return the samples: float32 (n, channels), -1 to 1."""
        try:
            with wave.open(io.BytesIO(self.data)) as reader:
                frames = reader.readframes(reader.getnframes())
        except (wave.Error, EOFError) as error:
            raise StoreDamaged(f"a sound of {len(self.data)} bytes is not a WAV file") from error
        samples = np.frombuffer(frames, "<i2").reshape(-1, self.channels)
        return samples.astype(np.float32) / np.float32(_FULL_SCALE)


def encode(raw: RawValue) -> EncodedValue:
    """Encode an array of shape (n,) or (n, channels); meta holds sample_rate."""
    array = raw.array()
    samples = array.reshape(len(array), -1)
    rate = int(raw.meta["sample_rate"])
    if np.issubdtype(samples.dtype, np.floating):
        unit = np.clip(np.nan_to_num(samples.astype(np.float64), nan=0.0), -1.0, 1.0)
        samples = np.rint(unit * _FULL_SCALE)
    pcm = np.clip(samples, -_FULL_SCALE - 1, _FULL_SCALE).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setnchannels(samples.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(pcm.tobytes())
    meta = {"sample_rate": rate, "channels": samples.shape[1], "seconds": len(samples) / rate}
    if raw.meta.get("caption") is not None:
        meta["caption"] = raw.meta["caption"]
    return EncodedValue(buffer.getvalue(), meta)


def decode(meta: Mapping[str, Any], data: bytes) -> AudioData:
    """Return the sound."""
    try:
        return AudioData(
            data,
            sample_rate=int(meta["sample_rate"]),
            channels=int(meta["channels"]),
            seconds=float(meta["seconds"]),
            caption=meta.get("caption"),
        )
    except KeyError as error:
        raise StoreDamaged(f"a sound's row lacks {error}: {dict(meta)!r}") from error


KIND = Kind("audio", Shape.BLOB, "audio/wav", encode, decode)
