"""What happened beside the numbers, as small marks at the upper edge of a chart: alerts and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .figures import label
from .words import brief

MOST_MARKS = 200
"""Of one chart; of more, so many that are evenly chosen."""
AXIS: dict[str, Any] = {"overlaying": "y", "range": [0, 1], "fixedrange": True, "visible": False}
"""A second vertical axis, which no zoom changes: marks stay at the edge."""
SYMBOLS = {
    "error": "triangle-down",
    "warning": "triangle-down",
    "info": "triangle-down-open",
    "note": "circle",
}

NEAR = 0.05
"""Which share of the lines' width a mark may lie beyond their ends."""

_LONGEST = 300
_LINE = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """One event of a run."""

    x: float
    """Where it lies on the horizontal axis; NaN if that is not known."""
    kind: str
    """One of SYMBOLS."""
    colour: str
    """`#RRGGBB`, the run's."""
    text: str
    """What is told under the mouse: run, title, text."""


def traces(marks: Sequence[Mark], first: float, last: float) -> list[dict[str, Any]]:
    """Return what plotly draws for marks, at most one trace.

    Args:
        marks: in any order.
        first: where the lines of the chart begin.
        last: where they end: what lies farther off would stretch the axis over emptiness, and is left out.
    """
    room = NEAR * (last - first)
    known = [mark for mark in marks if first - room <= mark.x <= last + room]
    if len(known) > MOST_MARKS:
        known = known[:: -(-len(known) // MOST_MARKS)]
    if not known:
        return []
    edges = {"error": "#C00000", "warning": "#E08A00"}
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "yaxis": "y2",
            "x": np.array([mark.x for mark in known]),
            "y": np.full(len(known), 0.96),
            "marker": {
                "symbol": [SYMBOLS[mark.kind] for mark in known],
                "size": 7,
                "color": [mark.colour for mark in known],
                "line": {"width": 1.25, "color": [edges.get(mark.kind, mark.colour) for mark in known]},
            },
            "text": [wrapped(mark.text) for mark in known],
            "hovertemplate": "%{text}<extra></extra>",
            "hoverlabel": {"align": "left"},
            "showlegend": False,
            "meta": {"mark": True},
        }
    ]


def wrapped(text: str) -> str:
    """Return text in short lines as plotly shows it literally under the mouse."""
    lines, line = list[str](), ""
    for word in brief(text, _LONGEST).split(" "):
        if line and len(line) + len(word) >= _LINE:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "<br>".join(label(one) for one in [*lines, line])
