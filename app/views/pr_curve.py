"""Precision-recall curves as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.kinds.pr_curve import PrCurveData
from .figures import Figure, faint, label, layout
from .words import count


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve on a chart."""

    name: str
    """Tells it from the others; shown literally."""
    colour: str
    """The run's, `#RRGGBB`."""
    data: PrCurveData


def figure(title: str, data: PrCurveData, colour: str) -> Figure:
    """Draw precision over recall; each point tells its threshold.

    Args:
        title: shown literally; "" for the average precision in its place.
        data: the curve.
        colour: the run's, `#RRGGBB`.
    """
    note = f"average precision {data.average_precision:.4f}"
    drawn = curves(title or note, [Curve("", colour, data)])
    drawn["layout"] |= layout(title or note, note if title else "", height=300)
    drawn["layout"] |= _AXES
    return drawn


def curves(title: str, found: Sequence[Curve]) -> Figure:
    """Draw several curves on one chart; the legend tells the average precision of each.

    Args:
        title: shown literally.
        found: in the order of the legend.
    """
    alone = len(found) == 1
    shown = layout(title, height=380, hovermode="closest", **_AXES)
    shown["showlegend"] = not alone
    shown["margin"] |= {"b": 40}
    return {"data": [_line(one, filled=alone) for one in found], "layout": shown}


def averages(title: str, lines: Sequence[tuple[str, str, NDArray[np.int64], NDArray[np.float64]]]) -> Figure:
    """Draw the average precision over the steps.

    Args:
        title: shown literally.
        lines: of each run: name, colour, steps (n,) and average precisions (n,).
    """
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": label(name),
            "x": steps,
            "y": values,
            "line": {"color": colour, "width": 1.5},
            "marker": {"size": 5},
            "hovertemplate": f"step %{{x:,d}}<br>average precision %{{y:.4f}}<extra>{label(name)}</extra>",
        }
        for name, colour, steps, values in lines
    ]
    axes: dict[str, Any] = {
        "xaxis": {"title": {"text": "step"}},
        "yaxis": {"title": {"text": "average precision"}},
    }
    shown = layout(title, height=380, hovermode="closest", **axes)
    shown["margin"] |= {"b": 40}
    return {"data": traces, "layout": shown}


_AXES: dict[str, Any] = {
    "xaxis": {"title": {"text": "recall"}, "range": [0, 1.02]},
    "yaxis": {"title": {"text": "precision"}, "range": [0, 1.05]},
}


def _line(one: Curve, *, filled: bool) -> dict[str, Any]:
    data = one.data
    # Where nothing is predicted as positive there is no precision.
    known = data.tp + data.fp > 0
    known = known if known.any() else ~known
    area = {"fill": "tozeroy", "fillcolor": faint(one.colour, 0.12)} if filled else {}
    positives = float(data.tp[0] + data.fn[0]) if len(data.tp) else 0.0
    total = positives + float(data.fp[0] + data.tn[0]) if len(data.tp) else 0.0
    of = f"<br>{count(round(positives))} of {count(round(total))} are positive"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(one.name),
        "x": data.recall[known],
        "y": data.precision[known],
        "customdata": data.thresholds[known],
        "line": {"color": one.colour, "width": 1.5},
        "marker": {"size": 3},
        **area,
        "hovertemplate": "recall %{x:.4f}<br>precision %{y:.4f}"
        f"<br>threshold %{{customdata:.3f}}{of}<extra>{label(one.name)}</extra>",
    }
