"""One value on a card: how each kind is put on a page. What it looks like is said in app/views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ...storage.kinds.audio import AudioData
from ...storage.kinds.figure import FigureData
from ...storage.kinds.table import TableData
from ...storage.kinds.text import TextData
from ..views import audio, figure, text
from ..views import table as table_view
from ..views.words import TIMES, brief, count, plain
from . import chart, table


@dataclass(frozen=True, slots=True)
class Card:
    """Where a value is put."""

    place: str
    """What no other card on the page has."""
    what: str
    """Names the value, for screen readers."""
    colour: str
    """The run's, `#RRGGBB`."""
    height: int | None = None
    """Pixels of what has no height of its own, the same for all beside it."""


def _audio(value: AudioData, card: Card) -> None:
    chart.draw(audio.figure("", value, card.colour), key=f"audio {card.place}", alt=card.what)
    if value.seconds < audio.SHORTEST:
        st.caption("Too short to be played.")
    else:
        st.audio(value.data, format=value.media_type, alt=card.what)
    _caption(value.caption)


def _caption(caption: str | None) -> None:
    """Draw one line, so that cards stay level; all of it is told on a touch."""
    if caption:
        short = brief(caption, _LINE)
        st.caption(plain(short), help=plain(caption) if short != caption else None)


def _figure(value: FigureData, card: Card) -> None:
    drawn = figure.figure(value)
    if drawn is None:
        st.image(value.data, width="stretch", alt=card.what)
    else:
        chart.draw(drawn, key=f"figure {card.place}", alt=card.what)
    _caption(value.caption)


def _table(value: TableData, card: Card) -> None:
    table.draw(table_view.figure(value), alt=card.what, most_rows=12, key=f"table {card.place}")
    size = f"{count(len(value.rows))} {TIMES} {count(len(value.columns))}"
    if table_view.is_cut(value):
        size += (
            f", of which at most {count(table_view.MOST_ROWS)} {TIMES} {table_view.MOST_COLUMNS} are shown"
        )
    st.caption(size)


def _text(value: TextData, card: Card) -> None:
    with st.container(border=True, key=f"text {card.place}", height=card.height or "content"):
        st.markdown(text.figure(value))


_LINE = 48
"""Characters of a caption that surely stand on one line."""
WIDTHS: Mapping[str, int] = {
    "audio": 272,
    "figure": 416,
    "table": 416,
    "text": 416,
}
"""Pixels of a card."""
DRAWN: Mapping[str, Callable[[Any, Card], None]] = {
    "audio": _audio,
    "figure": _figure,
    "table": _table,
    "text": _text,
}
"""Kind -> what puts it on the page. Images and videos are drawn by media_board.py."""
