"""A video as users wrap it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ...storage.errors import BadInput
from ...storage.kinds.video import media_type_of
from ..arrays import is_torch_tensor, to_array
from ..raw import Payload
from .base import Loggable, as_caption
from .frames import FramesLayout, frames_layout

MOST_BYTES = 256 << 20
"""Of one video, before it is encoded."""
_FASTEST = 1000


class Video(Loggable):
    """A video: frames as an array or a tensor, or an MP4, WebM or GIF as bytes or by its path.

    Frames have the shape (T, H, W, C) or (T, C, H, W) with 1, 3 or 4 channels; which of both is told as
    for images. uint8 is taken as it is, floats span 0 to 1. A file is kept as it is, its own speed included.
    """

    kind = "video"
    meaningless = frozenset({"format"})

    def __init__(
        self,
        data: Any,
        fps: float = 4,
        caption: str | None = None,
        *,
        layout: FramesLayout | None = None,
        **others: Any,
    ) -> None:
        """Wrap `data`; `fps` is how many frames are shown in a second. Of `others`, see `meaningless`."""
        self._pass_over(others)
        self.data = data
        self.fps = fps
        self.caption = caption
        self.layout: FramesLayout | None = layout

    def payload(self) -> Payload:
        """Return frames with their layout, or a file. Raises BadInput when it is no video."""
        caption = as_caption(self.caption)
        if isinstance(self.data, str | Path | bytes):
            data = _file(self.data)
            return Payload(self.kind, data, {"media_type": media_type_of(data), "caption": caption})
        fps = _checked_fps(self.fps)
        array = to_array(self.data, "a video")
        torch = is_torch_tensor(self.data)
        layout = frames_layout("a video", array.shape, torch=torch, layout=self.layout)
        _check_size(array.nbytes)
        return Payload(self.kind, array, {"layout": layout, "fps": fps, "caption": caption})


def _file(data: str | Path | bytes) -> bytes:
    if isinstance(data, bytes):
        _check_size(len(data))
        return data
    try:
        _check_size(Path(data).stat().st_size)
        return Path(data).read_bytes()
    except OSError as error:
        raise BadInput(f"a video's file cannot be read: {error}") from error


def _checked_fps(fps: Any) -> float:
    try:
        number = float(fps)
    except (TypeError, ValueError):
        number = math.nan
    if not 1 / _FASTEST <= number <= _FASTEST:
        raise BadInput(f"a video needs fps as a number from 0.001 to {_FASTEST}, but got {fps!r}")
    return number


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise BadInput(
            f"a video may have {MOST_BYTES >> 20} MiB, but this one has {size >> 20} MiB. Log fewer or "
            f"smaller frames, or keep the file with run.log_artifact."
        )
