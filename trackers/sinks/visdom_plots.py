"""Values that Visdom draws with plotly, as its panes. Pure: nothing is sent or written here."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ...storage.downsample import rebin
from ...storage.kinds.embedding import EmbeddingData
from ...storage.kinds.figure import FigureData
from ...storage.kinds.histogram import HistogramData
from ...storage.kinds.mesh import MeshData
from ...storage.kinds.pr_curve import PrCurveData
from .visdom_panes import Json, Pane, layout, numbers

_BINS = 30
_MOST_POINTS = 5_000
_MOST_FACES = 20_000


def histogram_pane(win: str, title: str, steps: Sequence[int], values: Sequence[HistogramData]) -> Pane:
    """Return bars of the newest histogram; a click on an older one's name shows it."""
    traces = [_bars(step, value) for step, value in zip(steps, values, strict=True)]
    for trace in traces[:-1]:
        trace["visible"] = "legendonly"
    drawn = {**layout(title, "value"), "barmode": "overlay", "bargap": 0}
    return Pane(win, "plot", title, {"data": traces, "layout": drawn})


def _bars(step: int, value: HistogramData) -> Json:
    edges, counts = rebin(value.edges, value.counts, _BINS)
    return {
        "type": "bar",
        "name": f"step {step}",
        # Halved before they are added: the sum of two huge edges is no number.
        "x": numbers(edges[:-1] / 2 + edges[1:] / 2),
        "y": numbers(counts),
        "opacity": 0.7,
    }


def pr_curve_pane(win: str, title: str, steps: Sequence[int], values: Sequence[PrCurveData]) -> Pane:
    """Return precision over recall, a curve for each step; a click on an older one's name shows it."""
    traces: list[Json] = []
    for step, value in zip(steps, values, strict=True):
        # Where nothing is predicted as positive there is no precision.
        known = value.tp + value.fp > 0
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"step {step}",
                "x": numbers(value.recall[known]),
                "y": numbers(value.precision[known]),
                "visible": True if step == steps[-1] else "legendonly",
            }
        )
    return Pane(win, "plot", title, {"data": traces, "layout": layout(title, "recall")})


def embedding_pane(win: str, title: str, _steps: Sequence[int], values: Sequence[EmbeddingData]) -> Pane:
    """Return the newest vectors on their two principal axes, at most 5,000 of them, evenly chosen."""
    newest = values[-1]
    points, _ = newest.projected()
    every = -(-len(points) // _MOST_POINTS)
    labels = [html.escape(" ".join(row), quote=False) for row in newest.rows[::every]]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "",
        "x": numbers(points[::every, 0]),
        "y": numbers(points[::every, 1]),
        "text": labels,
        "marker": {"size": 5},
    }
    drawn = {**layout(title, "principal axis"), "showlegend": False}
    return Pane(win, "plot", title, {"data": [trace], "layout": drawn})


def mesh_pane(win: str, title: str, _steps: Sequence[int], values: Sequence[MeshData]) -> Pane:
    """Return the newest mesh, with at most 20,000 faces; without faces, at most 5,000 points."""
    newest = values[-1]
    every = 1 if newest.faces is not None else -(-len(newest.vertices) // _MOST_POINTS)
    vertices = newest.vertices[::every].astype(np.float64)
    trace: Json = {name: numbers(vertices[:, place]) for place, name in enumerate("xyz")}
    colors = newest.hex_colors(every)
    if newest.faces is None:
        marker: Json = {"size": 2} if colors is None else {"size": 2, "color": colors}
        trace |= {"type": "scatter3d", "mode": "markers", "marker": marker}
    else:
        faces = newest.faces[:: max(1, -(-len(newest.faces) // _MOST_FACES))]
        trace |= {name: faces[:, place].tolist() for place, name in enumerate("ijk")}
        trace |= {"type": "mesh3d"} if colors is None else {"type": "mesh3d", "vertexcolor": colors}
    drawn = {**layout(title, ""), "scene": {"aspectmode": "data"}, "showlegend": False}
    return Pane(win, "plot", title, {"data": [trace], "layout": drawn})


def figure_pane(win: str, title: str, value: FigureData) -> Pane:
    """Return a plotly figure, without what loads from elsewhere."""
    spec = _lists(value.spec())
    return Pane(win, "plot", title, {"data": spec["data"] or [{"type": "scatter"}], "layout": spec["layout"]})


def _lists(value: Any) -> Any:
    """Return a figure's JSON with arrays as lists: older plotly.js, as Visdom's, reads no base64."""
    if isinstance(value, list):
        return [_lists(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    known = cast("Json", value)
    if "bdata" not in known or "dtype" not in known:
        return {key: _lists(item) for key, item in known.items()}
    array = np.frombuffer(base64.b64decode(known["bdata"]), np.dtype(known["dtype"]))
    shape = [int(size) for size in str(known.get("shape", len(array))).split(",")]
    return _finite(array.reshape(shape).tolist())


def _finite(value: Any) -> Any:
    """Return nested lists of numbers; JSON has none that are not finite."""
    if isinstance(value, list):
        return [_finite(item) for item in cast("list[Any]", value)]
    return value if np.isfinite(value) else None
