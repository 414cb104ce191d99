"""Stacks of pictures: the frames of a video, the thumbnails of an embedding."""

from __future__ import annotations

from typing import Literal

from ...storage.errors import BadInput

FramesLayout = Literal["THWC", "TCHW"]

CHANNELS = (1, 3, 4)


def frames_layout(
    what: str, shape: tuple[int, ...], *, torch: bool, layout: FramesLayout | None = None
) -> FramesLayout:
    """Return where the channels of a stack of pictures are: stated, or told as of one picture.

    Raises:
        BadInput: it is no stack of pictures; `what` names it.
    """
    if layout not in (None, "THWC", "TCHW"):
        raise BadInput(f'{what} has the layout "THWC" or "TCHW", but got {layout!r}')
    if len(shape) == 4 and 0 not in shape:
        first, last = shape[1] in CHANNELS, shape[-1] in CHANNELS
        if first and layout != "THWC" and (torch or not last or layout):
            return "TCHW"
        if last and layout != "TCHW":
            return "THWC"
    raise BadInput(
        f"{what} needs shape (T, H, W, C) or (T, C, H, W) with 1, 3 or 4 channels, but got {shape}"
        f"{'' if layout is None else f' as {layout}'}. Pass one stack, or a layout."
    )
