"""A figure that a user drew, as the page shows it: in the page's own fonts and colours where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...storage.kinds.figure import FigureData
from . import image
from .figures import COLOURS, Figure
from .words import one_of

HEIGHT = 420
"""Pixels of a figure that does not say."""
_SHORTEST, _TALLEST = 100, 2000
SCALE = 2
"""Pixels of a stored picture for each on the page."""


def figure(data: FigureData) -> Figure | None:
    """Return a plotly figure for the page; None for a picture.

    Nothing in it loads from, or leads to, another place (see storage/kinds/figure_safe.py).

    Raises:
        StoreDamaged: it is not plotly's JSON.
    """
    if data.is_picture:
        return None
    spec = data.spec()
    layout: dict[str, Any] = {"colorway": list(COLOURS), **spec["layout"]}
    layout["height"] = _height(layout.get("height"))
    # The page gives the width; labels that are too long for it make room.
    layout["autosize"] = False
    layout.setdefault("showlegend", len(spec["data"]) > 1)
    if spec["left_out"]:
        layout["annotations"] = [*_list(layout.get("annotations")), _left_out(spec["left_out"])]
    margin = cast("Any", layout.get("margin"))
    layout["margin"] = {"l": 50, "r": 20, "t": 50 if _has_title(layout) else 20, "b": 40} | (
        cast("dict[str, Any]", margin) if isinstance(margin, dict) else {}
    )
    return {"data": spec["data"], "layout": layout}


def picture(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card needs of a figure that is a picture: digest, width, height, caption, media_type.

    Args:
        facts: the meta of the record and the digest of its bytes, a PNG.
    """
    return image.figure(facts)


def _height(height: Any) -> int:
    if isinstance(height, int | float) and _SHORTEST <= height <= _TALLEST:
        return int(height)
    return HEIGHT


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _left_out(count: int) -> dict[str, Any]:
    text = f"{one_of(count, 'map')} not shown: it would be loaded from another server"
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": 0, "xanchor": "left", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, **place}


def _has_title(layout: dict[str, Any]) -> bool:
    title = layout.get("title")
    return bool(cast("dict[str, Any]", title).get("text") if isinstance(title, dict) else title)
