"""A chart that is updated in place: zoom, pan and the legend's choices survive new data.

Streamlit's own `st.plotly_chart` is made anew whenever its data change (its identity contains them), so a
live chart would flicker and lose its zoom twice a second. This component hands the figure to chart.js,
which lets plotly.js compute the difference. The library is the file that comes with the plotly package.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import plotly
import streamlit.components.v1 as components_v1
import streamlit.components.v2 as components_v2
from numpy.typing import NDArray

from ..views.figures import Figure

_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_render = components_v2.component("stepscope_chart", js=_SCRIPT, isolate_styles=False)


@dataclass(frozen=True, slots=True)
class Zoom:
    """What part of the horizontal axis a viewer looks at, in the units of the figure's x."""

    first: float
    last: float


def draw(
    figure: Figure, *, key: str, alt: str, cursor: str | None = None, zoomable: bool = False
) -> Zoom | None:
    """Draw a figure where the page stands now.

    Args:
        figure: the picture, numpy arrays in it.
        key: what makes it the same chart in the next run of the page; unique on the page.
        alt: what the chart shows, for screen readers, and the name of the picture when it is saved.
        cursor: what the horizontal axis counts; charts of one word share a vertical line under the mouse.
        zoomable: run the page again once the viewer has zoomed, so that finer points can be read.

    Returns:
        Where the viewer zoomed to; None for the whole, and for charts that are not zoomable.
    """
    data = pack({"figure": figure, "alt": alt, "library": _library_address(), "cursor": cursor})
    # Streamlit's own marks, such as "__", may be part of a logged name: the key is made of what it says.
    place = f"chart_{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    asks: Any = {"on_zoom_change": _nothing} if zoomable else {}
    seen = _render(data=data, key=place, width="stretch", height=int(figure["layout"]["height"]), **asks)
    ends: list[float] | None = seen.get("zoom") if zoomable else None
    return Zoom(float(ends[0]), float(ends[1])) if ends else None


def _nothing() -> None:
    """Only what has a callback is handed to the page; the page runs again by itself."""


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


def _library_address() -> str:
    """Return the path under which Streamlit serves plotly.min.js.

    Declaring a component of the first generation is Streamlit's public way to serve a folder. It is done
    for each page run because the runtime that serves it may be another one than at import (as in tests).
    """
    folder = Path(plotly.__file__).parent / "package_data"
    component = components_v1.declare_component("plotly", path=folder)
    return f"/component/{component.name}/plotly.min.js"
