"""The table of runs: thousands of them at once, with ticks, groups and sorting (see browser/run_table.js)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import streamlit as st
import streamlit.components.v2 as components_v2

from ...storage.model import Run
from .. import url_state
from ..analysis import grouping
from ..analysis.run_columns import Column, Listing
from ..routing import browser_files
from . import notices
from .chart import pack
from .run_picker import Choice

NAME = "stepscope_runs"
SORT = "sort"
TOGGLED = "groups"
"""Groups that the viewer opened or closed."""
HEIGHT = 700
"""Pixels, at most; what is longer scrolls."""

_KEY = "run_table"
_render = components_v2.component(NAME, js=browser_files.starts("run_table.js"), isolate_styles=False)


def draw(listing: Listing, rows: Sequence[int], columns: Sequence[str], chosen: Choice) -> None:
    """Draw the table, or say why it cannot be drawn. Ticks, sorting and open groups go into the address.

    Args:
        listing: what is known of runs.
        rows: which of them are shown, in the order that they have without sorting.
        columns: keys of columns.
        chosen: the ticked runs; colours, names and groups of all.
    """
    with notices.guarded("The table of runs"):
        told = _told(listing, rows, [listing.column(key) for key in columns], chosen)
        _render(
            data=pack(told),
            key=_KEY,
            width="stretch",
            height="content",
            on_ticked_change=_tick,
            on_sort_change=_sort,
            on_toggled_change=_toggle,
        )


def swatch(colour: str) -> str:
    """Return a picture of a colour; a cell of Streamlit's table cannot have one otherwise."""
    square = f'<rect x="3" y="3" width="14" height="14" rx="3" fill="{colour}"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{square}</svg>'
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _told(listing: Listing, rows: Sequence[int], columns: Sequence[Column], chosen: Choice) -> dict[str, Any]:
    runs = [listing.runs[row] for row in rows]
    ids = [run.run_id for run in runs]
    return {
        "alt": f"The runs of the store: {len(ids)} rows",
        "ids": ids,
        "names": [chosen.names[run_id] for run_id in ids],
        "colours": [chosen.colours[run_id] for run_id in ids],
        "ticked": chosen.run_ids,
        "most": url_state.MOST_RUNS,
        "height": HEIGHT,
        "columns": [
            {
                **{"key": one.key, "title": one.title, "kind": one.kind, "width": one.width},
                "values": [one.values[row] for row in rows],
            }
            for one in columns
        ],
        "sort": url_state.text(SORT),
        "toggled": url_state.texts(TOGGLED),
        "group": _groups(runs, chosen),
    }


def _groups(runs: Sequence[Run], chosen: Choice) -> dict[str, Any] | None:
    key = chosen.group_key
    if key is None:
        return None
    return {
        "title": key.removeprefix(grouping.CONFIG),
        "order": list(grouping.groups(runs, key)),
        "values": [grouping.value_of(run, key) for run in runs],
        "colours": dict(chosen.group_colours),
    }


def _tick() -> None:
    url_state.write(url_state.RUNS, [str(one) for one in _state("ticked")])


def _sort() -> None:
    url_state.set_text(SORT, str(_state("sort") or ""))


def _toggle() -> None:
    url_state.set_texts(TOGGLED, [str(one) for one in _state("toggled")])


def _state(name: str) -> Any:
    """Return what the viewer changed last."""
    state: Any = st.session_state.get(_KEY) or {}
    return state.get(name) or ()
