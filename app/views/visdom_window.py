"""Windows of Visdom as the dashboard draws them: the same traces, in the page's own fonts and colours."""

from __future__ import annotations

import html
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from ...storage.kinds.figure import FigureData
from ...trackers.sources.visdom.json_files import as_dict
from . import figure as figures
from .figures import Figure

WIDTH = 410
"""Pixels of the width of a window's inside."""
HEIGHT = 340
"""Pixels of what a window holds."""
TALLEST = 250
"""Pixels of a picture, which has a slider above and a caption below it."""

_DASHES = ("solid", "dash", "dot", "dashdot")


def plot(content: Mapping[str, Any], colours: Mapping[str, str]) -> Figure:
    """Return a plot; its title stands above the window.

    Nothing in it loads from, or leads to, another place (see storage/kinds/figure_safe.py).

    Args:
        content: traces and layout.
        colours: run_id -> `#RRGGBB`, for curves of runs; of several of one run, the others are dashed.

    Raises:
        StoreDamaged: it is no figure of plotly.
    """
    text = json.dumps({"data": content.get("data"), "layout": content.get("layout")})
    drawn = figures.figure(FigureData(text.encode(), "application/json"))
    if drawn is None:
        raise RuntimeError("a picture is no plot")
    layout = {key: value for key, value in drawn["layout"].items() if key not in ("title", "width", "meta")}
    layout |= {"height": HEIGHT, "margin": {"l": 55, "r": 15, "t": 15, "b": 50}}
    layout["legend"] = {"orientation": "h", "y": -0.17, "yanchor": "top"}
    seen: dict[str, int] = {}
    for trace in drawn["data"]:
        # What the export notes for an import is not for the eye.
        run_id = str(as_dict(trace.pop("meta", None)).get("run"))
        if run_id in colours:
            dash = _DASHES[min(seen.setdefault(run_id, 0), len(_DASHES) - 1)]
            trace["line"] = {"color": colours[run_id], "dash": dash}
            trace["marker"] = {"size": 4, "color": colours[run_id]}
            seen[run_id] += 1
    return {"data": drawn["data"], "layout": layout}


def magnified(data: bytes) -> tuple[bytes, int]:
    """Return a picture and how many pixels wide it is shown: of small ones, each pixel as a square.

    Raises:
        OSError: it is no picture.
    """
    with Image.open(io.BytesIO(data)) as picture:
        width, height = picture.size
        shown = max(1, round(width * min(WIDTH / width, TALLEST / height)))
        times = min(WIDTH // width, TALLEST // height)
        if times < 3 or getattr(picture, "is_animated", False):
            return data, shown
        buffer = io.BytesIO()
        plain = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA")
        plain.resize((width * times, height * times), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue(), width * times


def network(content: Mapping[str, Any]) -> Figure:
    """Return a network: circles in layers from top to bottom, as their arrows lead, with their labels."""
    nodes, edges = content["nodes"], content["edges"]
    arrows = [(int(edge["source"]), int(edge["target"])) for edge in edges]
    places = _places(len(nodes), arrows)
    lines: dict[str, list[float | None]] = {"x": [], "y": []}
    for source, target in arrows:
        for axis, name in enumerate("xy"):
            lines[name] += [places[source][axis], places[target][axis], None]
    marks = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "text": [html.escape(str(node.get("label", "")), quote=False) for node in nodes],
        "textposition": "middle right",
        "marker": {"size": 12},
        "hoverinfo": "text",
    }
    drawn = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "line": {"width": 1}, **lines}
    hidden = {"visible": False, "zeroline": False}
    layout = {"xaxis": hidden, "yaxis": hidden, "showlegend": False, "height": HEIGHT}
    return {"data": [drawn, marks], "layout": {**layout, "margin": {"l": 15, "r": 15, "t": 15, "b": 15}}}


def _places(count: int, arrows: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return where each circle lies: as far down as the longest way to it, beside the others of its depth."""
    depth = [0] * count
    # In a ring there is no longest way: it ends after as many rounds as there are circles.
    for _ in range(count):
        moved = False
        for source, target in arrows:
            if depth[target] <= depth[source] < count - 1:
                depth[target], moved = depth[source] + 1, True
        if not moved:
            break
    rows: dict[int, list[int]] = {}
    for node, level in enumerate(depth):
        rows.setdefault(level, []).append(node)
    widest = max(map(len, rows.values()), default=1)
    places = [(math.nan, math.nan)] * count
    for level, members in rows.items():
        for place, node in enumerate(members):
            places[node] = ((place + 0.5) * widest / len(members), -float(level))
    return places
