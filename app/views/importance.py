"""How much each setting matters, as bars with the direction beside them."""

from __future__ import annotations

import numpy as np

from ..analysis.importance import Importance, Ranking
from .figures import COLOURS, Figure, label, layout
from .words import brief

MOST_BARS = 15
_ROW = 26
_LONGEST = 32
_NEITHER = "#8A8A8A"
CLEAR = 0.1
"""A correlation nearer to zero than this has no direction worth a word."""


def figure(found: Ranking, metric: str) -> Figure:
    """Draw a bar for each setting, those that matter most on top.

    Args:
        found: the settings.
        metric: what they are important for, shown literally.
    """
    shown = found.settings[:MOST_BARS][::-1]
    bars = {
        "type": "bar",
        "orientation": "h",
        # Places, not names: plotly would take names that look alike for one bar.
        "y": np.arange(len(shown)),
        "x": np.array([100 * one.share for one in shown]),
        "error_x": {
            "type": "data",
            "array": np.array([100 * one.spread for one in shown]),
            "thickness": 1,
            "width": 3,
            "color": "rgba(128,128,128,0.7)",
        },
        "marker": {"color": [_colour(one) for one in shown]},
        "customdata": [
            label(f"{brief(one.name)}: {one.share:.1%}, {direction(one, metric)}") for one in shown
        ],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    names = [label(f"{brief(one.name, _LONGEST)} {_sign(one)}") for one in shown]
    extent = max([1.0, *(100 * one.share for one in shown)])
    drawn = layout(
        "",
        height=_ROW * len(shown) + 60,
        xaxis={
            "title": {"text": "share of what the settings explain, %"},
            "range": [0, min(1.25 * extent, 110)],
        },
        yaxis={"tickvals": np.arange(len(shown)), "ticktext": names, "showgrid": False, "automargin": True},
        hovermode="closest",
    )
    drawn["margin"] |= {"b": 40}
    return {"data": [bars], "layout": drawn}


def direction(one: Importance, metric: str) -> str:
    """Return in words what a larger value of a setting goes along with; shown literally."""
    if one.correlation is None:
        return "no direction (it is a word)"
    if abs(one.correlation) < CLEAR:
        return f"no clear direction (rank correlation {one.correlation:+.2f})"
    way = "larger" if one.correlation > 0 else "smaller"
    return f"more of it goes along with a {way} {metric} (rank correlation {one.correlation:+.2f})"


def _sign(one: Importance) -> str:
    if one.correlation is None or abs(one.correlation) < CLEAR:
        return "·"
    return "+" if one.correlation > 0 else "\N{MINUS SIGN}"


def _colour(one: Importance) -> str:
    return {"+": COLOURS[0], "\N{MINUS SIGN}": COLOURS[4]}.get(_sign(one), _NEITHER)
