"""Parallel coordinates that can be brushed, hovered over and clicked (see browser/parallel.js).

plotly's own need three WebGL contexts a chart, of which a browser has few, and name no run of a line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
import streamlit.components.v2 as components_v2

from .. import url_state
from ..routing import browser_files
from ..views.parallel import Parallel
from .chart import pack

BRUSHES = "brushes"
HEIGHT = 360
_KEY = "parallel"
_render = components_v2.component("stepscope_parallel", js=browser_files.starts("parallel.js"))

Brushes = Mapping[str, tuple[float, float]]
"""Axis -> the ends of what is chosen on it, in its places."""


def brushes() -> dict[str, tuple[float, float]]:
    """Return what the viewer has chosen on the axes, as the address has it; all else in it is left out."""
    found: dict[str, tuple[float, float]] = {}
    for text in url_state.texts(BRUSHES):
        try:
            name, low, high = json.loads(text)
            ends = sorted((float(low), float(high)))
            if math.isfinite(ends[0]) and math.isfinite(ends[1]):
                found[str(name)] = (ends[0], ends[1])
        except (TypeError, ValueError):
            continue
    return found


def draw(figure: Parallel, chosen: Mapping[str, str], *, alt: str) -> str | None:
    """Draw the axes and lines, and return the id of the run whose line was clicked just now.

    Args:
        figure: what views/parallel.py makes.
        chosen: run -> `#RRGGBB` of the runs that other pages show; their lines are marked.
        alt: what it shows, for screen readers.
    """

    def remember() -> None:
        drawn: Sequence[Any] = st.session_state[_KEY].get("brushes") or []
        url_state.set_texts(BRUSHES, [json.dumps(one, separators=(",", ":")) for one in drawn])

    data = {
        **figure,
        "chosen": dict(chosen),
        "brushes": {name: list(ends) for name, ends in brushes().items()},
        "alt": alt,
        "height": HEIGHT,
    }
    seen = _render(
        data=pack(data), key=_KEY, height=HEIGHT, on_brushes_change=remember, on_picked_change=lambda: None
    )
    return seen.get("picked")


def clear() -> None:
    """Forget what was chosen on the axes."""
    url_state.set_texts(BRUSHES, [])
