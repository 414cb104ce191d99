"""An embedding as the page shows it: a point for each vector, in the plane or in space."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...storage.kinds.embedding import EmbeddingData
from ..analysis.projections import Projection, project
from .figures import Figure, label, layout, run_colours
from .words import brief

MOST_COLOURS = 16
"""Values of a column by which points are coloured; further ones share a grey."""
AUTO, NOTHING = -1, -2
"""Instead of a column: the first one with few values, and none."""
_LONGEST = 60
_OTHERS = "others"
_GREY = "#8A8A8A"
_SCALE = [[0.0, "#E69F00"], [0.5, "#969696"], [1.0, "#0072B2"]]


def figure(
    title: str, data: EmbeddingData, colour: str, projection: Projection | None = None, column: int = AUTO
) -> Figure:
    """Draw a point for each vector, coloured by a column of the metadata.

    Args:
        title: shown literally; "" for what is drawn in its place.
        data: the embedding.
        colour: of points that nothing is known of, `#RRGGBB`.
        projection: where the points lie; None for the two principal axes.
        column: its place in the metadata, AUTO or NOTHING.
    """
    projection = projection or project(data)
    column = _few_valued(data) if column == AUTO else column
    flat = projection.points.shape[1] == 2
    traces = _traces(data, projection, column, colour)
    shown = layout(
        title or projection.note, projection.note if title else "", height=420, hovermode="closest"
    )
    shown["showlegend"] = len(traces) > 1
    if flat:
        shown["margin"] |= {"b": 40}
    else:
        axis = {"showbackground": False, "title": {"text": ""}, "showticklabels": False}
        shown["scene"] = {"aspectmode": "cube", "xaxis": axis, "yaxis": axis, "zaxis": axis}
        shown["margin"] |= {"l": 0, "r": 0, "b": 0}
        shown["legend"] = {"y": 0.0, "itemsizing": "constant"}
    return {"data": traces, "layout": shown}


def columns(data: EmbeddingData) -> list[str]:
    """Return the names of the columns of the metadata; numbered ones where they have none."""
    many = len(data.rows[0]) if data.rows else 0
    given = [brief(name, _LONGEST) for name in data.header] or ["label"] * (many == 1)
    return [given[at] if at < len(given) else f"column {at + 1}" for at in range(many)]


def about(data: EmbeddingData, row: int) -> list[tuple[str, str]]:
    """Return what is known of a vector: pairs of column and value."""
    if not data.rows:
        return [("vector", str(row))]
    return [(name, brief(cell, _LONGEST)) for name, cell in zip(columns(data), data.rows[row], strict=False)]


def picture(data: EmbeddingData, row: int) -> bytes | None:
    """Return the small picture of a vector as PNG; None where there is none, or the sheet is too small."""
    if data.sprite is None or data.image_size is None:
        return None
    width, height = data.image_size
    across = math.ceil(math.sqrt(len(data.vectors)))
    left, top = row % across * width, row // across * height
    with Image.open(io.BytesIO(data.sprite)) as sheet:
        if left + width > sheet.width or top + height > sheet.height:
            return None
        piece = sheet.crop((left, top, left + width, top + height))
    buffer = io.BytesIO()
    piece.save(buffer, "PNG")
    return buffer.getvalue()


def _traces(data: EmbeddingData, projection: Projection, column: int, colour: str) -> list[dict[str, Any]]:
    if not 0 <= column < len(columns(data)):
        return [_trace(data, projection, np.arange(len(projection.rows)), "", {"color": colour})]
    values = [brief(data.rows[row][column], _LONGEST) for row in map(int, projection.rows)]
    numbers = _numbers(values)
    if numbers is not None:
        bar = {"thickness": 10, "title": {"text": label(columns(data)[column]), "font": {"size": 11}}}
        marker = {"color": numbers, "colorscale": _SCALE, "showscale": True, "colorbar": bar}
        return [_trace(data, projection, np.arange(len(values)), "", marker)]
    often = Counter(values).most_common(
        MOST_COLOURS if len(set(values)) <= MOST_COLOURS else MOST_COLOURS - 1
    )
    names = sorted(name for name, _ in often)
    colours = run_colours(names)
    traces = [
        _trace(data, projection, _where(values, name), name, {"color": colours[name]}) for name in names
    ]
    rest = np.array([place for place, value in enumerate(values) if value not in colours], np.intp)
    return [*traces, _trace(data, projection, rest, _OTHERS, {"color": _GREY})] if len(rest) else traces


def _where(values: Sequence[str], name: str) -> NDArray[np.intp]:
    return np.array([place for place, value in enumerate(values) if value == name], np.intp)


def _trace(
    data: EmbeddingData, projection: Projection, places: NDArray[np.intp], name: str, marker: dict[str, Any]
) -> dict[str, Any]:
    points = projection.points[places]
    flat = points.shape[1] == 2
    return {
        "type": "scatter" if flat else "scatter3d",
        "mode": "markers",
        "name": label(name),
        **{axis: np.ascontiguousarray(points[:, at]) for at, axis in enumerate("xy" if flat else "xyz")},
        "text": [_told(data, row) for row in map(int, projection.rows[places])],
        "marker": {"size": 5 if flat else 2, "opacity": 0.75, **marker},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _told(data: EmbeddingData, row: int) -> str:
    """Return what is known of a vector for plotly, a line for each column."""
    if not data.rows:
        return f"vector {row}"
    alone = not data.header and len(data.rows[row]) == 1
    return "<br>".join(label(cell if alone else f"{name}: {cell}") for name, cell in about(data, row))


def _numbers(values: Sequence[str]) -> NDArray[np.float64] | None:
    """Return a column as numbers where it holds many different ones; None for words and for classes."""
    if len(set(values)) <= MOST_COLOURS:
        return None
    try:
        return np.array([float(value) for value in values])
    except ValueError:
        return None


def _few_valued(data: EmbeddingData) -> int:
    for column in range(len(data.rows[0]) if data.rows else 0):
        if 1 < len({row[column] for row in data.rows}) <= MOST_COLOURS:
            return column
    return NOTHING
