"""An image as the page shows it."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from ...storage.kinds.image import ImageData
from .words import LONGEST_CAPTION, TIMES, brief, count

TALLEST = 4000
"""Pixels on the page: a column of 100,000 pixels is no picture any more."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a browser draws."""

    data: bytes
    """A PNG file."""
    width: int
    """Pixels on the page."""
    caption: str
    """What the user wrote, else the size; any string, to be shown literally."""


def figure(data: ImageData, width: int | None = None) -> Picture:
    """Return the image for the page; a small one is enlarged here, since a browser would blur it.

    Args:
        data: the image.
        width: pixels on the page; None for its own size.

    Raises:
        StoreDamaged: the bytes are not a PNG of the stated size.
    """
    shown, height = _on_page(data, width)
    size = f"{count(data.width)} {TIMES} {count(data.height)}"
    caption = f"{brief(data.caption, LONGEST_CAPTION)} ({size})" if data.caption else size
    pixels = data.array()
    factor = -(-shown // data.width)
    if height is None and factor <= 1:
        return Picture(data.data, shown, caption)
    drawn = Image.fromarray(pixels[:, :, 0] if data.channels == 1 else pixels)
    if height is None:
        # Sharp squares, at least as large as they are shown.
        drawn = drawn.resize((data.width * factor, data.height * factor), Image.Resampling.NEAREST)
    else:
        drawn = drawn.resize((shown, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", compress_level=1)
    return Picture(buffer.getvalue(), shown, caption)


def _on_page(data: ImageData, width: int | None) -> tuple[int, int | None]:
    """Return the width on the page, and the height of an image too narrow or flat to be shown to scale."""
    if width is None:
        return data.width, None
    shown = max(1, min(width, TALLEST * data.width // data.height))
    if TALLEST * data.width >= shown * data.height >= data.width:
        return shown, None
    return shown, min(max(shown * data.height // data.width, 1), TALLEST)
