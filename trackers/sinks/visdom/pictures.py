"""Pictures for Visdom: a history with a slider, each picture no larger than a page needs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from ....storage.kinds.figure import FigureData
from ....storage.kinds.image import ImageData
from .html_parts import data_uri
from .panes import MARK, Frame, Json, Pane

WIDEST = 1600
"""Pixels of a side; a window is some 400 wide."""
_HEAVIEST = 4 << 20
"""Bytes of a picture."""
_SMALLEST_PANE, _WIDEST_PANE = 256, 640
"""Pixels across: Visdom opens a window as large as the image, which for a digit of 8 by 8 is no window."""
_BELOW_IMAGE = 90
"""Pixels for the caption and the slider."""


def picture(frame: Frame, step: int, value: ImageData | FigureData) -> Json:
    """Return one picture of a history. Raises OSError when it is none."""
    caption = f"step {step}" if value.caption is None else f"step {step}: {value.caption}"
    shown = _page_sized(value)
    if shown is not value:
        caption += f" ({value.width} x {value.height} pixels, shown smaller)"
    mark = {**frame.mark, "step": step, "caption": value.caption}
    return {"src": data_uri(shown.media_type, shown.data), "caption": caption, MARK: mark}


def picture_panes(frame: Frame, pictures: Sequence[Json], width: int, height: int) -> list[Pane]:
    """Return a window with a slider over pictures; of the newest, `width` and `height` are the pixels."""
    scale = min(max(1.0, _SMALLEST_PANE / max(width, 1)), _WIDEST_PANE / max(width, 1))
    shape = (round(width * scale), round(height * scale) + _BELOW_IMAGE)
    return [Pane(frame.win, "image_history", frame.title, list(pictures), *shape)]


def _page_sized(value: ImageData | FigureData) -> ImageData | FigureData:
    if max(value.width or 0, value.height or 0) <= WIDEST and len(value.data) <= _HEAVIEST:
        return value
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(value.data)) as found:
        found.thumbnail((WIDEST, WIDEST))
        found.save(buffer, "WEBP", quality=85)
    return replace(value, data=buffer.getvalue(), media_type="image/webp")
