"""Where the parameters of a model are, as nested areas."""

from __future__ import annotations

import numpy as np

from ...storage.kinds.graph import GraphData
from .figures import COLOURS, Figure, label, layout, mix
from .graph_rows import name_of, parent_of, rows
from .words import LONGEST_NAME, brief, count, short_count

MOST_AREAS = 300
"""More cannot be told apart and are slow to draw; the largest are drawn."""


def figure(data: GraphData) -> Figure:
    """Draw how the parameters are spread over the modules, as nested areas."""
    # What holds others holds at least as much as they do: nothing is kept without what is around it.
    largest = sorted((one for one in rows(data) if one.parameters), key=lambda one: -one.parameters)
    kept = {layer.path for layer in largest[:MOST_AREAS]}
    layers = [layer for layer in rows(data) if layer.path in kept]
    tops = sorted({layer.path.partition("/")[0] for layer in layers if layer.path})
    tints = {top: mix(COLOURS[place % len(COLOURS)], "#FFFFFF", 0.45) for place, top in enumerate(tops)}
    trace = {
        "type": "treemap",
        "ids": [label(layer.path or "/") for layer in layers],
        "labels": [label(brief(name_of(layer.path) or data.name, LONGEST_NAME)) for layer in layers],
        "parents": [label(_nearest(layer.path, kept)) for layer in layers],
        "values": np.array([layer.parameters for layer in layers], dtype=np.float64),
        "text": [label(f"{layer.type} · {short_count(layer.parameters)}") for layer in layers],
        "textfont": {"color": "#1A1A1A"},
        "branchvalues": "total",
        "marker": {
            "colors": [tints.get(layer.path.partition("/")[0], "#D5D9E0") for layer in layers],
            "cornerradius": 3,
        },
        "pathbar": {"visible": False},
        "hovertemplate": "<b>%{id}</b><br>%{text}<br>%{value:,d} parameters<extra></extra>",
    }
    drawn = layout("Where the parameters are", f"{count(data.parameters)} in all", height=340)
    return {"data": [trace], "layout": {**drawn, "margin": {"l": 4, "r": 4, "t": 58, "b": 4}}}


def _nearest(path: str, known: set[str]) -> str:
    """Return the closest module around a path that is drawn as well; the model itself goes by "/"."""
    while path:
        path = parent_of(path)
        if path in known:
            return path or "/"
    return ""
