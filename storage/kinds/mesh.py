"""Meshes and point clouds: corners in space, with triangles and colours where they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape
from .parts import pack, split, unpack


@dataclass(frozen=True, slots=True)
class MeshData:
    """One mesh; without faces it is a cloud of points."""

    vertices: NDArray[np.float32]
    """Shape (n, 3): x, y, z."""
    faces: NDArray[np.int32] | None = None
    """Shape (m, 3): the places of three vertices each."""
    colors: NDArray[np.uint8] | None = None
    """Shape (n, 3): red, green, blue of each vertex."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Camera, lights and materials as TensorBoard hands them to three.js."""

    def hex_colors(self, every: int = 1) -> list[str] | None:
        """Return the colours of one vertex in so many as `#rrggbb`; None when it has none."""
        if self.colors is None:
            return None
        return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in self.colors[::every].tolist()]


def encode(raw: RawValue) -> EncodedValue:
    """Compress the arrays."""
    arrays = split(raw.meta["parts"], raw.data)
    return pack(arrays, {"config": raw.meta["config"]} if "config" in raw.meta else {})


def decode(meta: Mapping[str, Any], data: bytes) -> MeshData:
    """Return the mesh."""
    arrays = unpack("a mesh", meta, data)
    try:
        vertices, faces, colors = arrays["vertices"], arrays.get("faces"), arrays.get("colors")
        found = [vertices, *(one for one in (faces, colors) if one is not None)]
        if any(one.ndim != 2 or one.shape[1] != 3 for one in found):
            raise ValueError("its arrays are not three wide")
        return MeshData(vertices, faces, colors, dict(meta.get("config", {})))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"a mesh of {len(data)} bytes cannot be read: {error}") from error


KIND = Kind("mesh", Shape.BLOB, "application/zstd", encode, decode)
