"""The drawing of a graph whose modules open and close, in the page itself.

Where boxes lie is computed in the browser by dagre, in the version that Netron, the viewer of models, keeps
and ships in its package. Only what is open is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import streamlit as st
import streamlit.components.v2 as components_v2

from ..routing import browser_files
from ..views.graph_drawing import Box, Drawing
from ..views.words import valid

HEIGHT = 620
"""Pixels."""
_PLACE = "graph drawing "


@dataclass(frozen=True, slots=True)
class Click:
    """What a viewer clicked."""

    part_id: str
    """Or an operation's box."""
    toggles: bool
    """Whether it is to be opened or closed, too."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands out of a drawing."""

    chosen: str = ""
    """The part or operation that was clicked, "" for none."""
    found: Mapping[str, str] | None = None
    """Part -> a word, for what a search found."""
    differs: Mapping[str, str] | None = None
    """Part -> a word, for what another model has otherwise."""


def draw(
    drawn: Drawing,
    marks: Marks,
    *,
    key: str,
    alt: str,
    on_click: Callable[[Click], None],
    height: int = HEIGHT,
) -> None:
    """Draw a graph where the page stands now.

    Args:
        drawn: boxes, frames and arrows.
        marks: what stands out.
        key: what makes it the same graph in the next run of the page; unique on the page.
        alt: what is drawn, for screen readers.
        on_click: called with what was clicked, before the page runs again.
        height: pixels.

    Raises:
        FileNotFoundError: the package netron, which lays the boxes out, is not as it should be.
    """
    opened = {frame.box_id for frame in drawn.frames}
    if drawn.tree:
        opened = {source for source, _, _ in drawn.arrows}
    content = {
        "boxes": [_box(box, marks, opened) for box in drawn.boxes],
        "frames": [_box(frame, marks, opened) for frame in drawn.frames],
        "arrows": drawn.arrows,
        "tree": drawn.tree,
        "alt": alt,
        "height": height,
        "model": key,
    }
    text = valid(json.dumps(content, ensure_ascii=False, separators=(",", ":")))
    place = f"{_PLACE}{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:16]}"

    def clicked() -> None:
        what: Any = st.session_state[place]["clicked"]
        if isinstance(what, Mapping):
            told = cast("Mapping[str, Any]", what)
            on_click(Click(str(told.get("id", "")), bool(told.get("toggles"))))

    _component()(data=text.encode("utf-8"), key=place, height=height, on_clicked_change=clicked)


def is_clicked() -> bool:
    """Return, in a callback, whether the viewer has just clicked in a drawing.

    What the browser says of tables then is no choice: it may not have heard of the one before.
    """
    places = [key for key in st.session_state if str(key).startswith(_PLACE)]
    return any(st.session_state[place].get("clicked") for place in places)


def _box(box: Box, marks: Marks, opened: Collection[str]) -> dict[str, Any]:
    found, differs = (marks.found or {}).get(box.part), (marks.differs or {}).get(box.part)
    words = [word for word in (found, differs) if word]
    return {
        "id": box.box_id,
        "part": box.part,
        "title": box.title,
        "lines": box.lines,
        "parent": box.parent,
        "colour": box.colour,
        "opens": box.opens,
        "open": box.box_id in opened,
        "holds": box.holds,
        "full": box.full,
        "chosen": box.part == marks.chosen,
        "found": found is not None,
        "differs": differs is not None,
        "mark": " · ".join(words),
    }


@cache
def _component() -> Any:
    """Return the component. Raises FileNotFoundError: nothing can place the boxes."""
    try:
        browser_files.address_of(browser_files.DAGRE)
    except KeyError:
        raise FileNotFoundError('the drawing needs the package netron: pip install "netron>=9,<10"') from None
    style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    script = browser_files.starts("graph_drawing.js")
    return components_v2.component("stepscope_graph", js=script, css=style, isolate_styles=False)
