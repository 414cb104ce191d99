"""A sound as users wrap it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ...storage.errors import BadInput
from ..arrays import to_array
from ..raw import Payload
from .base import Loggable, as_caption

AudioLayout = Literal["NC", "CN"]

# The widths of the fields in the header of a WAV file with two bytes a sample.
_MOST_CHANNELS = 32_767
_MOST_BYTES_A_SECOND = 2**32 - 1


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
        return Payload(self.kind, array, {"sample_rate": int(rate), "caption": as_caption(self.caption)})


def _check_sound(shape: tuple[int, ...], rate: int) -> None:
    channels = shape[1] if len(shape) == 2 else 1
    if channels > _MOST_CHANNELS or 2 * channels * rate > _MOST_BYTES_A_SECOND:
        raise BadInput(
            f"a sound needs numbers that fit into a WAV file, but got {channels} channels of {rate} samples "
            f"a second. Check the sample_rate, or pass a layout."
        )
