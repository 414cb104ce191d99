"""A picture as users wrap it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

from PIL import Image as Pillow

from ...storage.errors import BadInput
from ..arrays import is_torch_tensor, to_array
from ..raw import Payload
from .base import Loggable, as_caption

ImageLayout = Literal["HW", "HWC", "CHW"]

_CHANNELS = (1, 3, 4)


class Image(Loggable):
    """A picture: an array, a tensor, a PIL image, a matplotlib figure, or the path of a file.

    With `layout` left out, two dimensions are HW. Three are CHW for a torch tensor whose first
    dimension is 1, 3 or 4; otherwise HWC when the last dimension is 1, 3 or 4, and CHW when only
    the first one is. uint8 is taken as it is, floats span 0 to 1, booleans are black and white.
    """

    kind = "image"
    meaningless = frozenset({"boxes", "classes", "file_type", "grouping", "masks", "mode", "normalize"})

    def __init__(
        self, data: Any, caption: str | None = None, *, layout: ImageLayout | None = None, **others: Any
    ) -> None:
        """Wrap `data`; `caption` is shown below the picture. Of `others`, see `meaningless`."""
        self._pass_over(others)
        self.data = data
        self.caption = caption
        self.layout = layout

    def payload(self) -> Payload:
        """Return pixels and layout. Raises BadInput when the shape is no image's."""
        array = to_array(_opened(self.data), "an image")
        layout = self.layout or _image_layout(array.shape, torch=is_torch_tensor(self.data))
        _check_image(array.shape, layout)
        return Payload(self.kind, array, {"layout": layout, "caption": as_caption(self.caption)})


def _opened(data: Any) -> Any:
    if isinstance(data, str | Path):
        try:
            # As an array, since the file is closed again.
            return to_array(Pillow.open(data), "an image")
        except OSError as error:
            raise BadInput(f"an image's file cannot be read: {error}") from error
    if hasattr(data, "savefig"):
        file = io.BytesIO()
        data.savefig(file, format="png")
        return to_array(Pillow.open(file), "an image")
    return data


def _image_layout(shape: tuple[int, ...], *, torch: bool) -> ImageLayout:
    if len(shape) == 2:
        return "HW"
    if len(shape) == 3:
        first, last = shape[0] in _CHANNELS, shape[-1] in _CHANNELS
        if first and (torch or not last):
            return "CHW"
        if last:
            return "HWC"
    raise BadInput(
        f"an image needs shape (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4 channels, but got "
        f"{shape}. Pass one image, or a list of Image for several."
    )


def _check_image(shape: tuple[int, ...], layout: str) -> None:
    if layout not in ("HW", "HWC", "CHW"):
        raise BadInput(f'an image\'s layout is "HW", "HWC" or "CHW", but got {layout!r}')
    channels = {"HW": 1, "HWC": shape[-1], "CHW": shape[0]}[layout] if shape else 0
    if len(shape) != len(layout) or channels not in _CHANNELS or 0 in shape:
        raise BadInput(
            f"an image of layout {layout} needs {len(layout)} dimensions and 1, 3 or 4 channels, "
            f"but got shape {shape}"
        )
