"""The histogram of one step in full, of one run or of several on top of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.downsample import spread_over
from ...storage.kinds.histogram import HistogramData
from .figures import Figure, faint, label, layout
from .histogram import Histograms, Span, grid_of
from .words import TIMES, count, number


@dataclass(frozen=True, slots=True)
class AtStep:
    """What one run has at a step."""

    name: str
    colour: str
    """`#RRGGBB`."""
    step: int
    data: HistogramData


def figure(title: str, runs: Sequence[AtStep], span: Span | None = None) -> Figure:
    """Draw which share of each run's numbers lies in each of many even bins.

    Args:
        title: shown literally.
        runs: those that lie on top of each other; each is normed by its own count.
        span: the range that is looked at; it gets as many bins as the whole.
    """
    filled = [one for one in runs if one.data.count]
    note = "  ·  ".join(_facts(one, several=len(runs) > 1) for one in runs)
    axes: dict[str, Any] = {"yaxis": {"rangemode": "tozero", "tickformat": ".1~%"}}
    drawn = layout(title, note, height=260, hovermode="x unified", uirevision="bins", **axes)
    data = [Histograms(np.array([one.step]), [one.data.edges], [one.data.counts]) for one in filled]
    grid = grid_of(data, span) if data else np.empty(0)
    traces = [_outline(one, grid, several=len(filled) > 1) for one in filled]
    return {"data": traces, "layout": drawn}


def facts(one: AtStep) -> dict[str, str]:
    """Return what is known exactly, not from the bins: heading -> value."""
    data = one.data
    odd = {"NaN": data.nan_count, "∞": data.posinf_count, "-∞": data.neginf_count}
    known = {"min": data.min, "mean": data.mean, "max": data.max, "std": data.std} if data.count else {}
    return {
        "numbers": count(data.count),
        **{name: number(value) for name, value in known.items()},
        **{name: count(many) for name, many in odd.items() if many},
    }


def _facts(one: AtStep, *, several: bool) -> str:
    many, odd = one.data.count, one.data.nan_count + one.data.posinf_count + one.data.neginf_count
    left_out = f", {count(odd)} {TIMES} NaN or ∞ left out" if odd else ""
    if several:
        return f"{one.name}: step {count(one.step)}{left_out}"
    return f"step {count(one.step)}: {count(many)} numbers{left_out}"


def _outline(one: AtStep, grid: NDArray[np.float64], *, several: bool) -> dict[str, Any]:
    shares = spread_over(one.data.edges, one.data.counts, grid) / one.data.counts.sum()
    return {
        "type": "scatter",
        "mode": "lines",
        "x": grid[:-1] / 2 + grid[1:] / 2,
        "y": shares,
        "line": {"width": 1.25, "color": one.colour, "shape": "hvh"},
        "fill": "tozeroy",
        "fillcolor": faint(one.colour, 0.2 if several else 0.4),
        "name": label(one.name),
        "hovertemplate": "%{y:.2%}",
    }
