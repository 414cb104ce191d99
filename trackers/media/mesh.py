"""A mesh or a cloud of points as users wrap it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.errors import BadInput
from ...storage.kinds.image import to_pixels
from ...storage.kinds.parts import join
from ..arrays import to_array
from ..raw import Payload
from .base import Loggable

MOST_VERTICES = 2_000_000


class Mesh(Loggable):
    """A mesh: corners, triangles and colours; without faces a cloud of points.

    Arrays may have a first dimension of 1 in front, as TensorBoard's do. Log a list of Mesh for several.
    """

    kind = "mesh"

    def __init__(
        self, vertices: Any, faces: Any = None, colors: Any = None, config: Mapping[str, Any] | None = None
    ) -> None:
        """Wrap one mesh.

        Args:
            vertices: x, y, z of each corner, shape (n, 3).
            faces: places of three vertices each, shape (m, 3).
            colors: red, green, blue of each vertex, shape (n, 3): whole numbers to 255, or floats to 1.
            config: JSON-able; camera, lights and material, as TensorBoard hands them to three.js.
        """
        self.vertices = vertices
        self.faces = faces
        self.colors = colors
        self.config = config

    def payload(self) -> Payload:
        """Return the arrays. Raises BadInput when they do not fit together."""
        vertices = _triples(self.vertices, "vertices").astype(np.float32)
        if not 0 < len(vertices) <= MOST_VERTICES:
            raise BadInput(f"a mesh needs 1 to {MOST_VERTICES:,} vertices, but got {len(vertices):,}")
        arrays: dict[str, NDArray[Any]] = {"vertices": vertices}
        if self.faces is not None:
            arrays["faces"] = _faces(self.faces, len(vertices))
        if self.colors is not None:
            arrays["colors"] = colors = to_pixels(_triples(self.colors, "colors"))
            if len(colors) != len(vertices):
                raise BadInput(
                    f"a mesh needs a color for each of its {len(vertices)} vertices, but got {len(colors)}"
                )
        parts, data = join(arrays)
        return Payload(self.kind, data, {"parts": parts, "config": _config(self.config)})


def _triples(values: Any, what: str) -> NDArray[Any]:
    array = to_array(values, f"a mesh's {what}")
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim != 2 or array.shape[1] != 3:
        raise BadInput(
            f"a mesh's {what} need shape (n, 3), but got {array.shape}. For several, log a list of Mesh."
        )
    return array


def _faces(values: Any, vertices: int) -> NDArray[np.int32]:
    array = _triples(values, "faces")
    if not np.issubdtype(array.dtype, np.integer):
        raise BadInput(f"a mesh's faces must be whole numbers, but got {array.dtype}")
    if array.size and not (array.min() >= 0 and array.max() < vertices):
        raise BadInput(
            f"a mesh's faces must name vertices from 0 to {vertices - 1}, but they go from {array.min()} to "
            f"{array.max()}"
        )
    return array.astype(np.int32)


def _config(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not config:
        return None
    try:
        return json.loads(json.dumps(dict(config)))
    except (TypeError, ValueError) as error:
        raise BadInput(f"a mesh's config must be JSON-able, but {error}") from error
