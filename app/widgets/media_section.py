"""All that the chosen runs logged under one key, at one step, a card for each value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ...storage.model import Record, Series
from .. import queries
from ..analysis.media_steps import Frames, nearest
from ..views import figure, image, video
from ..views.words import brief, count, plain
from . import media, media_board, notices, step_slider
from .media_board import Look, Strip, Wipe
from .run_picker import Choice, swatch

AT_ONE_STEP = 24
"""Values of one series and step that are shown."""
RUNS_A_SECTION = 12
MOST_FRAMES = 4000
"""Pictures of a section that the browser is told of; of more, steps are left out evenly."""
BEFORE = "before"
"""The slider of the step that is left of the divider."""
_FIGURES = 2.5
"""How much wider figures are than images, for their labels to be read."""
_LONGEST_HEAD = 30
"""Characters of a run's name over a card."""
_TEXT_HEIGHTS = (90, 340)
_LINE = 26
_MUCH = 2000
"""Bytes of a text that surely fill the tallest card."""
_PICTURES = {"image": image.figure, "video": video.figure, "figure": figure.picture}


@dataclass(frozen=True, slots=True)
class Shown:
    """One series and where its steps lie on the slider."""

    series: Series
    frames: Frames
    """At least one step."""
    places: NDArray[np.float64]
    """Shape (n,), as the steps of the frames."""


@dataclass(frozen=True, slots=True)
class View:
    """What all sections share."""

    chosen: Choice
    size: int | None
    """Pixels of the width of pictures; None for their own."""
    wipe: Wipe
    slider: str
    """The slider's parameter."""
    at: float | None
    """Where it stands; None for the newest."""


@dataclass(frozen=True, slots=True)
class _Values:
    """What one series has at the slider's place."""

    shown: Shown
    step: int
    other: bool
    """Whether it is another step than the one that was asked for."""
    records: Sequence[Record]


def draw(kind: str, name: str, members: Sequence[Shown], view: View) -> None:
    """Draw a section: pictures follow the slider in the browser, all else is drawn here."""
    if _is_pictures(kind, members):
        _board(kind, name, members, view)
    else:
        _cards(members, view)
    if any(len(values) > AT_ONE_STEP for one in members for values in one.frames.values):
        st.caption(f"The first {AT_ONE_STEP} values of a step are shown.")


def _is_pictures(kind: str, members: Sequence[Shown]) -> bool:
    if kind != "figure":
        return kind in _PICTURES
    facts = [facts for one in members for values in one.frames.values for facts in values]
    return all(one.get("media_type") == "image/png" for one in facts)


def _board(kind: str, name: str, members: Sequence[Shown], view: View) -> None:
    strips = [strip for one in members if (strip := _strip(one, view.chosen, len(members))) is not None]
    is_figure, size = kind == "figure", view.size
    look = Look(
        size=int(size * _FIGURES) if is_figure and size else size,
        wipe=view.wipe if kind != "video" else Wipe.OFF,
        event=step_slider.event_of(view.slider),
        before_event=step_slider.event_of(BEFORE),
        at=view.at,
        scale=figure.SCALE if is_figure else 1,
    )
    if strips:
        media_board.draw(strips, look, what=f"{kind} {name}", name=name, key=f"{kind} {name}")


def _strip(one: Shown, chosen: Choice, beside: int) -> Strip | None:
    """Return what the browser needs of a series; None, after a word, where its rows are damaged."""
    frames, draw_one = one.frames, _PICTURES[one.series.kind]
    most = min(max(map(len, frames.values)), AT_ONE_STEP)
    every = max(1, math.ceil(len(frames) * most * beside / MOST_FRAMES))
    # Counted from the end: the newest step is always among them.
    kept = list(range((len(frames) - 1) % every, len(frames), every))
    with notices.guarded(_what(one.series, chosen)):
        return Strip(
            run_id=one.series.run_id,
            name=_name(one.series, chosen),
            colour=chosen.colours[one.series.run_id],
            steps=frames.steps[kept],
            positions=one.places[kept],
            frames=[[draw_one(facts) for facts in frames.values[place][:AT_ONE_STEP]] for place in kept],
        )
    return None


def _cards(members: Sequence[Shown], view: View) -> None:
    """Draw what the server draws: side by side, or a row for each run that shows several values."""
    found: list[_Values] = []
    for one in members:
        with notices.guarded(_what(one.series, view.chosen)):
            found.append(_values(one, view.at))
    single = all(len(one.records) <= 1 for one in found)
    for row in [found] if single else [[one] for one in found]:
        if not single:
            st.markdown(_head(row[0], view.chosen))
        with st.container(horizontal=True, gap="medium"):
            height = _height_of_texts(row)
            for one in row:
                for record in one.records:
                    _card(one, record, view.chosen, height, headed=single)


def _values(one: Shown, at: float | None) -> _Values:
    place = nearest(one.places, at) or 0
    step = int(one.frames.steps[place])
    records = queries.records(one.series, first_step=step, last_step=step, most=AT_ONE_STEP)
    return _Values(one, step, at is not None and one.places[place] != at, records)


def _card(one: _Values, record: Record, chosen: Choice, height: int | None, *, headed: bool) -> None:
    series = one.shown.series
    what = f"{_what(series, chosen)} at step {record.step}"
    with st.container(width=media.WIDTHS[series.kind], gap="xsmall"), notices.guarded(what):
        if headed:
            st.markdown(_head(one, chosen))
        place = f"{series.run_id} {series.series_id} {record.attempt} {record.seq}"
        card = media.Card(place, what, chosen.colours[series.run_id], height)
        media.DRAWN[series.kind](queries.load(series, record), card)


def _height_of_texts(row: Sequence[_Values]) -> int | None:
    """Return the height that the longest text of a row needs, bounded: longer ones are scrolled."""
    if row[0].shown.series.kind != "text":
        return None
    texts = [(record.payload or b"x" * _MUCH)[:_MUCH] for one in row for record in one.records]
    lines = max((text.count(b"\n") + len(text) // 60 + 1 for text in texts), default=1)
    least, most = _TEXT_HEIGHTS
    return min(max(lines * _LINE + 40, least), most)


def _head(one: _Values, chosen: Choice) -> str:
    series = one.shown.series
    step = f"step {count(one.step)}"
    told = f":orange[{step}]" if one.other else f":gray[{step}]"
    name = plain(brief(_name(series, chosen), _LONGEST_HEAD))
    return f":small[{swatch(chosen.colours[series.run_id])} {name} · {told}]"


def _name(one: Series, chosen: Choice) -> str:
    context = [f"{key} {value}" for key, value in one.context.items()]
    return " · ".join([chosen.names[one.run_id], *context])


def _what(one: Series, chosen: Choice) -> str:
    return f"{one.kind} {one.name} of run {chosen.names[one.run_id]}"
