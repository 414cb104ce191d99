"""Embeddings: a vector for each sample, with labels and small pictures where they are known.

The pictures lie on one sheet (a sprite), row by row, as TensorBoard's projector reads it.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape
from .image import to_pixels
from .parts import pack, split, unpack

WIDEST_SPRITE = 8192
"""Pixels: what TensorBoard's projector takes. The pictures of a larger sheet are made smaller."""
_AXES_FROM = 1000
"""How many vectors the axes of a projection are found from."""


@dataclass(frozen=True, slots=True)
class EmbeddingData:
    """n vectors of d numbers."""

    vectors: NDArray[np.float32]
    """Shape (n, d)."""
    header: tuple[str, ...] = ()
    """The names of the columns of `rows`; empty when each row is one label."""
    rows: tuple[tuple[str, ...], ...] = ()
    """The metadata of each vector; empty when there are none."""
    sprite: bytes | None = None
    """A PNG with the pictures, ceil(sqrt(n)) in each row of it."""
    image_size: tuple[int, int] | None = None
    """Width and height of each picture on the sprite."""

    def projected(self, dimensions: int = 2) -> tuple[NDArray[np.float64], float]:
        """Return the vectors on their principal axes and the share of the variance there.

        The axes are found from at most 1000 of the vectors, evenly chosen. The points are of the shape
        (n, dimensions); of vectors with fewer numbers, zeros follow.
        """
        vectors = np.nan_to_num(self.vectors.astype(np.float64), posinf=0.0, neginf=0.0)
        chosen = vectors[:: -(-len(vectors) // _AXES_FROM)]
        mean = chosen.mean(axis=0)
        _, size, axes = np.linalg.svd(chosen - mean, full_matrices=False)
        axes = axes[:dimensions]
        # An axis and its opposite are equally good: the same one each time.
        axes *= np.where(axes.sum(axis=1) < 0, -1.0, 1.0)[:, None]
        flat = np.zeros((len(vectors), dimensions))
        flat[:, : len(axes)] = (vectors - mean) @ axes.T
        total = float(np.square(size).sum())
        return flat, float(np.square(size[:dimensions]).sum()) / total if total else 1.0


def encode(raw: RawValue) -> EncodedValue:
    """Compress vectors (n, d) and metadata (JSON text); lay pictures (n, h, w, c) on one sheet."""
    arrays = split(raw.meta["parts"], raw.data)
    facts: dict[str, Any] = {}
    images = arrays.pop("images", None)
    if images is not None:
        sprite, facts["image_size"] = _sprite(images)
        arrays["sprite"] = np.frombuffer(sprite, np.uint8)
    return pack(arrays, facts)


def decode(meta: Mapping[str, Any], data: bytes) -> EmbeddingData:
    """Return vectors, metadata and the sprite."""
    arrays = unpack("an embedding", meta, data)
    try:
        vectors = arrays["vectors"]
        known: Any = json.loads(arrays["metadata"].tobytes()) if "metadata" in arrays else {}
        header = tuple(str(name) for name in known.get("header", ()))
        rows = tuple(tuple(str(cell) for cell in row) for row in known.get("rows", ()))
        if vectors.ndim != 2 or not vectors.size or (rows and len(rows) != len(vectors)):
            raise ValueError(f"vectors of shape {vectors.shape} with {len(rows)} rows of metadata")
        sprite = arrays["sprite"].tobytes() if "sprite" in arrays else None
        width, height = meta["image_size"] if sprite is not None else (0, 0)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"an embedding of {len(data)} bytes cannot be read: {error}") from error
    return EmbeddingData(vectors, header, rows, sprite, (int(width), int(height)) if sprite else None)


def _sprite(images: NDArray[Any]) -> tuple[bytes, tuple[int, int]]:
    """Return a sheet of pictures (n, h, w, c) as PNG, and the width and height of each on it."""
    pixels = to_pixels(images)
    count, height, width, channels = pixels.shape
    across = math.ceil(math.sqrt(count))
    shrink = min(1.0, WIDEST_SPRITE / (across * max(width, height)))
    size = (max(1, int(width * shrink)), max(1, int(height * shrink)))
    sheet = Image.new("RGBA" if channels == 4 else "RGB", (across * size[0], across * size[1]))
    for place, one in enumerate(pixels):
        picture = Image.fromarray(one[:, :, 0] if channels == 1 else one)
        if shrink < 1.0:
            picture = picture.resize(size, Image.Resampling.BOX)
        sheet.paste(picture, (place % across * size[0], place // across * size[1]))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue(), size


KIND = Kind("embedding", Shape.BLOB, "application/zstd", encode, decode)
