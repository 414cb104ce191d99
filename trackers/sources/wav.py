"""WAV files as other programs write them, of any width of samples."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray


def wav_samples(source: Path | BinaryIO) -> tuple[NDArray[np.int16], int]:
    """Return the samples of a WAV file, (n, channels), and how many a second has.

    Of samples with more than 16 bits, the upper 16 are kept.

    Raises:
        wave.Error, EOFError: it is no WAV file.
    """
    with wave.open(str(source) if isinstance(source, Path) else source, "rb") as file:
        width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
        data = file.readframes(file.getnframes())
    whole = np.frombuffer(data, np.uint8)[: len(data) // (width * channels) * width * channels]
    if width == 1:  # the only width without a sign
        return ((whole.astype(np.int16) - 128) << 8).reshape(-1, channels), rate
    upper = np.ascontiguousarray(whole.reshape(-1, width)[:, -2:]).view("<i2")
    return upper.reshape(-1, channels).astype(np.int16), rate
