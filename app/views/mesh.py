"""A mesh as the page shows it: a body in space that can be turned, or a cloud of points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.kinds.mesh import MeshData
from .figures import Figure, layout
from .words import count

MOST_FACES = 100_000
MOST_POINTS = 50_000


def figure(title: str, data: MeshData, colour: str) -> Figure:
    """Draw a mesh, or points where there are no faces.

    Args:
        title: shown literally; "" for what is drawn in its place.
        data: the mesh; of more than 100,000 faces or 50,000 points, evenly chosen ones are drawn.
        colour: of what has no colours of its own, `#RRGGBB`.
    """
    faces = data.faces
    trace, drawn = _points(data, colour) if faces is None else _body(data, faces, colour)
    every = len(data.vertices) if faces is None else len(faces)
    note = f"{count(len(data.vertices))} vertices" + ("" if faces is None else f", {count(every)} faces")
    if drawn < every:
        note += f", {count(drawn)} of them drawn"
    axis = {"showbackground": False, "title": {"text": ""}, "tickfont": {"size": 9}}
    scene = {"aspectmode": "data", "xaxis": axis, "yaxis": axis, "zaxis": axis}
    shown = layout(title or note, note if title else "", height=380, scene=scene)
    shown["margin"] |= {"l": 0, "r": 0, "b": 0}
    return {"data": [trace], "layout": shown}


def _body(data: MeshData, faces: NDArray[np.int32], colour: str) -> tuple[dict[str, Any], int]:
    chosen = faces[:: max(1, -(-len(faces) // MOST_FACES))]
    # Faces of another store may name vertices that are not there; the page would draw nothing at all.
    chosen = chosen[((chosen >= 0) & (chosen < len(data.vertices))).all(axis=1)]
    trace = {
        "type": "mesh3d",
        **_coordinates(data.vertices),
        **{name: np.ascontiguousarray(chosen[:, place]) for place, name in enumerate("ijk")},
        "flatshading": True,
        "hoverinfo": "x+y+z",
    }
    colours = data.hex_colors()
    painted = {"color": colour} if colours is None else {"vertexcolor": colours}
    return {**trace, **painted}, len(chosen)


def _points(data: MeshData, colour: str) -> tuple[dict[str, Any], int]:
    every = -(-len(data.vertices) // MOST_POINTS)
    chosen = data.vertices[::every]
    marker = {"size": 2, "color": data.hex_colors(every) or colour}
    trace = {"type": "scatter3d", "mode": "markers", **_coordinates(chosen), "marker": marker}
    return {**trace, "hoverinfo": "x+y+z"}, len(chosen)


def _coordinates(vertices: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    return {name: np.ascontiguousarray(vertices[:, place]) for place, name in enumerate("xyz")}
