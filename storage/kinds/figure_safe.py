"""Takes out of a plotly figure what would load from, or lead to, another place when someone looks at it.

plotly.js runs no code of a figure. But maps load tiles, pictures load from any address, and labels may hold
links: a figure that someone else logged would tell that place who looks at it, or lead a viewer there.
"""

from __future__ import annotations

import re
from typing import Any, cast

_TILED = frozenset(
    f"{what}{where}"
    for what in ("scatter", "choropleth", "density")
    for where in ("map", "mapbox", "geo", "")
) - {"scatter"}
"""Types of traces whose maps are loaded from a server."""
_ELSEWHERE = frozenset({"images", "mapbox", "map", "geo", "template"})
"""Parts of a layout (of a template too) that hold addresses; the page has a template of its own."""
_LINK = re.compile(r"<\s*(?=/?\s*a\b)", re.IGNORECASE)


def harmless(figure: Any) -> dict[str, Any]:
    """Return `{"data": [...], "layout": {...}}` out of a figure's JSON, fit to be drawn for anybody.

    "left_out" says how many traces are gone: maps.

    Raises:
        TypeError: it is no figure.
    """
    if not isinstance(figure, dict):
        raise TypeError(f"expected an object with data and layout, but got a {type(figure).__name__}")
    found = cast("dict[str, Any]", figure)
    data, layout = found.get("data", []), found.get("layout", {})
    if not isinstance(data, list) or not isinstance(layout, dict):
        raise TypeError("expected data as a list and layout as an object")
    traces = [one for one in map(_dict, cast("list[Any]", data)) if one and _is_local(one)]
    left_out = len(cast("list[Any]", data)) - len(traces)
    kept = _clean(_own(cast("dict[str, Any]", layout)))
    return {"data": _clean(traces), "layout": kept, "left_out": left_out}


def _is_local(trace: dict[str, Any]) -> bool:
    return trace.get("type") not in _TILED


def _own(layout: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in layout.items() if key.rstrip("0123456789") not in _ELSEWHERE}
    colours = _dict(_dict(layout.get("template")).get("layout")).get("colorway")
    return {"colorway": colours, **kept} if isinstance(colours, list) else kept


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        # A button may turn a trace into a map.
        return "scatter" if value in _TILED else _LINK.sub("&lt;", value)
    if isinstance(value, list):
        return [_clean(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _clean(item) for key, item in items if not _is_address(key, item)}
    return value


def _is_address(key: str, value: Any) -> bool:
    """Whether it is the source of a picture, and not the picture itself. Buttons write keys with dots."""
    return (
        key.rpartition(".")[2] == "source" and isinstance(value, str) and not value.startswith("data:image/")
    )
