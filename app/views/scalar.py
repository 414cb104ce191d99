"""One metric of several runs as one chart.

What the reader sees is meant to be honest: a smoothed line never hides the line it was made from, a line
of buckets carries the band of what the buckets hold, NaN and infinities are marked where they were
logged, and whatever is not drawn is counted under the title.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import line_notes, line_traces, marks, outliers
from .axes import XAxis
from .figures import Figure, label, layout
from .line_traces import FEW_POINTS as FEW_POINTS
from .lines import MOST_BANDS, seen_of
from .lines import Line as Line
from .lines import Look as Look
from .marks import Mark

FLAT = 1e-6
"""A spread of that share is rounding, not change: float32 and float64 of one number differ by less."""


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
    views = seen_of(shown, look)
    ends = _ends(metric, shown, views, look)
    traces: list[dict[str, Any]] = []
    for line in shown:
        traces += line_traces.of_line(line, look, banded=line.banded or len(shown) <= MOST_BANDS)
    for line, seen in zip(shown, views, strict=True):
        traces += line_traces.beyond(line, seen, ends, log=look.log_y)
    above = marks.traces(happened, *_reach(shown))
    told = [
        line_notes.note(shown, look),
        line_notes.unplaced(lines, look),
        line_notes.beyond(shown, views, ends),
    ]
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
    if look.axis.kind is XAxis.WALL:
        # Below the time of day stands the day.
        drawn["margin"]["b"] += 14
    return {"data": traces + above, "layout": drawn}


def _reach(lines: Sequence[Line]) -> tuple[float, float]:
    """Return where the lines begin and end; nowhere when there are none."""
    if not lines:
        return np.nan, np.nan
    return min(float(np.nanmin(line.x)) for line in lines), max(float(np.nanmax(line.x)) for line in lines)


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
