"""An embedding as the page shows it: its vectors on the two axes on which they differ most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...storage.kinds.embedding import EmbeddingData
from .figures import Figure, label, layout, run_colours
from .words import brief, count

MOST_POINTS = 3000
MOST_COLOURS = 16
"""Values of a column by which points are coloured."""
_LONGEST = 60


def figure(title: str, data: EmbeddingData, colour: str) -> Figure:
    """Draw a point for each vector, coloured by the first column of the metadata that has few values.

    Args:
        title: shown literally; "" for what is drawn in its place.
        data: the embedding; of more than 3000 vectors, evenly chosen ones are drawn.
        colour: of points that nothing is known of, `#RRGGBB`.
    """
    points, share = data.projected()
    chosen = np.arange(0, len(points), -(-len(points) // MOST_POINTS))
    column = _few_valued(data)
    values = ["" if column is None else brief(data.rows[place][column], _LONGEST) for place in chosen]
    names = sorted(set(values))
    colours = {"": colour} if column is None else run_colours(names)
    traces: list[Any] = []
    for name in names:
        places = chosen[[value == name for value in values]]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(name),
                "x": points[places, 0],
                "y": points[places, 1],
                "text": [_about(data, int(place)) for place in places],
                "marker": {"size": 5, "color": colours[name], "opacity": 0.75},
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    note = _note(data, len(chosen), share)
    shown = layout(title or note, note if title else "", height=380, hovermode="closest")
    shown["showlegend"] = len(names) > 1
    shown["margin"] |= {"b": 40}
    return {"data": traces, "layout": shown}


def _note(data: EmbeddingData, drawn: int, share: float) -> str:
    vectors, numbers = data.vectors.shape
    of = f"{count(drawn)} of {count(vectors)}" if drawn < vectors else count(vectors)
    return f"{of} vectors of {count(numbers)} on two principal axes: {share:.0%} of the variance"


def _few_valued(data: EmbeddingData) -> int | None:
    for column in range(len(data.rows[0]) if data.rows else 0):
        if 1 < len({row[column] for row in data.rows}) <= MOST_COLOURS:
            return column
    return None


def _about(data: EmbeddingData, place: int) -> str:
    row: Sequence[str] = data.rows[place] if data.rows else [f"vector {place}"]
    heads = [f"{brief(name, _LONGEST)}: " for name in data.header] or [""] * len(row)
    return "<br>".join(label(head + brief(cell, _LONGEST)) for head, cell in zip(heads, row, strict=False))
