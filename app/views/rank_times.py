"""How long each rank of a run takes for a step, and what for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .figures import COLOURS, Figure, layout

_WORDS = {
    "data_time": "waiting for data",
    "forward_time": "forward",
    "backward_time": "backward",
    "optimizer_time": "optimizer",
}
_COLOUR_OF = dict(zip(_WORDS, (COLOURS[4], COLOURS[0], COLOURS[5], COLOURS[2]), strict=True))
_REST = "#8A8A8A"
_ROW = 22


def figure(step: Mapping[int, float], parts: Mapping[str, Mapping[int, float]]) -> Figure:
    """Draw a bar for each rank, made of the parts that are known of it.

    Args:
        step: rank -> the median of its step time, seconds.
        parts: `data_time` and the like -> the same.
    """
    found = sorted(step)
    traces: list[dict[str, Any]] = []
    rest = np.array([step[rank] for rank in found])
    for name, seconds in parts.items():
        if seconds:
            mine = np.array([seconds.get(rank, 0.0) for rank in found])
            rest = rest - mine
            traces.append(_bar(_WORDS[name], found, mine, _COLOUR_OF[name]))
    if bool((rest > 0).any()):
        word = "everything else" if traces else "step time"
        traces.append(_bar(word, found, np.maximum(rest, 0.0), _REST if traces else COLOURS[0]))
    drawn = layout(
        "",
        height=_ROW * len(found) + 90,
        barmode="stack",
        xaxis={"title": {"text": "seconds a step, median"}, "rangemode": "tozero"},
        yaxis={
            "tickvals": np.array(found),
            "ticktext": [f"rank {rank}" for rank in found],
            "autorange": "reversed",
            "showgrid": False,
            "automargin": True,
        },
        hovermode="closest",
    )
    drawn["showlegend"] = len(traces) > 1
    drawn["legend"] = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"}
    drawn["margin"] |= {"t": 30, "b": 40}
    return {"data": traces, "layout": drawn}


def _bar(name: str, found: list[int], seconds: Any, colour: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": np.array(found),
        "x": seconds,
        "marker": {"color": colour},
        "hovertemplate": f"rank %{{y}}: %{{x:.4g}} s {name}<extra></extra>",
    }
