"""One value on a card: how each kind is put on a page. What it looks like is said in app/views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ...storage.kinds.audio import AudioData
from ...storage.kinds.embedding import EmbeddingData
from ...storage.kinds.figure import FigureData
from ...storage.kinds.hparams import HParamsData
from ...storage.kinds.image import ImageData
from ...storage.kinds.mesh import MeshData
from ...storage.kinds.pr_curve import PrCurveData
from ...storage.kinds.table import TableData
from ...storage.kinds.text import TextData
from ...storage.kinds.video import VideoData
from ..views import audio, embedding, figure, hparams, image, mesh, pr_curve, text, video
from ..views import table as table_view
from ..views.words import LONGEST_CAPTION, TIMES, count, plain
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
    size: int | None
    """Pixels of the width of pictures; None for their own."""


def _image(value: ImageData, card: Card) -> None:
    picture = image.figure(value, card.size)
    st.image(picture.data, caption=plain(picture.caption), width=picture.width, alt=card.what)


def _video(value: VideoData, card: Card) -> None:
    clip = video.figure(value, card.size)
    with st.container(width=clip.width, gap="xsmall"):
        if clip.media_type == "image/gif":
            # At any other width Streamlit would draw it anew, as its first frame.
            st.image(clip.data, width="stretch", alt=card.what)
        else:
            st.video(clip.data, format=clip.media_type, loop=True, muted=True)
        if clip.caption:
            st.caption(plain(clip.caption))


def _audio(value: AudioData, card: Card) -> None:
    chart.draw(
        audio.figure(value.caption or "", value, card.colour), key=f"audio {card.place}", alt=card.what
    )
    if value.seconds < audio.SHORTEST:
        st.caption("Too short to be played.")
    else:
        st.audio(value.data, format=value.media_type, alt=card.what)


def _figure(value: FigureData, card: Card) -> None:
    drawn = figure.figure(value)
    if drawn is None:
        with st.container(width=figure.width(value) or "stretch"):
            # Wider than it is shown, for sharp screens: given a width, Streamlit would make it smaller.
            st.image(value.data, width="stretch", alt=card.what)
    else:
        with st.container(width=_FIGURE_WIDTH):
            chart.draw(drawn, key=f"figure {card.place}", alt=card.what)
    if value.caption:
        st.caption(plain(value.caption, LONGEST_CAPTION))


def _table(value: TableData, card: Card) -> None:
    table.draw(table_view.figure(value), alt=card.what, most_rows=12, key=f"table {card.place}")
    size = f"{count(len(value.rows))} {TIMES} {count(len(value.columns))}"
    if table_view.is_cut(value):
        size += (
            f", of which at most {count(table_view.MOST_ROWS)} {TIMES} {table_view.MOST_COLUMNS} are shown"
        )
    st.caption(size)


def _hparams(value: HParamsData, card: Card) -> None:
    table.draw(hparams.figure(value), alt=card.what, most_rows=12, key=f"hparams {card.place}")


def _text(value: TextData, card: Card) -> None:
    with st.container(border=True, key=f"text {card.place}"):
        st.markdown(text.figure(value))


def _pr_curve(value: PrCurveData, card: Card) -> None:
    chart.draw(pr_curve.figure("", value, card.colour), key=f"pr_curve {card.place}", alt=card.what)


def _embedding(value: EmbeddingData, card: Card) -> None:
    chart.draw(embedding.figure("", value, card.colour), key=f"embedding {card.place}", alt=card.what)


def _mesh(value: MeshData, card: Card) -> None:
    chart.draw(mesh.figure("", value, card.colour), key=f"mesh {card.place}", alt=card.what)


_FIGURE_WIDTH = 560
WIDTHS: Mapping[str, int | None] = {
    "audio": 400,
    "video": None,
    "figure": None,
    "pr_curve": 400,
    "embedding": 480,
    "mesh": 400,
    "table": 560,
    "hparams": 400,
    "text": 560,
}
"""Pixels of a card; None where the value has a width of its own."""
DRAWN: Mapping[str, Callable[[Any, Card], None]] = {
    "image": _image,
    "video": _video,
    "audio": _audio,
    "figure": _figure,
    "pr_curve": _pr_curve,
    "embedding": _embedding,
    "mesh": _mesh,
    "table": _table,
    "hparams": _hparams,
    "text": _text,
}
"""Kind -> what puts it on the page, in the order of the page."""
