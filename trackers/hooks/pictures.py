"""Arrays -> pictures: filters, feature maps, predictions, saliency, of any framework.

Everything here takes channels last and gives pixels in 0..1. Pictures are limited in number, and enlarged
by whole factors so that single weights are seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.errors import BadInput
from ..media import Image
from ..run import Run

Pixels = NDArray[np.float32]

MOST_TILES = 64
"""Filters or maps in one grid."""
MOST_SAMPLES = 16
"""Pictures of samples in one call."""
MOST_LAYERS = 8
"""Layers whose feature maps are drawn in one call."""
_SMALLEST_TILE, _WIDEST_GRID = 24, 1024
_GAP = 1


def filter_grid(filters: NDArray[Any]) -> tuple[Pixels, str]:
    """Draw the filters of a convolution, or the rows of a dense layer, side by side.

    Args:
        filters: (count, height, width, channels). With three channels they are drawn in colour, else the
            channels' mean. Each keeps its zero at middle grey, and all share one scale.

    Returns:
        The picture, and what to say under it.
    """
    count, height, width, channels = filters.shape
    shown = filters[:MOST_TILES].astype(np.float32)
    drawn = shown if channels in (1, 3) else shown.mean(axis=3, keepdims=True)
    largest = float(np.abs(np.nan_to_num(drawn, posinf=0.0, neginf=0.0)).max(initial=0.0))
    unit = 0.5 + 0.5 * drawn / (largest or 1.0)
    words = f"{_first(len(shown), count, 'filter')} of {height} x {width} x {channels}"
    if channels not in (1, 3):
        words += ", mean of the channels"
    return tiled(list(unit)), f"{words}; grey is 0, white {largest:.3g}"


def map_grid(maps: NDArray[Any]) -> tuple[Pixels, str]:
    """Draw the feature maps of one sample side by side, each on a scale of its own.

    Args:
        maps: (height, width, channels).
    """
    height, width, channels = maps.shape
    shown = [unit_range(maps[:, :, place, None]) for place in range(min(channels, MOST_TILES))]
    words = f"{_first(len(shown), channels, 'map')} of {height} x {width}"
    return tiled(shown), f"{words}, each from its least to its largest"


def tiled(tiles: Sequence[Pixels]) -> Pixels:
    """Lay pictures of one size out in a grid that is about square, enlarged or thinned out to be seen."""
    height, width, channels = tiles[0].shape
    columns = math.ceil(math.sqrt(len(tiles) * height / width)) or 1
    rows = math.ceil(len(tiles) / columns)
    every = -(-columns * width // _WIDEST_GRID)
    factor = max(1, min(-(-_SMALLEST_TILE // min(height, width)), _WIDEST_GRID // (columns * width)))
    sized = [tile[::every, ::every].repeat(factor, 0).repeat(factor, 1) for tile in tiles]
    height, width, _ = sized[0].shape
    grid = np.ones((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, channels), np.float32)
    for place, tile in enumerate(sized):
        top, left = (height + _GAP) * (place // columns), (width + _GAP) * (place % columns)
        grid[top : top + height, left : left + width] = tile
    return grid


def unit_range(array: NDArray[Any]) -> Pixels:
    """Stretch the finite numbers to 0..1; all alike become 0."""
    wide = array.astype(np.float32)
    finite = wide[np.isfinite(wide)]
    if not finite.size:
        return np.zeros(wide.shape, np.float32)
    low, high = float(finite.min()), float(finite.max())
    return np.nan_to_num((wide - low) / ((high - low) or 1.0), nan=0.0, posinf=1.0, neginf=0.0)


def as_pictures(inputs: NDArray[Any], what: str) -> list[Pixels]:
    """Return each sample as a picture: numbers within 0..1 as they are, 0..255 scaled, others stretched.

    Args:
        inputs: (samples, height, width, channels); with other than 1, 3 or 4 channels the first is drawn.
        what: names the argument in an error.

    Raises:
        BadInput: these are no pictures.
    """
    if inputs.ndim != 4:
        raise BadInput(
            f"{what} must be a batch of pictures, of four dimensions, but got the shape {inputs.shape}"
        )
    shown = inputs if inputs.shape[3] in (1, 3, 4) else inputs[..., :1]
    if inputs.dtype.kind in "bui":
        return list(shown.astype(np.float32) / (255.0 if inputs.max(initial=0) > 1 else 1.0))
    if inputs.min(initial=0) >= 0 and inputs.max(initial=0) <= 1:
        return list(shown.astype(np.float32))
    return [unit_range(sample) for sample in shown]


def prediction_captions(
    outputs: NDArray[Any], labels: NDArray[Any] | None, classes: Sequence[str] | None
) -> list[str]:
    """Return for each sample what was predicted, how surely, and what was right.

    Args:
        outputs: (samples, classes) of scores (made probabilities by softmax if they are none), (samples,) or
            (samples, 1) of probabilities or scores of the one class, or (samples,) of class numbers.
        labels: (samples,) of class numbers, or (samples, classes) one-hot.
        classes: the classes' names.
    """
    predicted, sure = _decided(outputs)
    right = None if labels is None else _class_numbers(labels)
    captions: list[str] = []
    for place, number in enumerate(predicted):
        caption = _class_name(int(number), classes)
        if sure is not None:
            caption += f" · {100 * sure[place]:.0f} %"
        if right is not None:
            fits = int(right[place]) == int(number)
            caption += " ✓" if fits else f" ✗ (is {_class_name(int(right[place]), classes)})"
        captions.append(caption)
    return captions


def saliency_pictures(inputs: NDArray[Any], gradients: NDArray[Any]) -> list[Pixels]:
    """Return each sample beside what it depends on: of each pixel the largest absolute gradient."""
    # A few pixels often hold gradients far above all others; they would leave the rest black.
    strength = np.abs(np.nan_to_num(gradients.astype(np.float32))).max(axis=3, keepdims=True)
    pictures: list[Pixels] = []
    for picture, one in zip(as_pictures(inputs, "inputs"), strength, strict=True):
        most = float(np.quantile(one, 0.99)) or float(one.max()) or 1.0
        channels = picture.shape[2]
        beside = np.repeat(np.clip(one / most, 0.0, 1.0), channels, axis=2)
        if channels == 4:
            beside[..., 3] = 1.0
        pictures.append(tiled([picture, beside.astype(np.float32)]))
    return pictures


def log_pictures(
    run: Run, name: str, drawn: Iterable[Pixels], captions: Iterable[str], step: int | None
) -> None:
    """Record pictures with their captions.

    Without a step of their own they belong to the step that was made last, and make none.
    """
    images = [Image(pixels, caption, layout="HWC") for pixels, caption in zip(drawn, captions, strict=True)]
    run.log({name: images}, step=max(run.step, 0) if step is None else step)


def _first(shown: int, count: int, word: str) -> str:
    plural = word if count == 1 else f"{word}s"
    return f"{count} {plural}" if shown == count else f"the first {shown} of {count} {plural}"


def _decided(outputs: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return class numbers, and how sure they are; None when the outputs are decisions already."""
    if outputs.dtype.kind in "bui":
        return _class_numbers(outputs), None
    scores = outputs.astype(np.float64).reshape(len(outputs), -1)
    if scores.shape[1] == 1:
        one = scores[:, 0]
        of_one = one if one.min() >= 0 and one.max() <= 1 else 1 / (1 + np.exp(-np.clip(one, -500, 500)))
        return (of_one >= 0.5).astype(int), np.maximum(of_one, 1 - of_one)
    if scores.min() < 0 or not np.allclose(scores.sum(axis=1), 1.0, atol=1e-3):
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
    return scores.argmax(axis=1), scores.max(axis=1)


def _class_numbers(labels: NDArray[Any]) -> NDArray[Any]:
    many = labels.reshape(len(labels), -1)
    return many[:, 0] if many.shape[1] == 1 else many.argmax(axis=1)


def _class_name(number: int, classes: Sequence[str] | None) -> str:
    return str(classes[number]) if classes is not None and 0 <= number < len(classes) else str(number)
