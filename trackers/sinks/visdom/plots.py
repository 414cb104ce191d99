"""Values that Visdom draws with plotly, as its panes. Pure: nothing is sent or written here.

A window that merges in Visdom's comparison has traces with names; where that would be of no use, as with a
heat map over another, they have none.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ....storage.downsample import even_edges, rebin, spread_over
from ....storage.kinds.embedding import EmbeddingData
from ....storage.kinds.figure import FigureData
from ....storage.kinds.histogram import HistogramData
from ....storage.kinds.mesh import MeshData
from ....storage.kinds.pr_curve import PrCurveData
from .panes import Frame, Json, Pane, layout, numbers

_BINS = 30
_MOST_CURVES = 5
_MOST_POINTS = 5_000
_MOST_FACES = 20_000
_MOST_CLASSES = 20


def histogram_panes(frame: Frame, steps: Sequence[int], values: Sequence[HistogramData]) -> list[Pane]:
    """Return bars of the newest histogram and, of several, how they moved over the steps as a heat map."""
    edges, counts = rebin(values[-1].edges, values[-1].counts, _BINS)
    # Halved before they are added: the sum of two huge edges is no number.
    middles = edges[:-1] / 2 + edges[1:] / 2
    name = html.escape(str(frame.mark["name"]), quote=False)
    bars = {"type": "bar", "name": name, "x": numbers(middles), "y": numbers(counts)}
    # Overlaid, for Visdom's comparison, which adds the bars of other runs.
    drawn = {**layout(frame.title, f"value at step {steps[-1]}"), "bargap": 0, "barmode": "overlay"}
    drawn["showlegend"] = False
    panes = [frame.plot([{**bars, "opacity": 0.7}], drawn, steps[-1:])]
    filled = [(step, value) for step, value in zip(steps, values, strict=True) if len(value.counts)]
    if len(filled) > 1:
        over = frame.beside("steps", f"{frame.title} over steps")
        panes.append(_heat_map(over, [step for step, _ in filled], [value for _, value in filled]))
    return panes


def _heat_map(frame: Frame, steps: Sequence[int], values: Sequence[HistogramData]) -> Pane:
    low = min(float(value.edges[0]) for value in values)
    high = max(float(value.edges[-1]) for value in values)
    grid = even_edges(low, high, _BINS)
    shares = [spread_over(value.edges, value.counts, grid) / (value.counts.sum() or 1.0) for value in values]
    trace: Json = {
        "type": "heatmap",
        "x": [str(step) for step in steps],
        "y": numbers(grid[:-1] / 2 + grid[1:] / 2),
        "z": [numbers(row) for row in np.stack(shares, axis=1)],
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": "share"}},
    }
    drawn = {**layout(frame.title, ""), "showlegend": False}
    drawn["xaxis"] = {"title": {"text": "step", "standoff": 4}, "type": "category"}
    return frame.plot([trace], drawn, steps)


def pr_curve_panes(frame: Frame, steps: Sequence[int], values: Sequence[PrCurveData]) -> list[Pane]:
    """Return precision over recall: the newest curve, and a few before it, evenly chosen."""
    count = len(steps)
    places = np.linspace(0, count - 1, min(count, _MOST_CURVES)).round()
    chosen = [int(place) for place in np.unique(places)]
    traces: list[Json] = []
    for place in chosen:
        value: PrCurveData = values[place]
        # Where nothing is predicted as positive there is no precision.
        known = value.tp + value.fp > 0
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"step {steps[place]}",
                "x": numbers(value.recall[known]),
                "y": numbers(value.precision[known]),
                "marker": {"line": {"width": 0}},
            }
        )
    drawn = layout(frame.title, "recall")
    drawn["yaxis"] = {"title": {"text": "precision"}, "range": [0, 1.05]}
    return [frame.plot(traces, drawn, [steps[place] for place in chosen])]


def embedding_panes(frame: Frame, step: int, value: EmbeddingData) -> list[Pane]:
    """Return vectors on their three principal axes, at most 5,000 of them, evenly chosen; a trace a class.

    A class is a value of the last column of labels, where that has no more than 20 of them.
    """
    points, share = value.projected(3)
    chosen = np.arange(0, len(points), -(-len(points) // _MOST_POINTS))
    classes = [row[-1] if row else "" for row in value.rows] or [""] * len(points)
    if not 1 < len(set(classes)) <= _MOST_CLASSES:
        classes = [""] * len(points)
    flat = value.vectors.shape[1] < 3
    traces: list[Json] = []
    for name in sorted(set(classes)):
        places = [place for place in chosen.tolist() if classes[place] == name]
        trace: Json = {"type": "scatter" if flat else "scatter3d", "mode": "markers"}
        trace["name"] = html.escape(name, quote=False)
        trace |= {axis: numbers(points[places, at]) for at, axis in enumerate("xy" if flat else "xyz")}
        trace["text"] = [
            html.escape(" ".join(value.rows[place]), quote=False) for place in places if value.rows
        ]
        traces.append({**trace, "marker": {"size": 5 if flat else 3}})
    drawn = {**layout(frame.title, f"principal axes ({share:.0%} of the variance) at step {step}")}
    drawn["showlegend"] = len(traces) > 1
    return [frame.plot(traces, drawn, [step])]


def mesh_panes(frame: Frame, step: int, value: MeshData) -> list[Pane]:
    """Return a mesh, with at most 20,000 faces; without faces, at most 5,000 points."""
    every = 1 if value.faces is not None else max(1, -(-len(value.vertices) // _MOST_POINTS))
    vertices = value.vertices[::every].astype(np.float64)
    trace: Json = {name: numbers(vertices[:, place]) for place, name in enumerate("xyz")}
    colors = value.hex_colors(every)
    if value.faces is None:
        marker: Json = {"size": 2} if colors is None else {"size": 2, "color": colors}
        trace |= {"type": "scatter3d", "mode": "markers", "marker": marker}
    else:
        faces = value.faces[:: max(1, -(-len(value.faces) // _MOST_FACES))]
        trace |= {name: faces[:, place].tolist() for place, name in enumerate("ijk")}
        trace |= {"type": "mesh3d"} if colors is None else {"type": "mesh3d", "vertexcolor": colors}
    drawn = {**layout(frame.title, ""), "scene": {"aspectmode": "data"}, "showlegend": False}
    return [frame.plot([trace], drawn, [step])]


def figure_panes(frame: Frame, step: int, value: FigureData) -> list[Pane]:
    """Return a plotly figure, without what loads from elsewhere.

    Raises:
        StoreDamaged, ValueError: it is none.
    """
    try:
        spec = _lists(value.spec())
        return [frame.plot(spec["data"] or [{"type": "scatter"}], dict(spec["layout"]), [step])]
    except (TypeError, KeyError) as error:
        raise ValueError(f"it is no figure of plotly: {error!r}") from error


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
