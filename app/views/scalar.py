"""One metric of several runs as one chart.

What the reader sees is meant to be honest: a smoothed line never hides the line it was made from, a line
of buckets carries the band of what the buckets hold, NaN and infinities are marked where they were
logged, and whatever is not drawn is counted under the title.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.downsample import smooth
from ...storage.model import Points
from . import marks, outliers
from .axes import Axis, view_of
from .figures import Figure, faint, label, layout
from .marks import Mark
from .outliers import Outliers
from .words import TIMES, count, number, one_of

DASHES = {"train": "solid", "validation": "dash", "test": "dot"}
"""How a line of each split is dashed; a split of another name is dash-dotted."""

FEW_POINTS = 30
"""Up to here every point is marked, and drawn as it was measured: an average over a handful of values tells
less than the values do. Longer lines are smoothed, exactly as TensorBoard smooths them."""

MANY_POINTS = 120
"""From here on marks would run into each other."""
MOST_BANDS = 16
"""Of more lines, the bands of their buckets would hide each other: they are left out."""
MOST_ARROWS = 50
"""How many values beyond the vertical axis are marked at its edge, of each line."""
FLAT = 1e-6
"""A spread of that share is rounding, not change: float32 and float64 of one number differ by less."""

_ODD_VALUES = (
    ("NaN", "x", np.isnan),
    ("∞", "triangle-up", np.isposinf),
    ("-∞", "triangle-down", np.isneginf),
)
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """How the viewer wants charts to be drawn."""

    axis: Axis = field(default_factory=Axis)
    smoothing: float = 0.6
    """TensorBoard's weight, 0 to 1."""
    log_y: bool = False
    outliers: Outliers = Outliers.SHOWN
    view: tuple[float, float] | None = None
    """Which part of the horizontal axis is seen; None for the whole."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line on a chart: a series, or what stands for several."""

    name: str
    """As the reader tells the line from the others: run, split, rank ..."""
    colour: str
    """`#RRGGBB`."""
    points: Points
    x: _Floats
    """Where each entry lies on the horizontal axis, shape (n,); NaN where that is not known."""
    split: str | None = None
    granularity: str | None = None
    ghost: bool = False
    """Whether a newer attempt of the run has replaced it."""
    banded: bool = False
    """Whether its band is what a group spreads over, which is always drawn."""


def figure(metric: str, lines: Sequence[Line], look: Look, happened: Sequence[Mark] = ()) -> Figure:
    """Draw the lines of one metric.

    Args:
        metric: the title.
        lines: in the order in which they are drawn; later ones lie on top.
        look: axes, smoothing, outliers.
        happened: what is marked at the upper edge.

    Returns:
        A figure whose traces carry the name of their line in `legendgroup`.
    """
    shown = [line for line in lines if len(line.points) and np.isfinite(line.x).any()]
    views = _views(shown, look)
    ends = _ends(metric, shown, views, look)
    traces: list[dict[str, Any]] = []
    for line in shown:
        traces += _traces(line, look, banded=line.banded or len(shown) <= MOST_BANDS)
    for line, seen in zip(shown, views, strict=True):
        traces += _beyond(line, seen, ends, log=look.log_y)
    above = marks.traces(happened)
    told = [note(shown, look), _unplaced(lines, look), _beyond_words(shown, views, ends)]
    drawn = layout(
        metric,
        "  \u00b7  ".join(part for part in told if part),
        hovermode="x unified" if len(shown) <= 8 else "closest",
        xaxis={"title": {"text": label(look.axis.title)}, **look.axis.style},
        yaxis=_y_axis(shown, ends, log=look.log_y),
        # Another axis or scale is another picture: there an old zoom would show nothing.
        uirevision=f"{look.axis.word}-{look.axis.log}-{look.log_y}-{look.outliers}",
    )
    if above:
        drawn["yaxis2"] = marks.AXIS
    return {"data": traces + above, "layout": drawn}


def _views(lines: Sequence[Line], look: Look) -> list[NDArray[np.bool_]]:
    first, last = look.view or (None, None)
    return view_of([line.x for line in lines], first, last)


def _ends(
    metric: str, lines: Sequence[Line], views: Sequence[NDArray[np.bool_]], look: Look
) -> tuple[float, float] | None:
    pairs = [(line.points, seen) for line, seen in zip(lines, views, strict=True) if not line.ghost]
    lows, highs = [p.min[seen] for p, seen in pairs], [p.max[seen] for p, seen in pairs]
    return outliers.limits(metric, lows, highs, look.outliers, log=look.log_y)


def _y_axis(lines: Sequence[Line], ends: tuple[float, float] | None, *, log: bool) -> dict[str, Any]:
    """Return an axis on which equal values look equal, however few bits they differ by."""
    known = np.concatenate(
        [np.empty(0), *(part for line in lines for part in (line.points.min, line.points.max))]
    )
    known = known[np.isfinite(known)]
    low, high = ends or ((float(known.min()), float(known.max())) if len(known) else (0.0, 0.0))
    size = max(abs(low), abs(high))
    # Thousands as "10k"; but small numbers as powers of ten, since few people read "10μ".
    axis: dict[str, Any] = {
        "type": "log" if log else "linear",
        "exponentformat": "SI" if size >= 1000 else "power",
    }
    if ends is None and high - low <= FLAT * size and (low > 0 if log else size > 0):
        ends = (low - 0.2 * size, high + 0.2 * size)
    if ends is not None:
        axis["range"] = np.log10(ends).tolist() if log else list(ends)
    return axis


def note(lines: Sequence[Line], look: Look | None = None) -> str:
    """Return what a reader must know: how much is summed up in buckets, and what is not a number."""
    look = look or Look()
    parts = [_summed_up(lines, look)]
    odd = (
        (sum(line.points.nan_count for line in lines), "NaN"),
        (sum(line.points.posinf_count for line in lines), "∞"),
        (sum(line.points.neginf_count for line in lines), "-∞"),
    )
    parts += [f"{count(many)} {TIMES} {word}" for many, word in odd if many]
    return "  ·  ".join(part for part in parts if part)


def _summed_up(lines: Sequence[Line], look: Look) -> str:
    pairs = zip(lines, _views(lines, look), strict=True)
    bucketed = [(line.points, seen) for line, seen in pairs if line.points.bucketed and not line.banded]
    if not bucketed:
        return ""
    many = sum(int(seen.sum()) for _, seen in bucketed)
    total = sum(int(points.count[seen].sum()) for points, seen in bucketed)
    where = " in view" if look.view else ""
    if many == total:
        return f"all {count(total)} points{where}"
    band = ", all in the band" if len(lines) <= MOST_BANDS else ", means of buckets"
    return f"{count(many)} of {count(total)} points{where}{band}"


def _unplaced(lines: Sequence[Line], look: Look) -> str:
    """Return what the axes cannot show: points without an x, and what has no logarithm."""
    parts: list[str] = []
    full = [line for line in lines if len(line.points)]
    placed = [line for line in full if np.isfinite(line.x).any()]
    if len(placed) < len(full):
        parts.append(f"{one_of(len(full) - len(placed), 'line')} without {look.axis.word}")
    nowhere = sum(int((~np.isfinite(line.x)).sum()) for line in placed)
    if nowhere:
        parts.append(f"{one_of(nowhere, 'point')} without {look.axis.word}")
    below = sum(int((line.points.mean <= 0).sum()) for line in placed) if look.log_y else 0
    left = sum(int((line.x <= 0).sum()) for line in placed) if look.axis.log else 0
    parts += [
        f"{one_of(many, 'point')} ≤ 0 cannot be on a log {which} axis"
        for many, which in ((below, "vertical"), (left, "horizontal"))
        if many
    ]
    return "  ·  ".join(parts)


def _beyond_words(
    lines: Sequence[Line], views: Sequence[NDArray[np.bool_]], ends: tuple[float, float] | None
) -> str:
    if ends is None:
        return ""
    pairs = list(zip(lines, views, strict=True))
    above = [part for line, seen in pairs if len(part := line.points.max[seen & (line.points.max > ends[1])])]
    below = [part for line, seen in pairs if len(part := line.points.min[seen & (line.points.min < ends[0])])]
    parts: list[str] = []
    if above:
        many, most = sum(map(len, above)), max(float(part.max()) for part in above)
        parts.append(f"{count(many)} above the axis, up to {number(most)}")
    if below:
        many, least = sum(map(len, below)), min(float(part.min()) for part in below)
        parts.append(f"{count(many)} below the axis, down to {number(least)}")
    return "  ·  ".join(parts)


def _traces(line: Line, look: Look, *, banded: bool) -> list[dict[str, Any]]:
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
        "meta": {"line": line.name, **({} if hover else {"raw": True})},
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
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": label(line.name),
        "meta": {"line": line.name, "band": True},
    }


def _beyond(
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
