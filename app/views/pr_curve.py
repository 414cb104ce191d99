"""A precision-recall curve as the page shows it."""

from __future__ import annotations

from typing import Any

from ...storage.kinds.pr_curve import PrCurveData
from .figures import Figure, faint, layout


def figure(title: str, data: PrCurveData, colour: str) -> Figure:
    """Draw precision over recall; each point tells its threshold.

    Args:
        title: shown literally; "" for the average precision in its place.
        data: the curve.
        colour: the run's, `#RRGGBB`.
    """
    # Where nothing is predicted as positive there is no precision.
    known = data.tp + data.fp > 0
    known = known if known.any() else ~known
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": data.recall[known],
        "y": data.precision[known],
        "customdata": data.thresholds[known],
        "line": {"color": colour, "width": 1.5},
        "marker": {"size": 3},
        "fill": "tozeroy",
        "fillcolor": faint(colour, 0.12),
        "hovertemplate": "recall %{x:.4f}<br>precision %{y:.4f}"
        "<br>threshold %{customdata:.3f}<extra></extra>",
    }
    axes: dict[str, Any] = {
        "xaxis": {"title": {"text": "recall"}, "range": [0, 1.02]},
        "yaxis": {"title": {"text": "precision"}, "range": [0, 1.05]},
    }
    note = f"average precision {data.average_precision:.4f}"
    return {"data": [line], "layout": layout(title or note, note if title else "", height=300, **axes)}
