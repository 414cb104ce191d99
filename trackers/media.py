"""The values a user wraps: what they are cannot be told from an array alone.

Building one never fails and copies nothing; it is looked at, and copied, when it is logged.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..storage.errors import BadInput
from ..storage.kinds.graph import GraphData
from .arrays import is_torch_tensor, to_array
from .raw import Payload

ImageLayout = Literal["HW", "HWC", "CHW"]
AudioLayout = Literal["NC", "CN"]

_IMAGE_CHANNELS = (1, 3, 4)
# The widths of the fields in the header of a WAV file with two bytes a sample.
_MOST_CHANNELS = 32_767
_MOST_BYTES_A_SECOND = 2**32 - 1


class Loggable:
    """Base of the wrapped values."""

    kind: str

    def payload(self) -> Payload:
        """Return what the journal takes. Raises BadInput."""
        raise BadInput(f"{type(self).__name__} cannot be logged: wrap Image, Audio, Text ...")


class Image(Loggable):
    """A picture: an array, a tensor or a PIL image.

    With `layout` left out, two dimensions are HW. Three are CHW for a torch tensor whose first
    dimension is 1, 3 or 4; otherwise HWC when the last dimension is 1, 3 or 4, and CHW when only
    the first one is. uint8 is taken as it is, floats span 0 to 1, booleans are black and white.
    """

    kind = "image"

    def __init__(self, data: Any, caption: str | None = None, *, layout: ImageLayout | None = None) -> None:
        """Wrap `data`; `caption` is shown below the picture."""
        self.data = data
        self.caption = caption
        self.layout = layout

    def payload(self) -> Payload:
        """Return pixels and layout. Raises BadInput when the shape is no image's."""
        array = to_array(self.data, "an image")
        layout = self.layout or _image_layout(array.shape, torch=is_torch_tensor(self.data))
        _check_image(array.shape, layout)
        return Payload(self.kind, array, {"layout": layout, "caption": _caption(self.caption)})


class Audio(Loggable):
    """A sound: samples of shape (n,), or with a channel dimension.

    Floats span -1 to 1, integers are 16-bit samples. With `layout` left out, the smaller of two
    dimensions is the channels.
    """

    kind = "audio"

    def __init__(
        self,
        data: Any,
        sample_rate: int,
        caption: str | None = None,
        *,
        layout: AudioLayout | None = None,
    ) -> None:
        """Wrap `data`, of `sample_rate` samples a second."""
        self.data = data
        self.sample_rate = sample_rate
        self.caption = caption
        self.layout = layout

    def payload(self) -> Payload:
        """Return samples (n, channels). Raises BadInput when the shape or the rate is no sound's."""
        array = to_array(self.data, "a sound")
        rate = self.sample_rate
        if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or rate <= 0:
            raise BadInput(f"a sound needs sample_rate as a positive whole number, but got {rate!r}")
        if array.ndim not in (1, 2) or array.size == 0:
            raise BadInput(
                f"a sound needs shape (n,) or (n, channels), but got {array.shape}. Log one sound at a time."
            )
        if self.layout not in (None, "NC", "CN"):
            raise BadInput(f'a sound\'s layout is "NC" or "CN", but got {self.layout!r}')
        if array.ndim == 2 and (
            self.layout == "CN" or (self.layout is None and array.shape[0] < array.shape[1])
        ):
            array = array.T
        _check_sound(array.shape, int(rate))
        return Payload(self.kind, array, {"sample_rate": int(rate), "caption": _caption(self.caption)})


class Text(Loggable):
    """A text in markdown."""

    kind = "text"

    def __init__(self, text: str) -> None:
        """Wrap `text`."""
        self.text = text

    def payload(self) -> Payload:
        """Return the text as UTF-8. Raises BadInput when it is not a string."""
        if not isinstance(self.text, str):
            raise BadInput(f"a text must be a string, but got {type(self.text).__name__}")
        return Payload(self.kind, self.text.encode("utf-8", "replace"), {})


class Histogram(Loggable):
    """A distribution: raw values, or counts that were binned before, with their edges."""

    kind = "histogram"

    def __init__(self, values: Any = None, *, counts: Any = None, edges: Any = None) -> None:
        """Wrap values of any shape; or `counts` (k,) with ascending `edges` (k + 1,)."""
        self.values = values
        self.counts = counts
        self.edges = edges

    def payload(self) -> Payload:
        """Return the numbers. Raises BadInput when counts and edges do not fit."""
        if self.values is not None:
            return Payload(self.kind, to_array(self.values, "a histogram"), {})
        if self.counts is None or self.edges is None:
            raise BadInput("a histogram needs values, or both counts and edges")
        counts = to_array(self.counts, "a histogram's counts").reshape(-1).astype(np.float64)
        edges = to_array(self.edges, "a histogram's edges").reshape(-1).astype(np.float64)
        _check_bins(counts, edges)
        return Payload(self.kind, np.concatenate([edges, counts]), {"binned": True})


class Graph(Loggable):
    """A model's graph."""

    kind = "graph"

    def __init__(self, data: GraphData) -> None:
        """Wrap a graph that a hook or the user built."""
        self.data = data

    def payload(self) -> Payload:
        """Return the graph as JSON. Raises BadInput when it is no GraphData."""
        data = self.data
        if not isinstance(data, GraphData):
            raise BadInput(
                f"a graph must be a stepscope GraphData, but got {type(data).__name__}. "
                f"For a model use TorchTracker, KerasTracker or TensorFlowTracker."
            )
        facts = {
            "nodes": len(data.nodes),
            "layers": len(data.layers),
            "parameters": data.parameters,
        }
        return Payload(self.kind, data.to_json().encode(), facts)


def _caption(caption: object) -> str | None:
    return None if caption is None else str(caption)


def _check_sound(shape: tuple[int, ...], rate: int) -> None:
    channels = shape[1] if len(shape) == 2 else 1
    if channels > _MOST_CHANNELS or 2 * channels * rate > _MOST_BYTES_A_SECOND:
        raise BadInput(
            f"a sound needs numbers that fit into a WAV file, but got {channels} channels of {rate} samples "
            f"a second. Check the sample_rate, or pass a layout."
        )


def _image_layout(shape: tuple[int, ...], *, torch: bool) -> ImageLayout:
    if len(shape) == 2:
        return "HW"
    if len(shape) == 3:
        first, last = shape[0] in _IMAGE_CHANNELS, shape[-1] in _IMAGE_CHANNELS
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
    if len(shape) != len(layout) or channels not in _IMAGE_CHANNELS or 0 in shape:
        raise BadInput(
            f"an image of layout {layout} needs {len(layout)} dimensions and 1, 3 or 4 channels, "
            f"but got shape {shape}"
        )


def _check_bins(counts: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> None:
    if len(edges) != len(counts) + 1 or not len(counts):
        raise BadInput(
            f"a histogram needs one more edge than counts, but got {len(edges)} edges and "
            f"{len(counts)} counts"
        )
    wrong = np.flatnonzero(~(np.diff(edges) > 0))
    if len(wrong):
        at = int(wrong[0])
        raise BadInput(
            f"a histogram's edges must ascend, but edges[{at + 1}]={edges[at + 1]} comes after "
            f"edges[{at}]={edges[at]}. Pass sorted, distinct edges, or raw values."
        )
    if not np.isfinite(edges).all():
        raise BadInput(f"a histogram's edges must be finite, but they go from {edges[0]} to {edges[-1]}")
    if not np.isfinite(counts).all() or (counts < 0).any() or counts.sum() <= 0:
        raise BadInput("a histogram's counts must be finite, not negative and not all zero")
