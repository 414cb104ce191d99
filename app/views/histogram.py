"""Histograms of one layer over its steps, of one run or of several on top of each other.

Stored bins are a few per cent wide and differ from step to step; they are put on one even grid only here,
for the eye, and their extremes stay exact. Whoever zooms gets a grid of the range that is looked at, made
from the stored bins again: it is as fine as they are, at any zoom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...storage.downsample import BASIS_POINTS, basis_points, even_edges, spread_over
from .figures import Figure, faint, label, layout, mix
from .words import TIMES, count

GRID_BINS = 72
"""The most rows of a heat map and corners of a ridge; of few numbers, there are fewer."""
LEAST_BINS = 12
MAX_RIDGES = 24
RIDGES_OF_EACH = 12
"""The most ridges of a run where several lie on top of each other."""

_Floats = NDArray[np.float64]
Span: TypeAlias = tuple[float, float]
"""The values that are looked at, from the lowest to the highest."""


class Style(StrEnum):
    """The ways to see distributions over time."""

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


@dataclass(frozen=True, slots=True)
class OfRun:
    """What one run has of the layer."""

    name: str
    colour: str
    """`#RRGGBB`."""
    data: Histograms


def figure(title: str, runs: Sequence[OfRun], style: Style, span: Span | None = None) -> Figure:
    """Draw the histograms of one layer.

    Args:
        title: shown literally.
        runs: those that lie on top of each other.
        style: bands, heat map or ridges.
        span: put heat map and ridges on a grid of this range instead of all that there is.
    """
    full = [OfRun(one.name, one.colour, _without_empty(one.data)) for one in runs]
    full = [one for one in full if len(one.data.steps)]
    traces, axes = _DRAWN[style](full, span) if full else ([], {})
    note = _note([one.data for one in runs])
    drawn = layout(title, note, height=300, hovermode="closest", uirevision=style.value)
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


def _note(found: Sequence[Histograms]) -> str:
    parts: list[str] = []
    here, total = sum(len(data.steps) for data in found), sum(data.total for data in found)
    if total > here:
        parts.append(f"{count(here)} of {count(total)} histograms")
    if odd := sum(data.odd for data in found):
        parts.append(f"{count(odd)} {TIMES} NaN or ∞ left out")
    return "  ·  ".join(parts)


def _bands(runs: Sequence[OfRun], _: Span | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Nested areas between the basis points, the median as a line: TensorBoard's Distributions.

    On top of each other, runs show three of the areas only: nine lines of each could not be told apart.
    """
    pairs = ((0, 0.13), (1, 0.17), (2, 0.22), (3, 0.3)) if len(runs) == 1 else ((0, 0.1), (2, 0.2))
    traces = [trace for one in runs for trace in _bands_of(one, pairs, several=len(runs) > 1)]
    return traces, {"hovermode": "x unified", "xaxis": {"hoverformat": ",d"}}


def _bands_of(one: OfRun, pairs: Sequence[tuple[int, float]], *, several: bool) -> list[dict[str, Any]]:
    steps, at = one.data.steps.astype(np.float64), percentiles(one.data)
    before = f"{one.name} · " if several else ""
    traces: list[dict[str, Any]] = []
    for outer, opacity in pairs:
        inner = len(BASIS_POINTS) - 1 - outer
        low, high = (f"{before}{BASIS_POINTS[place] / 100:g} %" for place in (outer, inner))
        fill = {"fill": "tonexty", "fillcolor": faint(one.colour, opacity)}
        traces += [_edge(steps, at[:, outer], low), {**_edge(steps, at[:, inner], high), **fill}]
    line = {"color": one.colour, "width": 1.75}
    median = {**_edge(steps, at[:, 4], f"{before}median"), "line": line}
    del median["meta"]
    if len(steps) == 1:
        # Areas of no width cannot be seen.
        whiskers = _whiskers(at[0], one.colour)
        median |= {"mode": "markers", "marker": {"color": one.colour}, "error_y": whiskers}
    return [*traces, median]


def _edge(steps: _Floats, values: _Floats, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": steps,
        "y": values,
        "name": label(name),
        "line": {"width": 0},
        "hovertemplate": "%{y:.4g}",
        "meta": {"band": True},
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


def _heatmap(runs: Sequence[OfRun], span: Span | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A column for each step; the darker, the more of its numbers lie there."""
    grid = grid_of([one.data for one in runs], span)
    return [_heat(one, grid, several=len(runs) > 1) for one in runs], {}


def _heat(one: OfRun, grid: _Floats, *, several: bool) -> dict[str, Any]:
    share, colour = _shares(one.data, grid), one.colour
    # What lies below has to shine through.
    darkest = faint(colour, 0.75) if several else mix(colour, "#000000", 0.45)
    middle = faint(colour, 0.55) if several else colour
    about = "step %{x:,d}<br>around %{y:.4g}<br>%{customdata:.2%} of the numbers"
    return {
        "type": "heatmap",
        "x": one.data.steps.astype(np.float64),
        "y": grid[:-1] / 2 + grid[1:] / 2,
        # The square root lets the thin tails be seen beside the peak.
        "z": np.sqrt(share.T),
        "customdata": share.T,
        "name": label(one.name),
        "colorscale": [[0.0, faint(colour, 0)], [0.25, faint(colour, 0.3)], [0.6, middle], [1.0, darkest]],
        "showscale": False,
        "hovertemplate": f"{label(one.name)}<br>{about}<extra></extra>",
    }


def _ridges(runs: Sequence[OfRun], span: Span | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One outline for each step, the newest in front, as in TensorBoard's Histograms."""
    most = MAX_RIDGES if len(runs) == 1 else RIDGES_OF_EACH
    thin = [OfRun(one.name, one.colour, _some(one.data, _evenly(len(one.data.steps), most))) for one in runs]
    grid = grid_of([one.data for one in thin], span)
    shares = [_shares(one.data, grid) for one in thin]
    steps = np.unique(np.concatenate([one.data.steps for one in thin]))
    tall = 3.5 / max(max(float(share.max()) for share in shares), 1e-12)
    traces = [
        _ridge(one, row, grid, share[row] * tall, _base(steps, one.data.steps[row]), several=len(runs) > 1)
        for one, share in zip(thin, shares, strict=True)
        for row in range(len(share))
    ]
    traces.sort(key=lambda trace: -trace["y"][0])
    return traces, {"yaxis": _step_axis(steps)}


def _base(steps: NDArray[np.int64], step: np.int64) -> float:
    return float(len(steps) - 1 - np.searchsorted(steps, step))


def _ridge(
    one: OfRun, row: int, grid: _Floats, heights: _Floats, base: float, *, several: bool
) -> dict[str, Any]:
    centres = grid[:-1] / 2 + grid[1:] / 2
    age = row / max(len(one.data.steps) - 1, 1)
    step = count(int(one.data.steps[row]))
    return {
        "type": "scatter",
        "mode": "lines",
        "x": np.concatenate([grid[:1], centres, grid[-1:]]),
        "y": base + np.concatenate([[0.0], heights, [0.0]]),
        "fill": "toself",
        "fillcolor": faint(mix(one.colour, "#FFFFFF", 0.5 * (1 - age)), 0.2 if several else 0.55),
        "line": {"width": 1, "color": mix(one.colour, "#FFFFFF", 0.35 * (1 - age))},
        "name": label(f"{one.name} · step {step}" if several else f"step {step}"),
        "hoveron": "fills",
        "hoverinfo": "name",
    }


def _step_axis(steps: NDArray[np.int64]) -> dict[str, Any]:
    ticks = _evenly(len(steps), 5)
    return {
        "tickvals": [len(steps) - 1 - place for place in ticks],
        "ticktext": [count(int(steps[place])) for place in ticks],
        "title": {"text": "step"},
        "showgrid": False,
        "zeroline": False,
    }


def grid_of(found: Sequence[Histograms], span: Span | None) -> _Floats:
    """Return even edges over all that the histograms span, or over what is looked at."""
    low = min(float(edges[0]) for data in found for edges in data.edges)
    high = max(float(edges[-1]) for data in found for edges in data.edges)
    if span is not None and max(low, span[0]) < min(high, span[1]):
        low, high = max(low, span[0]), min(high, span[1])
    if low == high:
        low, high = low - 0.5, high + 0.5
    # A hundred numbers in 72 bins would be a comb.
    numbers = max(float(counts.sum()) for data in found for counts in data.counts)
    return even_edges(low, high, int(np.clip(2 * numbers**0.5, LEAST_BINS, GRID_BINS)))


def _shares(data: Histograms, grid: _Floats) -> _Floats:
    """Return which share of each step's numbers lies in each bin: shape (n, bins)."""
    rows = [
        spread_over(edges, counts, grid) / counts.sum()
        for edges, counts in zip(data.edges, data.counts, strict=True)
    ]
    return np.array(rows)


def _evenly(many: int, most: int) -> list[int]:
    """Return at most `most` of the places 0 to many - 1, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, many - 1, min(most, many)).tolist()})


_DRAWN = {Style.BANDS: _bands, Style.HEATMAP: _heatmap, Style.RIDGES: _ridges}
