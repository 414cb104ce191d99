"""A chart that is updated in place: zoom, pan and the legend's choices survive new data.

Streamlit's own `st.plotly_chart` is made anew whenever its data change (its identity contains them), so a
live chart would flicker and lose its zoom twice a second. This component hands the figure to
browser/chart.js, which lets plotly.js compute the difference, draws what is near the screen only, and adds
a menu, a cursor through all charts of the page and a zoom that the address keeps.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import streamlit as st
import streamlit.components.v2 as components_v2
from numpy.typing import NDArray

from .. import url_state
from ..routing import browser_files
from ..views.figures import Figure

ZOOMS = "zoom"
"""Where the address keeps the zooms of all charts."""

_render = components_v2.component(
    "stepscope_chart", js=browser_files.starts("chart.js"), isolate_styles=False
)


@dataclass(frozen=True, slots=True)
class Zoom:
    """What part of a chart a viewer looks at, as values of its axes: dates are milliseconds."""

    first: float
    last: float
    low: float | None = None
    high: float | None = None
    """The vertical part; None where the whole is shown."""


def draw(
    figure: Figure,
    *,
    key: str,
    alt: str,
    cursor: str | None = None,
    zoomable: bool = False,
    clickable: bool = False,
) -> Zoom | None:
    """Draw a figure where the page stands now.

    Args:
        figure: the picture, numpy arrays in it.
        key: what makes it the same chart in the next run of the page; unique on the page.
        alt: what the chart shows, for screen readers, and the name of the picture when it is saved.
        cursor: what the horizontal axis counts; charts of one word share a vertical line under the mouse.
        zoomable: run the page again once the viewer has zoomed, so that finer points can be read.
        clickable: run the page again once the viewer has clicked a point.

    Returns:
        Where the viewer zoomed to; None for the whole, and for charts that are not zoomable.
    """
    place = _place(key)
    ends = _ends(key, cursor) if zoomable else None
    told = {
        **{"alt": alt, "cursor": cursor, "zoomable": zoomable, "zoom": ends, "clickable": clickable},
        **{"library": browser_files.address_of(browser_files.PLOTLY), "figure": figure},
    }
    asks: Any = {"on_zoom_change": partial(_keep, key, cursor)} if zoomable else {}
    if clickable:
        asks["on_clicked_change"] = _nothing
    _render(data=pack(told), key=place, width="stretch", height=int(figure["layout"]["height"]), **asks)
    return zoomed(key, cursor) if zoomable else None


def zoomed(key: str, cursor: str | None = None) -> Zoom | None:
    """Return where the viewer of a chart zoomed to, also before it is drawn; None for the whole width."""
    ends = _ends(key, cursor)
    if ends is None or ends[0] is None or ends[1] is None:
        return None
    return Zoom(ends[0], ends[1], ends[2], ends[3])


def zoomed_height(key: str, cursor: str | None = None) -> tuple[float, float] | None:
    """Return what part of the vertical axis the viewer of a chart zoomed to; None for the whole height."""
    ends = _ends(key, cursor)
    if ends is None or ends[2] is None or ends[3] is None:
        return None
    return ends[2], ends[3]


def clicked(key: str) -> float | None:
    """Return the x of the point of a clickable chart that was clicked last; None when none was."""
    state: Any = st.session_state.get(_place(key)) or {}
    return cast("float | None", state.get("clicked"))


def pack(value: Any) -> bytes:
    """Return JSON in which arrays are base64 of their bytes, as plotly.js reads them.

    That is a tenth of the time of writing their numbers as text, and NaN survives, which JSON cannot hold.
    """
    return json.dumps(value, default=_packed, separators=(",", ":")).encode("utf-8")


def _packed(value: object) -> object:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"a figure holds plain values and arrays, but {value!r} is a {type(value).__name__}")
    array = cast("NDArray[Any]", value)
    # plotly.js knows no 64-bit integers: a browser's numbers are float64.
    array = np.ascontiguousarray(array, dtype=np.float64 if array.dtype.itemsize == 8 else None)
    text = base64.b64encode(array.tobytes()).decode("ascii")
    spec = {"dtype": f"{array.dtype.kind}{array.dtype.itemsize}", "bdata": text}
    return spec if array.ndim == 1 else {**spec, "shape": ",".join(map(str, array.shape))}


def _place(key: str) -> str:
    # Streamlit's own marks, such as "__", may be part of a logged name: the key is made of what it says.
    return f"chart_{_digest(key)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _nothing() -> None:
    """Only what has a callback is handed to the page; the page runs again by itself."""


def _keep(key: str, cursor: str | None) -> None:
    """Keep in the address what a viewer zoomed to."""
    state: Any = st.session_state.get(_place(key)) or {}
    ends: list[float | None] | None = state.get("zoom")
    name = _name(key, cursor)
    others = [text for text in url_state.texts(ZOOMS) if not text.startswith(name)]
    ours = [name + ":".join("" if end is None else f"{end:.15g}" for end in ends)] if ends else []
    url_state.set_texts(ZOOMS, [*ours, *others])


def _ends(key: str, cursor: str | None) -> list[float | None] | None:
    """Return what the address says of a chart: first, last, low and high; None for nothing."""
    name = _name(key, cursor)
    found = next((text for text in url_state.texts(ZOOMS) if text.startswith(name)), None)
    if found is None:
        return None
    try:
        ends = [float(part) if part else None for part in found[len(name) :].split(":")]
    except ValueError:
        return None
    sound = len(ends) == 4 and all(end is None or math.isfinite(end) for end in ends)
    return ends if sound else None


def _name(key: str, cursor: str | None) -> str:
    # On another axis the same numbers would be another part.
    return f"{_digest(f'{key} {cursor}')[:8]}:"
