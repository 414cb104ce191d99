"""Images, stored as PNG.

Numbers become pixels by one rule: uint8 is taken as it is, booleans are black and white, other
integers are clipped to 0..255, floats span 0 to 1 and are clipped; NaN is black.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape

# PNG's default of 6 takes three times as long for a few per cent of size.
_COMPRESS_LEVEL = 3


@dataclass(frozen=True, slots=True)
class ImageData:
    """One picture."""

    data: bytes
    """The PNG file."""
    width: int
    height: int
    channels: int
    caption: str | None = None
    media_type: str = "image/png"

    def array(self) -> NDArray[np.uint8]:
        """Return the pixels: uint8 (height, width, channels)."""
        try:
            with Image.open(io.BytesIO(self.data)) as picture:
                pixels = np.asarray(picture)
        except OSError as error:
            raise StoreDamaged(f"an image of {len(self.data)} bytes is not a PNG") from error
        return pixels.reshape(self.height, self.width, self.channels)


def encode(raw: RawValue) -> EncodedValue:
    """Encode an array of meta["layout"] "HW", "HWC" or "CHW", with 1, 2, 3 or 4 channels."""
    array = raw.array()
    layout = raw.meta["layout"]
    if layout == "HW":
        array = array[:, :, None]
    elif layout == "CHW":
        array = array.transpose(1, 2, 0)
    height, width, channels = array.shape
    pixels = np.ascontiguousarray(to_pixels(array))
    buffer = io.BytesIO()
    # Pillow infers the mode (L, LA, RGB, RGBA) from the shape.
    picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    picture.save(buffer, "PNG", compress_level=_COMPRESS_LEVEL)
    meta = {"width": width, "height": height, "channels": channels}
    if raw.meta.get("caption") is not None:
        meta["caption"] = raw.meta["caption"]
    return EncodedValue(buffer.getvalue(), meta)


def decode(meta: Mapping[str, Any], data: bytes) -> ImageData:
    """Return the picture."""
    try:
        return ImageData(
            data,
            width=int(meta["width"]),
            height=int(meta["height"]),
            channels=int(meta["channels"]),
            caption=meta.get("caption"),
        )
    except KeyError as error:
        raise StoreDamaged(f"an image's row lacks {error}: {dict(meta)!r}") from error


def to_pixels(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert numbers to uint8 by the rule of this module."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(array.dtype, np.integer):
        return np.clip(array, 0, 255).astype(np.uint8)
    unit = np.clip(np.nan_to_num(array.astype(np.float32), nan=0.0), 0.0, 1.0)
    return np.rint(unit * 255).astype(np.uint8)


KIND = Kind("image", Shape.BLOB, "image/png", encode, decode)
