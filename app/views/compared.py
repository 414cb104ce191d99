"""One metric of the runs that are compared, with the places where their curves part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..comparison.strokes import Mark, Stroke
from .figures import Figure, label, layout

WIDE = 30.0
"""Positive values of which the largest is so many times the smallest are drawn on a logarithmic axis."""
_FEW_POINTS = 40
_MARK = "#B87333"


def figure(
    title: str,
    strokes: Sequence[Stroke],
    x_title: str,
    *,
    marks: Sequence[Mark] = (),
    target: float | None = None,
    upwards: bool = False,
) -> Figure:
    """Draw the curves.

    Args:
        title: the metric.
        strokes: at least one.
        x_title: under the horizontal axis.
        marks: places of the horizontal axis that are pointed out.
        target: a value that is pointed out.
        upwards: whether more is better, as of an accuracy: then small values are not what is looked at.
    """
    log = is_wide(strokes) and not upwards
    middle = max(float(stroke.curve.x[-1]) for stroke in strokes) / 2
    return {
        "data": [_trace(stroke) for stroke in strokes],
        "layout": layout(
            title,
            height=300,
            hovermode="x unified" if len(strokes) <= 8 else "closest",
            xaxis={"title": {"text": label(x_title)}, "hoverformat": ",.4~g"},
            yaxis={"type": "log", "dtick": "D2"} if log else {"type": "linear", "nticks": 7},
            margin={"l": 52, "r": 10, "t": 34, "b": 40},
            shapes=[*map(_upright, marks), *([] if target is None else [_level(target)])],
            annotations=[_word(mark, number, middle) for number, mark in enumerate(marks)],
        ),
    }


def is_wide(strokes: Sequence[Stroke]) -> bool:
    """Return whether the values ask for a logarithmic axis."""
    low = min(float(stroke.curve.y.min()) for stroke in strokes)
    high = max(float(stroke.curve.y.max()) for stroke in strokes)
    return low > 0 and high > WIDE * low


def _trace(stroke: Stroke) -> dict[str, Any]:
    few = len(stroke.curve) <= _FEW_POINTS
    return {
        "type": "scatter",
        "mode": "lines+markers" if few else "lines",
        "x": stroke.curve.x,
        "y": stroke.curve.y,
        "name": label(stroke.name),
        "line": {
            "color": stroke.colour,
            "width": 1.75,
            "dash": stroke.dash.replace(",", "px,") + "px" if stroke.dash else "solid",
        },
        "marker": {"size": 5, "color": stroke.colour},
        "hovertemplate": "%{y:.5g}",
    }


def _upright(mark: Mark) -> dict[str, Any]:
    ends = {"x0": mark.at, "x1": mark.at, "yref": "paper", "y0": 0, "y1": 1}
    return {"type": "line", **ends, "line": {"color": _MARK, "width": 1, "dash": "dash"}}


def _level(target: float) -> dict[str, Any]:
    ends = {"xref": "paper", "x0": 0, "x1": 1, "y0": target, "y1": target}
    return {"type": "line", **ends, "line": {"color": _MARK, "width": 1, "dash": "dot"}}


def _word(mark: Mark, number: int, middle: float) -> dict[str, Any]:
    """Return the word beside its line, on the side on which there is more room."""
    right = mark.at > middle
    return {
        **{"x": mark.at, "yref": "paper", "y": 1 - 0.09 * number, "text": label(mark.word)},
        **{"xanchor": "right" if right else "left", "xshift": -4 if right else 4, "yanchor": "top"},
        "showarrow": False,
        "font": {"size": 11, "color": _MARK},
    }
