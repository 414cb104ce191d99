"""Videos. Frames become MP4 (H.264, which browsers play) where PyAV is installed, else an animated WebP.

Numbers become pixels by the rule of images. Files that were encoded before are kept as they are.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module, util
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from ..errors import BadInput, MissingExtra, StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape
from .image import to_pixels

MEDIA_TYPES = ("video/mp4", "video/webm", "image/gif", "image/webp")
_CODEC = "libx264"
# One thread: the training wants the others.
_OPTIONS = {"crf": "18", "preset": "veryfast", "threads": "1"}
_GIF_FRAMES = 200
_GIF_WIDTH = 320

_Frame = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class VideoData:
    """One video."""

    data: bytes
    """The file."""
    media_type: str
    """One of MEDIA_TYPES."""
    fps: float | None = None
    """Frames a second; None of a file that was encoded before, as the next three may be."""
    frames: int | None = None
    width: int | None = None
    height: int | None = None
    caption: str | None = None

    @property
    def is_animation(self) -> bool:
        """Whether browsers take it for an image: a GIF or a WebP."""
        return self.media_type.startswith("image/")

    def array(self) -> _Frame:
        """Return the frames: uint8 (n, height, width, 3).

        Raises:
            MissingExtra: the frames of an MP4 or WebM need PyAV.
            StoreDamaged: it is no such file.
        """
        return np.stack(list(self.pictures()))

    def pictures(self) -> Iterator[_Frame]:
        """Yield the frames one by one: uint8 (height, width, 3). Raises as `array` does."""
        try:
            yield from _animation(self.data) if self.is_animation else _film(self.data)
        except (OSError, ValueError) as error:
            raise StoreDamaged(f"a video of {len(self.data)} bytes is no {self.media_type}") from error

    def gif(self) -> bytes:
        """Return a GIF of at most 200 of the frames, evenly chosen, 320 pixels wide.

        Raises as `array` does.
        """
        if self.media_type == "image/gif":
            return self.data
        pictures = [_small(one) for one in self.pictures()]
        every = -(-len(pictures) // _GIF_FRAMES)
        # The time of a frame is whole hundredths of a second; browsers slow down what is faster than two.
        wait = max(20, round(100 * every / (self.fps or 25)) * 10)
        buffer = io.BytesIO()
        first, *others = pictures[::every]
        first.save(buffer, "GIF", save_all=True, append_images=others, duration=wait, loop=0)
        return buffer.getvalue()


def encode(raw: RawValue) -> EncodedValue:
    """Encode frames of meta["layout"] "THWC" or "TCHW", or keep a file of meta["media_type"]."""
    meta = {key: raw.meta[key] for key in ("caption", "fps", "media_type") if key in raw.meta}
    if "media_type" in meta:
        return EncodedValue(bytes(raw.data), meta)
    array = raw.array()
    frames = array.transpose(0, 2, 3, 1) if raw.meta["layout"] == "TCHW" else array
    meta |= {"frames": frames.shape[0], "height": frames.shape[1], "width": frames.shape[2]}
    if util.find_spec("av") is not None:
        return EncodedValue(_mp4(frames, meta["fps"]), {**meta, "media_type": "video/mp4"})
    return EncodedValue(_webp(frames, meta["fps"]), {**meta, "media_type": "image/webp"})


def decode(meta: Mapping[str, Any], data: bytes) -> VideoData:
    """Return the video."""
    if meta.get("media_type") not in MEDIA_TYPES:
        raise StoreDamaged(f"a video is one of {', '.join(MEDIA_TYPES)}, but its row is {dict(meta)!r}")
    known = {key: meta.get(key) for key in ("fps", "frames", "width", "height", "caption")}
    return VideoData(data, meta["media_type"], **known)  # pyright: ignore[reportArgumentType]


def media_type_of(data: bytes) -> str:
    """Return the media type of an encoded file, told from its first bytes.

    Raises:
        BadInput: it is neither MP4, WebM nor GIF.
    """
    if data[4:8] == b"ftyp":
        return "video/mp4"
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    raise BadInput(f"a video's file must be MP4, WebM or GIF, but it begins with {data[:12]!r}")


def _mp4(frames: NDArray[Any], fps: float) -> bytes:
    av: Any = import_module("av")
    buffer = io.BytesIO()
    rate = Fraction(fps).limit_denominator(1000)
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream(_CODEC, rate=rate, options=_OPTIONS)
        # Colours are kept for two by two pixels: both sides must be even.
        stream.height, stream.width = (size + size % 2 for size in frames.shape[1:3])
        stream.pix_fmt = "yuv420p"
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(_even(_rgb(pixels)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def _webp(frames: NDArray[Any], fps: float) -> bytes:
    buffer = io.BytesIO()
    first, *others = (Image.fromarray(_rgb(pixels)) for pixels in frames)
    wait = max(1, round(1000 / fps))
    first.save(buffer, "WEBP", save_all=True, append_images=others, duration=wait, quality=85, loop=0)
    return buffer.getvalue()


def _rgb(pixels: NDArray[Any]) -> _Frame:
    """Return a frame (h, w, c) as (h, w, 3): grey in three channels, without what says how clear it is."""
    shown = to_pixels(pixels)
    return np.ascontiguousarray(np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown[:, :, :3])


def _even(pixels: _Frame) -> _Frame:
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _animation(data: bytes) -> Iterator[_Frame]:
    with Image.open(io.BytesIO(data), formats=("GIF", "WEBP")) as picture:
        for frame in ImageSequence.Iterator(picture):
            yield np.asarray(frame.convert("RGB"))


def _film(data: bytes) -> Iterator[_Frame]:
    try:
        av: Any = import_module("av")
    except ImportError as error:
        raise MissingExtra("Reading the frames of a video", "video") from error
    # PyAV's errors are OSError or ValueError, as fits.
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def _small(pixels: _Frame) -> Image.Image:
    picture = Image.fromarray(pixels)
    picture.thumbnail((_GIF_WIDTH, 4 * _GIF_WIDTH))
    return picture


KIND = Kind("video", Shape.BLOB, "video/mp4", encode, decode)
