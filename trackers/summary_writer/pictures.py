"""Pictures, frames and sounds as the original makes them: the same pixels and samples, the same errors."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .numbers import as_numpy

_FULL_SCALE = 32_767


def pixels_of(picture: Any, dataformats: str) -> NDArray[np.uint8]:
    """Return pixels, uint8 (height, width, channels), of a picture or a batch of them, made into one grid.

    Raises:
        AssertionError: the format does not fit the shape.
        NotImplementedError: it is neither tensor nor array.
    """
    return _as_uint8(_to_hwc(as_numpy(picture), dataformats))


def with_boxes(
    pixels: NDArray[np.uint8], boxes: Any, labels: list[str] | None, rescale: float
) -> NDArray[np.uint8]:
    """Return pixels with boxes (n, 4) of x1, y1, x2, y2 drawn in red."""
    from PIL import Image  # noqa: PLC0415 - it takes a while, and few draw boxes

    picture = Image.fromarray(pixels)
    for number, corners in enumerate(as_numpy(boxes)):
        _draw_box(picture, corners, None if labels is None else labels[number])
    height, width = pixels.shape[:2]
    size = (int(width * rescale), int(height * rescale))
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


def rendered(figures: Any, close: bool) -> NDArray[np.uint8]:
    """Return matplotlib figures as pixels: (channels, height, width), of a list with one dimension more."""
    if isinstance(figures, list):
        return np.stack([_rendered_one(figure, close) for figure in figures])  # pyright: ignore[reportUnknownVariableType]
    return _rendered_one(figures, close)


def frames_of(video: Any) -> NDArray[np.uint8]:
    """Return (n, time, channels, height, width) as frames (time, height, width, channels), n in a grid."""
    batch: NDArray[Any] = as_numpy(video)
    count, time, channels, height, width = batch.shape
    if batch.dtype == np.uint8:
        batch = batch.astype(np.float32) / 255.0
    if count & (count - 1):
        padding = np.zeros((2 ** count.bit_length() - count, time, channels, height, width))
        batch = np.concatenate((batch, padding), axis=0)
    rows = 2 ** ((count.bit_length() - 1) // 2)
    columns = batch.shape[0] // rows
    grid = batch.reshape(rows, columns, time, channels, height, width).transpose(2, 0, 4, 1, 5, 3)
    return _as_uint8(grid.reshape(time, rows * height, columns * width, channels))


def samples_of(sound: Any) -> NDArray[np.int16]:
    """Return a sound of one channel as 16-bit samples (n,). Raises AssertionError for more channels."""
    array = as_numpy(sound).squeeze()
    if abs(array).max() > 1:
        print("warning: audio amplitude out of range, auto clipped.")
        array = array.clip(-1, 1)
    if array.ndim != 1:
        raise AssertionError("input tensor should be 1 dimensional.")
    return (array * _FULL_SCALE).astype(np.int16)


def _as_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    scale = 1 if array.dtype == np.uint8 else 255
    return (array.astype(np.float32) * scale).clip(0, 255).astype(np.uint8)


def _to_hwc(array: NDArray[Any], dataformats: str) -> NDArray[Any]:
    if len(set(dataformats)) != len(dataformats):
        raise AssertionError(
            f"You can not use the same dimension shorthand twice. input_format: {dataformats}"
        )
    if array.ndim != len(dataformats):
        raise AssertionError(
            f"size of input tensor and input format are different. "
            f"tensor shape: {array.shape}, input_format: {dataformats}"
        )
    wanted = {4: "NCHW", 3: "HWC", 2: "HW"}[len(dataformats)]
    turned = array.transpose([dataformats.upper().find(axis) for axis in wanted])
    if wanted == "NCHW":
        return _grid(turned).transpose(1, 2, 0)
    if wanted == "HW":
        return np.stack([turned] * 3, 2)
    return np.concatenate([turned] * 3, 2) if turned.shape[2] == 1 else turned


def _grid(pictures: NDArray[Any], most_columns: int = 8) -> NDArray[Any]:
    if pictures.shape[1] == 1:
        pictures = np.concatenate([pictures] * 3, 1)
    if pictures.shape[1] != 3:
        raise AssertionError("Input should be a 4D numpy array with 3 channels")
    count, _, height, width = pictures.shape
    columns = min(count, most_columns)
    rows = math.ceil(count / columns)
    canvas = np.zeros((3, height * rows, width * columns), pictures.dtype)
    for number, picture in enumerate(pictures):
        top, left = height * (number // columns), width * (number % columns)
        canvas[:, top : top + height, left : left + width] = picture
    return canvas


def _draw_box(picture: Any, corners: Any, label: str | None) -> None:
    from PIL import ImageDraw, ImageFont  # noqa: PLC0415 - as above

    left, top, right, bottom = (float(one) for one in corners)
    draw = ImageDraw.Draw(picture)
    around = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
    draw.line(around, width=2, fill="Red")
    if label:
        font = ImageFont.load_default()
        x1, y1, x2, y2 = font.getbbox(label)
        width, height = x2 - x1, y2 - y1
        margin = math.ceil(0.05 * height)
        draw.rectangle([(left, bottom - height - 2 * margin), (left + width, bottom)], fill="Red")
        draw.text((left + margin, bottom - height - margin), label, fill="black", font=font)


def _rendered_one(figure: Any, close: bool) -> NDArray[np.uint8]:
    canvas = import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3].transpose(2, 0, 1)
    if close:
        import_module("matplotlib.pyplot").close(figure)
    return pixels
