"""What all figures share: their form, colours that every eye can tell apart, and labels that stay text.

A figure is the plain dictionary that plotly.js draws, `{"data": [...], "layout": {...}}`, with numpy
arrays in it. Building plotly's Python objects instead took 300 to 500 ms for a page of charts.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, TypeAlias

from .words import brief

Figure: TypeAlias = dict[str, Any]

# Okabe and Ito's colours without black and yellow, which vanish on a dark or a white page; violet and
# olive (from Paul Tol's schemes) take their places.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7B61C4", "#999933")


LONGEST_TITLE = 160
"""Characters; what is wider than the chart is cut by it."""


def run_colours(run_ids: Sequence[str]) -> dict[str, str]:
    """Give each run a colour by its place in the store, so that it has the same one on every page.

    Args:
        run_ids: all runs of the store, oldest first. After eight the colours come again, lighter.
    """
    return {run_id: _nth_colour(place) for place, run_id in enumerate(run_ids)}


def _nth_colour(place: int) -> str:
    colour = COLOURS[place % len(COLOURS)]
    return mix(colour, "#FFFFFF", 0.4) if place // len(COLOURS) % 2 else colour


def mix(colour: str, other: str, share: float) -> str:
    """Return `#RRGGBB` with that share (0 to 1) of the other colour in it."""
    pairs = zip(_rgb(colour), _rgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)


def faint(colour: str, opacity: float) -> str:
    """Return a colour `#RRGGBB` with that opacity (0 to 1), as CSS writes it."""
    red, green, blue = _rgb(colour)
    return f"rgba({red},{green},{blue},{opacity:g})"


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def label(text: str) -> str:
    """Return text as plotly shows it literally: plotly reads a subset of HTML in every label."""
    return html.escape(text, quote=False)


def layout(title: str, note: str = "", *, height: int = 260, **extra: Any) -> dict[str, Any]:
    """Return the layout that all charts begin with; colours and fonts come from the page's theme.

    Args:
        title: shown literally, in the upper left corner; "" for none.
        note: a smaller line under the title, shown literally: what a reader must know about the data.
        height: pixels.
        **extra: further attributes of plotly's layout.
    """
    heading: dict[str, Any] = {
        "text": f"<b>{label(brief(title, LONGEST_TITLE))}</b>",
        "font": {"size": 13},
        **{"x": 0, "xanchor": "left", "xref": "container", "y": 1, "yanchor": "top", "yref": "container"},
        "pad": {"t": 6, "l": 4},
    }
    if note:
        heading["subtitle"] = {"text": label(note), "font": {"size": 11}}
    return {
        "height": height,
        "margin": {"l": 44, "r": 10, "t": 54 if note else 32 if title else 8, "b": 24},
        "title": heading if title else None,
        "showlegend": False,
        # While this stays the same, new data leaves zoom and pan as the viewer set them.
        "uirevision": "kept",
        **extra,
    }
