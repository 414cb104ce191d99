"""Histograms of one series over its steps: percentile bands, a heat map or ridges.

Stored bins are a few per cent wide and differ from step to step; they are put on one even grid only here,
for the eye, and their extremes stay exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.downsample import BASIS_POINTS, basis_points, even_edges, spread_over
from .figures import Figure, faint, label, layout, mix
from .words import TIMES, count

GRID_BINS = 72
"""Rows of a heat map and corners of a ridge."""
MAX_RIDGES = 24

_Floats = NDArray[np.float64]


class Style(StrEnum):
    """The three ways to see distributions over time."""

    BANDS = "bands"
    HEATMAP = "heat map"
    RIDGES = "ridges"


@dataclass(frozen=True, slots=True)
class Histograms:
    """The histograms of one series, sorted by step. An empty one has no edges."""

    steps: NDArray[np.int64]
    """Shape (n,)."""
    edges: Sequence[_Floats]
    """n arrays of shape (k + 1,)."""
    counts: Sequence[_Floats]
    """n arrays of shape (k,)."""
    total: int = 0
    """How many the series has in all; n of them are here."""
    odd: int = 0
    """How many NaN and infinite numbers were left out of them."""


def figure(title: str, data: Histograms, style: Style, colour: str) -> Figure:
    """Draw the histograms of one series.

    Args:
        title: shown literally.
        data: at least one histogram, or the figure is empty.
        style: bands, heat map or ridges.
        colour: the run's, `#RRGGBB`.
    """
    full = _without_empty(data)
    traces, axes = _DRAWN[style](full, colour) if len(full.steps) else ([], {})
    drawn = layout(title, _note(data), height=300, hovermode="closest", uirevision=style.value)
    return {"data": traces, "layout": {**drawn, **axes}}


def percentiles(data: Histograms) -> _Floats:
    """Return where each histogram reaches TensorBoard's nine basis points: shape (n, 9), ascending rows."""
    rows = [basis_points(edges, counts) for edges, counts in zip(data.edges, data.counts, strict=True)]
    return np.array(rows).reshape(len(rows), len(BASIS_POINTS))


def _without_empty(data: Histograms) -> Histograms:
    return _some(data, [place for place, counts in enumerate(data.counts) if counts.sum() > 0])


def _some(data: Histograms, places: Sequence[int]) -> Histograms:
    edges, counts = [data.edges[place] for place in places], [data.counts[place] for place in places]
    return Histograms(data.steps[list(places)], edges, counts)


def _note(data: Histograms) -> str:
    parts: list[str] = []
    if data.total > len(data.steps):
        parts.append(f"{count(len(data.steps))} of {count(data.total)} histograms")
    if data.odd:
        parts.append(f"{count(data.odd)} {TIMES} NaN or ∞ left out")
    return "  ·  ".join(parts)


def _bands(data: Histograms, colour: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Nested areas between the basis points, the median as a line: TensorBoard's Distributions."""
    steps = data.steps.astype(np.float64)
    at = percentiles(data)
    traces: list[dict[str, Any]] = []
    for outer, opacity in enumerate((0.13, 0.17, 0.22, 0.3)):
        inner = len(BASIS_POINTS) - 1 - outer
        name = f"{BASIS_POINTS[outer] / 100:g} to {BASIS_POINTS[inner] / 100:g} %"
        traces += [
            _edge(steps, at[:, outer], f"{BASIS_POINTS[outer] / 100:g} %"),
            {
                **_edge(steps, at[:, inner], f"{BASIS_POINTS[inner] / 100:g} %"),
                "fill": "tonexty",
                "fillcolor": faint(colour, opacity),
                "legendgroup": name,
            },
        ]
    median = {**_edge(steps, at[:, 4], "median"), "line": {"color": colour, "width": 1.75}}
    if len(steps) == 1:
        # Areas of no width cannot be seen.
        median |= {"mode": "markers", "marker": {"color": colour}, "error_y": _whiskers(at[0], colour)}
    return [*traces, median], {"hovermode": "x unified", "xaxis": {"hoverformat": ",d"}}


def _edge(steps: _Floats, values: _Floats, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": steps,
        "y": values,
        "name": label(name),
        "line": {"width": 0},
        "hovertemplate": "%{y:.4g}",
    }


def _whiskers(at: _Floats, colour: str) -> dict[str, Any]:
    # A range beyond float64 has no whiskers that a browser could draw.
    with np.errstate(over="ignore"):
        above, below = at[-1:] - at[4], at[4] - at[:1]
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "color": faint(colour, 0.5),
    }


def _heatmap(data: Histograms, colour: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A column for each step; the darker, the more of its numbers lie there."""
    grid = _grid(data)
    share = _shares(data, grid)
    trace = {
        "type": "heatmap",
        "x": data.steps.astype(np.float64),
        "y": grid[:-1] / 2 + grid[1:] / 2,
        # The square root lets the thin tails be seen beside the peak.
        "z": np.sqrt(share.T),
        "customdata": share.T,
        "colorscale": [
            [0.0, faint(colour, 0)],
            [0.25, faint(colour, 0.3)],
            [0.6, colour],
            [1.0, mix(colour, "#000000", 0.45)],
        ],
        "showscale": False,
        "hovertemplate": "step %{x:,d}<br>around %{y:.4g}<br>%{customdata:.2%} of the numbers<extra></extra>",
    }
    return [trace], {}


def _ridges(data: Histograms, colour: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One outline for each step, the newest in front, as in TensorBoard's Histograms."""
    data = _some(data, _evenly(len(data.steps), MAX_RIDGES))
    grid = _grid(data)
    share = _shares(data, grid)
    tall = 3.5 / max(float(share.max()), 1e-12)
    many = len(data.steps)
    centres = grid[:-1] / 2 + grid[1:] / 2
    outline = np.concatenate([grid[:1], centres, grid[-1:]])
    traces: list[dict[str, Any]] = []
    for place, row in enumerate(share):
        base = float(many - 1 - place)
        age = place / max(many - 1, 1)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": outline,
                "y": base + tall * np.concatenate([[0.0], row, [0.0]]),
                "fill": "toself",
                "fillcolor": faint(mix(colour, "#FFFFFF", 0.5 * (1 - age)), 0.55),
                "line": {"width": 1, "color": mix(colour, "#FFFFFF", 0.35 * (1 - age))},
                "name": f"step {count(int(data.steps[place]))}",
                "hoveron": "fills",
                "hoverinfo": "name",
            }
        )
    ticks = _evenly(many, 5)
    y_axis = {
        "tickvals": [many - 1 - place for place in ticks],
        "ticktext": [count(int(data.steps[place])) for place in ticks],
        "title": {"text": "step"},
        "showgrid": False,
        "zeroline": False,
    }
    return traces, {"yaxis": y_axis}


def _grid(data: Histograms) -> _Floats:
    """Return GRID_BINS + 1 even edges over all that the histograms span."""
    low = min(float(edges[0]) for edges in data.edges)
    high = max(float(edges[-1]) for edges in data.edges)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return even_edges(low, high, GRID_BINS)


def _shares(data: Histograms, grid: _Floats) -> _Floats:
    """Return which share of each step's numbers lies in each bin: shape (n, GRID_BINS)."""
    rows = [
        spread_over(edges, counts, grid) / counts.sum()
        for edges, counts in zip(data.edges, data.counts, strict=True)
    ]
    return np.array(rows)


def _evenly(many: int, most: int) -> list[int]:
    """Return at most `most` of the places 0 to many - 1, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, many - 1, min(most, many)).tolist()})


_DRAWN = {Style.BANDS: _bands, Style.HEATMAP: _heatmap, Style.RIDGES: _ridges}
