"""One window of Visdom on a page of the dashboard. What runs logged is shown, never run as HTML."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from ...trackers.sources.visdom.html_panes import HtmlPart, data_of, parts_of
from ..views import visdom_window
from ..views.visdom_window import HEIGHT, WIDTH
from ..views.words import plain
from . import chart, notices, table

_AROUND = 34
"""Pixels of a window's border and of the room within it."""


def draw(window: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    """Draw a window with its title, or say why it cannot be drawn.

    Args:
        window: as an environment file holds it.
        colours: run_id -> `#RRGGBB`.
    """
    title = str(window.get("title") or window.get("id"))
    with st.container(border=True, width=WIDTH + _AROUND, key=f"window {window.get('id')}"):
        st.markdown(f"**{plain(title)}**")
        with notices.guarded(title):
            if window.get("type") == "plot":
                figure = visdom_window.plot(window["content"], colours)
                chart.draw(figure, key=f"visdom {window['id']}", alt=title)
            else:
                _DRAWN.get(str(window.get("type")), _unknown)(window, title)


def _network(window: Mapping[str, Any], title: str) -> None:
    chart.draw(visdom_window.network(window["content"]), key=f"visdom {window['id']}", alt=title)


def _image(window: Mapping[str, Any], title: str) -> None:
    _picture(window["content"], title)


def _history(window: Mapping[str, Any], title: str) -> None:
    """Draw the picture that the slider stands at; it stands at the newest until it is moved."""
    pictures = window["content"]
    place = len(pictures)
    if place > 1:
        key = f"history {window['id']}"
        place = st.slider(
            f"Pictures of {plain(title)}", 1, place, place, key=key, label_visibility="collapsed"
        )
    _picture(pictures[place - 1], title)


def _picture(content: Mapping[str, Any], title: str) -> None:
    found = data_of(str(content["src"]))
    if found is None:
        raise ValueError("its picture is not in it")
    picture, width = visdom_window.magnified(found[1])
    st.image(picture, alt=title, width=width)
    if caption := str(content.get("caption") or ""):
        st.caption(plain(caption))


def _text(window: Mapping[str, Any], title: str) -> None:
    with st.container(height=HEIGHT, border=False):
        for place, part in enumerate(parts_of(str(window["content"]))):
            _PARTS[part.kind](part, f"{title} {place}")


def _properties(window: Mapping[str, Any], title: str) -> None:
    entries = window["content"]
    columns = {
        "name": [str(one.get("name", "")) for one in entries],
        "value": [str(one.get("value", "")) for one in entries],
    }
    table.draw(columns, alt=title, most_rows=8)


def _unknown(window: Mapping[str, Any], _: str) -> None:
    st.caption(plain(f"A window of the type {window.get('type')!r} is drawn by Visdom only."))


def _words(part: HtmlPart, _: str) -> None:
    if part.exact:
        st.code(part.text, language=None, wrap_lines=True)
    else:
        st.caption(plain(part.text))


def _head(part: HtmlPart, _: str) -> None:
    st.caption(plain(part.text))


def _rows(part: HtmlPart, name: str) -> None:
    heads, *rows = (
        part.rows if part.has_head else [[str(place) for place in range(len(part.rows[0]))], *part.rows]
    )
    columns: dict[str, list[str]] = {}
    for place, head in enumerate(heads):
        columns[head or str(place)] = [row[place] if place < len(row) else "" for row in rows]
    table.draw(columns, alt=name)


def _audio(part: HtmlPart, name: str) -> None:
    st.audio(part.data, format=part.media_type, alt=name)


def _video(part: HtmlPart, name: str) -> None:
    if part.media_type.startswith("image/"):
        source = base64.b64encode(part.data).decode("ascii")
        st.image(f"data:{part.media_type};base64,{source}", alt=name)
    else:
        st.video(part.data, format=part.media_type)


def _still(part: HtmlPart, name: str) -> None:
    st.image(part.data, alt=name)


_PARTS: Mapping[str, Callable[[HtmlPart, str], None]] = {
    "head": _head,
    "text": _words,
    "table": _rows,
    "audio": _audio,
    "video": _video,
    "image": _still,
}
_DRAWN: Mapping[str, Callable[[Mapping[str, Any], str], None]] = {
    "network": _network,
    "image": _image,
    "image_history": _history,
    "text": _text,
    "properties": _properties,
}
"""Type of a window -> what puts its content on the page."""
