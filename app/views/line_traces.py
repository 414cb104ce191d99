"""What plotly draws of each line of a chart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.downsample import smooth
from .figures import faint, label
from .lines import Line, Look
from .words import number

DASHES = {"train": "solid", "validation": "dash", "test": "dot"}
"""How a line of each split is dashed; a split of another name is dash-dotted."""

FEW_POINTS = 30
"""Up to here every point is marked, and drawn as it was measured: an average over a handful of values tells
less than the values do. Longer lines are smoothed, exactly as TensorBoard smooths them."""

MANY_POINTS = 120
"""From here on marks would run into each other."""
MOST_ARROWS = 50
"""How many values beyond the vertical axis are marked at its edge, of each line."""

_ODD_VALUES = (
    ("NaN", "x", np.isnan),
    ("∞", "triangle-up", np.isposinf),
    ("-∞", "triangle-down", np.isneginf),
)

_Floats = NDArray[np.float64]


def of_line(line: Line, look: Look, *, banded: bool) -> list[dict[str, Any]]:
    """Return what plotly draws of a line: its band, itself as it was logged, itself smoothed, its marks."""
    points, x, value = line.points, line.x, line.points.mean
    marked = len(points) <= (MANY_POINTS if line.granularity == "epoch" else FEW_POINTS)
    smoothed = smooth(value, look.smoothing) if len(points) > FEW_POINTS else value
    if line.ghost:
        return [_stroke(line, x, smoothed, faint(line.colour, 0.45), width=1.25, hover=False, dash="2px,3px")]
    traces: list[dict[str, Any]] = []
    if banded and points.bucketed:
        traces.append(_band(line, log=look.log_y))
    if not np.array_equal(smoothed, value, equal_nan=True):
        traces.append(_stroke(line, x, value, faint(line.colour, 0.28), width=1, hover=False))
    traces.append(_stroke(line, x, smoothed, line.colour, width=1.75, marked=marked))
    return traces + _odd_marks(line, x, smoothed)


def _stroke(
    line: Line,
    x: _Floats,
    y: _Floats,
    colour: str,
    *,
    width: float,
    marked: bool = False,
    hover: bool = True,
    dash: str | None = None,
) -> dict[str, Any]:
    """Return a line; where it is marked, each point is a dot."""
    dash = dash or DASHES.get(line.split or "train", "dashdot")
    return {
        "type": "scatter",
        "mode": "lines+markers" if marked else "lines",
        "x": x,
        "y": y,
        "name": label(line.name),
        "legendgroup": label(line.name),
        "showlegend": hover,
        "line": {"color": colour, "width": width, "dash": dash},
        "marker": {"size": 5 if len(x) <= FEW_POINTS else 3, "color": colour},
        "meta": {} if hover else {"raw": True},
        **({"hovertemplate": "%{y:.5g}"} if hover else {"hoverinfo": "skip"}),
    }


def _band(line: Line, *, log: bool) -> dict[str, Any]:
    """Return the area between the smallest and the largest value of each bucket."""
    low, high, x = line.points.min, line.points.max, line.x
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(x)
    if log:
        known &= high > 0
        # What reaches below zero reaches the lower edge of a logarithmic axis.
        low = np.where(low > 0, low, np.min(high[known], initial=1.0) * 1e-3)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": np.concatenate([x[known], x[known][::-1]]),
        "y": np.concatenate([high[known], low[known][::-1]]),
        "fill": "toself",
        "fillcolor": faint(line.colour, 0.16),
        # A single bucket of a thousand is narrower than a pixel: its area alone would not be seen.
        "line": {"width": 1, "color": faint(line.colour, 0.3)},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": label(line.name),
        "meta": {"band": True},
    }


def beyond(
    line: Line, seen: NDArray[np.bool_], ends: tuple[float, float] | None, *, log: bool
) -> list[dict[str, Any]]:
    """Mark the values beyond the vertical axis at its edge; what they are is told under the mouse."""
    if ends is None:
        return []
    low, high = line.points.min, line.points.max
    sides = ((high > ends[1], high, "triangle-up", 0.98), (low < ends[0], low, "triangle-down", 0.02))
    found: list[dict[str, Any]] = []
    for beyond, values, symbol, share in sides:
        places = np.flatnonzero(beyond & seen)[:MOST_ARROWS]
        if len(places):
            at = ends[0] * (ends[1] / ends[0]) ** share if log else ends[0] + share * (ends[1] - ends[0])
            found.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": line.x[places],
                    "y": np.full(len(places), at),
                    "text": [f"{label(line.name)}: {number(value)}" for value in values[places].tolist()],
                    "marker": {"symbol": symbol, "size": 8, "color": line.colour},
                    "hovertemplate": "%{text}<extra></extra>",
                    "showlegend": False,
                    "legendgroup": label(line.name),
                    "meta": {"mark": True},
                }
            )
    return found


def _odd_marks(line: Line, x: _Floats, y: _Floats) -> list[dict[str, Any]]:
    """Mark what is not a number at the height of the last number before it."""
    last = line.points.last
    if np.isfinite(last).all():
        return []
    height = _carried_forward(np.where(np.isfinite(last), y, np.nan))
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": x[where],
            "y": height[where],
            "name": label(line.name),
            "legendgroup": label(line.name),
            "showlegend": False,
            "marker": {
                "symbol": symbol,
                "size": 9,
                "color": line.colour,
                "line": {"width": 1, "color": "#C00000"},
            },
            "hovertemplate": word,
            "meta": {"mark": True},
        }
        for word, symbol, test in _ODD_VALUES
        if (where := test(last)).any()
    ]


def _carried_forward(values: _Floats) -> _Floats:
    """Replace NaN by the last number before it, at the beginning by the first one; 0 when there is none."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.zeros(len(values))
    before = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    return values[known[np.maximum(before, 0)]]
