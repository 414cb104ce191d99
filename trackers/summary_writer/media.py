"""The part of SummaryWriter that adds pictures, figures, videos and sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..media import Audio, Image, Video
from .pictures import frames_of, pixels_of, rendered, samples_of, with_boxes
from .target import Target, beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Media(Target):
    """Adds what people look at or listen to."""

    @beside
    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Add a picture; uint8 is taken as it is, all else spans 0 to 1.

        Raises:
            AssertionError: `dataformats` does not fit the shape.
            NotImplementedError: it is neither tensor nor array.
        """
        self._put_pixels(tag, pixels_of(img_tensor, dataformats), global_step, walltime)

    @beside
    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Add a batch of pictures as one grid, 8 in a row. Raises as `add_image`."""
        self._put_pixels(tag, pixels_of(img_tensor, dataformats), global_step, walltime)

    @beside
    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Any,
        box_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        rescale: float = 1,
        dataformats: str = "CHW",
        labels: list[str] | str | None = None,
    ) -> None:
        """Add a picture with boxes drawn in: (n, 4) of x1, y1, x2, y2 in pixels. Raises as `add_image`."""
        words = [labels] if isinstance(labels, str) else labels
        if words is not None and len(words) != box_tensor.shape[0]:
            words = None
        pixels = with_boxes(pixels_of(img_tensor, dataformats), box_tensor, words, rescale)
        self._put_pixels(tag, pixels, global_step, walltime)

    @beside
    def add_figure(
        self,
        tag: str,
        figure: Figure | list[Figure],
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Add a matplotlib figure as a picture; of a list, all of them as one grid."""
        formats = "NCHW" if isinstance(figure, list) else "CHW"
        self._put_pixels(tag, pixels_of(rendered(figure, close), formats), global_step, walltime)

    @beside
    def add_video(
        self,
        tag: str,
        vid_tensor: Any,
        global_step: Any = None,
        fps: float = 4,
        walltime: float | None = None,
    ) -> None:
        """Add videos (n, time, channels, height, width) as one, n in a grid; it needs no moviepy.

        Raises:
            ValueError: it has not five dimensions.
            NotImplementedError: it is neither tensor nor array.
        """
        self.put(tag, Video(frames_of(vid_tensor), fps=fps, layout="THWC"), global_step, walltime)

    @beside
    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: Any = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Add a sound of one channel, (1, n), from -1 to 1. Raises AssertionError for more channels."""
        self.put(tag, Audio(samples_of(snd_tensor), sample_rate), global_step, walltime)

    def _put_pixels(self, tag: str, pixels: Any, global_step: Any, walltime: float | None) -> None:
        self.put(tag, Image(pixels, layout="HWC"), global_step, walltime)
