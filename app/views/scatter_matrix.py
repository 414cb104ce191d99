"""Every setting against every other one and the metric: plots of points, coloured by the metric's rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.trials import Column
from .figures import Figure, label, layout
from .parallel import ranks, ticks
from .words import brief

MOST_COLUMNS = 5
"""Settings; with the metric that makes 15 plots."""
MOST_POINTS = 12_000
"""In all plots together: a browser draws each as an element of its own."""
RAMP = [[0.0, "#E69F00"], [0.5, "#969696"], [1.0, "#0072B2"]]
"""From the worst to the best, as parallel.js has it."""
_LONGEST = 24
_CELL = 150
_GOLDEN, _SILVER = 0.618034, 0.414214

_Floats = NDArray[np.float64]


def drawn_rows(rows: int, columns: int) -> NDArray[np.intp]:
    """Return which of the runs are drawn, evenly chosen, where all would be too many."""
    plots = max(columns * (columns + 1) // 2, 1)
    most = max(MOST_POINTS // plots, 1)
    return np.arange(rows) if rows <= most else np.linspace(0, rows - 1, most).astype(np.intp)


def figure(
    columns: Sequence[Column], metric: Column, names: Sequence[str], *, more_is_better: bool
) -> Figure:
    """Draw the lower half of the matrix; the metric is the last row.

    Args:
        columns: the settings, at most 5, n values each.
        metric: what came of them.
        names: the runs' names, shape (n,), shown literally.
        more_is_better: which end of the metric is the good one.
    """
    settings = list(columns[:MOST_COLUMNS])
    rows = drawn_rows(len(names), len(settings))
    rank = ranks(metric.numbers, more_is_better=more_is_better)
    # The best lie on top.
    rows = rows[np.argsort(np.nan_to_num(rank[rows], nan=-1), kind="stable")]
    shades = np.nan_to_num(rank[rows], nan=0.5)
    shown = [*settings, metric]
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for down in range(1, len(shown)):
        for across in range(down):
            # plotly's first axis has no number.
            number = str(len(traces) + 1) if traces else ""
            traces.append(_plot(shown[across], shown[down], rows, shades, names, number))
            axes |= _axes(shown, across, down, number)
    size = len(shown) - 1
    drawn = layout("", height=max(260, _CELL * size + 60), hovermode="closest", **axes)
    drawn["margin"] |= {"l": 70, "b": 50}
    return {"data": traces, "layout": drawn}


def _plot(
    x: Column, y: Column, rows: NDArray[np.intp], shades: _Floats, names: Sequence[str], number: str
) -> dict[str, Any]:
    told = [
        label(brief(names[row], 40)) + f"<br>{label(_says(x, row))}<br>{label(_says(y, row))}"
        for row in map(int, rows)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": _spread(x, rows, _GOLDEN),
        "y": _spread(y, rows, _SILVER),
        "xaxis": f"x{number}",
        "yaxis": f"y{number}",
        "text": told,
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": 5, "opacity": 0.7, "color": shades, "cmin": 0, "cmax": 1, "colorscale": RAMP},
    }


def _says(column: Column, row: int) -> str:
    return f"{brief(column.name, _LONGEST)}: {column.text(row) or 'none'}"


def _spread(column: Column, rows: NDArray[np.intp], turn: float) -> _Floats:
    """Return where points lie; those of one word a little apart, so that many do not look like one."""
    places = column.places[rows]
    if not column.words:
        return places
    return places + (rows * turn % 1.0 - 0.5) * 0.4


def _axes(shown: Sequence[Column], across: int, down: int, number: str) -> dict[str, Any]:
    size = len(shown) - 1
    gap = 0.02
    bottom = (size - down) / size
    return {
        f"xaxis{number}": {
            **_ends(shown[across], titled=down == size),
            "domain": [across / size + gap, (across + 1) / size - gap],
            "anchor": f"y{number}",
        },
        f"yaxis{number}": {
            **_ends(shown[down], titled=across == 0),
            "domain": [bottom + gap, bottom + 1 / size - gap],
            "anchor": f"x{number}",
        },
    }


def _ends(column: Column, *, titled: bool) -> dict[str, Any]:
    known = column.places[np.isfinite(column.places)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    room = 0.08 * (high - low) or 0.5
    if column.words:
        room = 0.5
    marks = ticks(column, low, high) if high > low or column.words else [(low, f"{column.numbers.min():g}")]
    return {
        "range": [low - room, high + room],
        "tickvals": np.array([at for at, _ in marks]),
        "ticktext": [label(brief(word, 10)) for _, word in marks],
        "showticklabels": titled,
        "tickfont": {"size": 10},
        "title": {"text": label(brief(column.name, _LONGEST)) if titled else "", "font": {"size": 11}},
        "showline": True,
        "zeroline": False,
        "automargin": titled,
    }
