"""One metric of several runs as one chart.

What the reader sees is meant to be honest: a smoothed line never hides the line it was made from, a line
of buckets carries the band of what the buckets hold, and NaN and infinities are marked where they were
logged and counted under the title.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.downsample import smooth
from ...storage.model import Points
from .figures import Figure, faint, label, layout
from .words import TIMES, count

DASHES = {"train": "solid", "validation": "dash", "test": "dot"}
"""How a line of each split is dashed; a split of another name is dash-dotted."""

FEW_POINTS = 30
"""Up to here every point is marked, and drawn as it was measured: an average over a handful of values tells
less than the values do. Longer lines are smoothed, exactly as TensorBoard smooths them."""

MANY_POINTS = 120
"""From here on marks would run into each other."""
FLAT = 1e-6
"""A spread of that share is rounding, not change: float32 and float64 of one number differ by less."""

_ODD_VALUES = (
    ("NaN", "x", np.isnan),
    ("∞", "triangle-up", np.isposinf),
    ("-∞", "triangle-down", np.isneginf),
)
_TIME_UNITS = ((172_800, 86_400, "days"), (7_200, 3_600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))

_Floats = NDArray[np.float64]


class XAxis(StrEnum):
    """What the horizontal axis shows."""

    STEP = "step"
    RELATIVE = "relative"
    """Time since the run began."""
    WALL = "wall"
    """The time of day at which a value was logged."""


_X_STYLE: dict[XAxis, dict[str, Any]] = {
    XAxis.STEP: {"hoverformat": ",d"},
    XAxis.RELATIVE: {"hoverformat": ".3~f"},
    XAxis.WALL: {"type": "date"},
}


@dataclass(frozen=True, slots=True)
class Look:
    """How the viewer wants charts to be drawn."""

    x: XAxis = XAxis.STEP
    smoothing: float = 0.6
    """TensorBoard's weight, 0 to 1."""
    log_y: bool = False
    utc_offset: float = 0.0
    """Seconds to add to UTC for the viewer's clock."""


@dataclass(frozen=True, slots=True)
class Line:
    """One series on a chart."""

    name: str
    """As the reader tells the line from the others: run, split, rank ..."""
    colour: str
    """`#RRGGBB`."""
    points: Points
    start: float
    """When the run began: the zero of relative time."""
    split: str | None = None
    granularity: str | None = None


def figure(metric: str, lines: Sequence[Line], look: Look) -> Figure:
    """Draw the lines of one metric.

    Args:
        metric: the title.
        lines: in the order in which they are drawn; later ones lie on top.
        look: x-axis, smoothing and scale.

    Returns:
        A figure whose traces carry the name of their line in `legendgroup`.
    """
    shown = [line for line in lines if len(line.points)]
    unit = _time_unit(shown, look.x)
    traces: list[dict[str, Any]] = []
    for line in shown:
        traces += _traces(line, look, unit[0])
    return {
        "data": traces,
        "layout": layout(
            metric,
            note(shown),
            hovermode="x unified" if len(shown) <= 8 else "closest",
            xaxis={"title": {"text": unit[1]}, **_X_STYLE[look.x]},
            yaxis=_y_axis(shown, log=look.log_y),
            # Another axis or scale is another picture: there an old zoom would show nothing.
            uirevision=f"{look.x}-{look.log_y}",
        ),
    }


def _y_axis(lines: Sequence[Line], *, log: bool) -> dict[str, Any]:
    """Return an axis on which equal values look equal, however few bits they differ by."""
    known = np.concatenate(
        [np.empty(0), *(part for line in lines for part in (line.points.min, line.points.max))]
    )
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    size = max(abs(low), abs(high))
    # Thousands as "10k"; but small numbers as powers of ten, since few people read "10μ".
    axis: dict[str, Any] = {
        "type": "log" if log else "linear",
        "exponentformat": "SI" if size >= 1000 else "power",
    }
    if high - low <= FLAT * size and (low > 0 if log else size > 0):
        ends = [low - 0.2 * size, high + 0.2 * size]
        axis["range"] = np.log10(ends).tolist() if log else ends
    return axis


def note(lines: Sequence[Line]) -> str:
    """Return what a reader must know: how much is summed up in buckets, and what is not a number."""
    parts: list[str] = []
    bucketed = [line.points for line in lines if line.points.bucketed]
    if bucketed:
        shown, total = sum(map(len, bucketed)), sum(points.total for points in bucketed)
        parts.append(f"{count(shown)} of {count(total)} points, all in the band")
    odd = (
        (sum(line.points.nan_count for line in lines), "NaN"),
        (sum(line.points.posinf_count for line in lines), "∞"),
        (sum(line.points.neginf_count for line in lines), "-∞"),
    )
    parts += [f"{count(many)} {TIMES} {word}" for many, word in odd if many]
    return "  ·  ".join(parts)


def _traces(line: Line, look: Look, unit: float) -> list[dict[str, Any]]:
    points = line.points
    x = _x(line, look, unit)
    value = points.mean
    marked = len(points) <= (MANY_POINTS if line.granularity == "epoch" else FEW_POINTS)
    smoothed = smooth(value, look.smoothing) if len(points) > FEW_POINTS else value
    traces: list[dict[str, Any]] = []
    if points.bucketed:
        traces.append(_band(line, x))
    if not np.array_equal(smoothed, value, equal_nan=True):
        traces.append(_stroke(line, x, value, faint(line.colour, 0.28), width=1, hover=False))
    traces.append(_stroke(line, x, smoothed, line.colour, width=1.75, marked=marked))
    return traces + _odd_marks(line, x, smoothed)


def _stroke(
    line: Line, x: _Floats, y: _Floats, colour: str, *, width: float, marked: bool = False, hover: bool = True
) -> dict[str, Any]:
    """Return a line; where it is marked, each point is a dot."""
    dash = DASHES.get(line.split or "train", "dashdot")
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
        **({"hovertemplate": "%{y:.5g}"} if hover else {"hoverinfo": "skip"}),
    }


def _band(line: Line, x: _Floats) -> dict[str, Any]:
    """Return the area between the smallest and the largest value of each bucket."""
    low, high = line.points.min, line.points.max
    known = np.isfinite(low) & np.isfinite(high)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": np.concatenate([x[known], x[known][::-1]]),
        "y": np.concatenate([high[known], low[known][::-1]]),
        "fill": "toself",
        "fillcolor": faint(line.colour, 0.16),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": label(line.name),
    }


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


def _x(line: Line, look: Look, unit: float) -> _Floats:
    if look.x is XAxis.STEP:
        # A browser's numbers are float64 in any case.
        return line.points.step.astype(np.float64)
    if look.x is XAxis.RELATIVE:
        return (line.points.time - line.start) / unit
    # Milliseconds, as plotly's date axes take them.
    return (line.points.time + look.utc_offset) * 1000.0


def _time_unit(lines: Sequence[Line], axis: XAxis) -> tuple[float, str]:
    """Return how many seconds one unit of the axis has, and the axis' title."""
    if axis is not XAxis.RELATIVE:
        return 1.0, ""
    longest = max([0.0, *(float(line.points.time[-1]) - line.start for line in lines)])
    return next((float(size), f"{word} since start") for above, size, word in _TIME_UNITS if longest >= above)
