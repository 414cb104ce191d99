"""Embeddings as users wrap them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.errors import BadInput
from ...storage.kinds.parts import join
from ..arrays import is_torch_tensor, to_array
from ..raw import Payload
from .base import Loggable
from .frames import frames_layout

MOST_BYTES = 256 << 20
"""Of the vectors of one embedding."""


class Embedding(Loggable):
    """A vector for each sample, with what is known of the samples: labels, pictures."""

    kind = "embedding"

    def __init__(
        self,
        vectors: Any,
        metadata: Sequence[Any] | None = None,
        images: Any = None,
        header: Sequence[str] | None = None,
    ) -> None:
        """Wrap vectors.

        Args:
            vectors: shape (n, d).
            metadata: a label for each vector; with a `header`, a row of as many cells as that has.
            images: a picture for each vector, shape (n, h, w, c) or (n, c, h, w).
            header: names of the columns of `metadata`.
        """
        self.vectors = vectors
        self.metadata = metadata
        self.images = images
        self.header = header

    def payload(self) -> Payload:
        """Return the arrays. Raises BadInput when they do not fit together."""
        vectors = to_array(self.vectors, "an embedding")
        if vectors.ndim != 2 or vectors.size == 0:
            raise BadInput(f"an embedding needs vectors of shape (n, d), but got {vectors.shape}")
        if vectors.size * 4 > MOST_BYTES:
            raise BadInput(
                f"an embedding may have {MOST_BYTES >> 22:,} million numbers, but this one has shape "
                f"{vectors.shape}. Log a sample of it."
            )
        arrays: dict[str, NDArray[Any]] = {"vectors": vectors.astype(np.float32)}
        if self.metadata is not None:
            arrays["metadata"] = _metadata(self.metadata, self.header, len(vectors))
        elif self.header is not None:
            raise BadInput(f"an embedding's header names columns of metadata, but got {self.header!r} alone")
        if self.images is not None:
            arrays["images"] = _images(self.images, len(vectors))
        parts, data = join(arrays)
        return Payload(self.kind, data, {"parts": parts})


def _metadata(metadata: Any, header: Sequence[str] | None, count: int) -> NDArray[np.uint8]:
    """Return labels or rows as JSON text, in bytes."""
    rows = [_row(one) if header is not None else [str(one)] for one in metadata]
    if len(rows) != count:
        raise BadInput(f"an embedding of {count} vectors needs as much metadata, but got {len(rows)}")
    names = [str(name) for name in header or ()]
    wrong = next((row for row in rows if header is not None and len(row) != len(names)), None)
    if wrong is not None:
        raise BadInput(
            f"an embedding's metadata needs {len(names)} cells as its header, but got {wrong!r:.80}"
        )
    text = json.dumps({"header": names, "rows": rows})
    return np.frombuffer(text.encode(), np.uint8)


def _row(row: Any) -> list[str]:
    return [row] if isinstance(row, str) else [str(cell) for cell in row]


def _images(images: Any, count: int) -> NDArray[Any]:
    what = "an embedding's images"
    array = to_array(images, what)
    if frames_layout(what, array.shape, torch=is_torch_tensor(images)) == "TCHW":
        array = array.transpose(0, 2, 3, 1)
    if len(array) != count:
        raise BadInput(f"an embedding of {count} vectors needs as many images, but got {len(array)}")
    return array
