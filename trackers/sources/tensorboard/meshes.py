"""The arrays that TensorBoard keeps of meshes, each under a tag of its own -> meshes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...media import Mesh
from ...sinks.tensorboard.protos import mesh_data_pb2
from .tensors import ndarray_of

PLUGIN = "mesh"


@dataclass(slots=True)
class _Arrays:
    config: Any = None
    of: dict[int, NDArray[Any]] = field(default_factory=dict[int, NDArray[Any]])


def meshes_of(values: Iterable[tuple[Any, bytes]]) -> Iterator[tuple[str, Mesh]]:
    """Yield name and mesh for each that the values of one event hold.

    Args:
        values: Summary.Value, and the content that the metadata of its tag had.

    Raises:
        BadInput: an array is none.
        ValueError: its config is no JSON.
    """
    types = mesh_data_pb2.MeshPluginData
    found: dict[str, _Arrays] = {}
    for value, content in values:
        facts = types.FromString(content)
        arrays = found.setdefault(facts.name, _Arrays())
        arrays.of[facts.content_type] = ndarray_of(value.tensor)
        arrays.config = json.loads(facts.json_config) if facts.json_config else arrays.config
    for name, arrays in found.items():
        vertices, faces, colors = (arrays.of.get(one) for one in (types.VERTEX, types.FACE, types.COLOR))
        if vertices is not None:
            for one in range(len(vertices)):
                yield name, _mesh(vertices[one], _at(faces, one), _at(colors, one), arrays.config)


def _mesh(vertices: Any, faces: Any, colors: Any, config: Any) -> Mesh:
    if faces is not None:
        faces = faces.astype(np.int32)
    if colors is not None and not np.issubdtype(colors.dtype, np.integer):
        # TensorBoard takes colours to 255, whatever their type.
        colors = np.clip(np.rint(colors), 0, 255).astype(np.uint8)
    return Mesh(vertices, faces, colors, config)


def _at(array: NDArray[Any] | None, place: int) -> NDArray[Any] | None:
    return None if array is None or not len(array) else array[min(place, len(array) - 1)]
