"""One chart of the Distributions page: a layer of one run, or of several on top of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from ...storage.kinds.histogram import HistogramData
from ...storage.model import Series
from .. import queries, url_state
from ..analysis.media_steps import nearest
from ..views import histogram, histogram_bars
from ..views.histogram import Histograms, OfRun, Span, Style
from ..views.histogram_bars import AtStep
from ..views.words import count, plain
from . import chart, notices
from .run_picker import Choice

ONE_STEP = "one step"
"""Shown as: the histogram of one step in full, instead of all over the steps."""
OPENED = "bins"
"""Where the address keeps which histograms were opened by a click."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the charts of the page are drawn."""

    style: str
    """A Style, or ONE_STEP."""
    at: float | None
    """The step of ONE_STEP; None for each one's newest."""


def draw(title: str, members: Sequence[Series], chosen: Choice, look: Look) -> None:
    """Draw a chart, and under it the histogram of the step that was clicked."""
    whose = ", ".join(chosen.names[one.run_id] for one in members)
    heading = title if len(members) > 1 else f"{_own(title, members[0])} · {whose}"
    key = f"histogram {look.style} " + " ".join(f"{one.run_id} {one.series_id}" for one in members)
    alt = f"{members[0].name} of {whose}"
    if look.style == ONE_STEP:
        found = [shown for one in members if (shown := _at(one, look.at, chosen)) is not None]
        _bars(heading, found, key, alt)
        return
    style = Style(look.style)
    # Ridges have values on the horizontal axis, the others steps.
    along_steps = style is not Style.RIDGES
    span, window = _looked_at(key, along_steps=along_steps)
    runs = [shown for one in members if (shown := _over_steps(one, window, chosen)) is not None]
    if not runs:
        return
    figure = histogram.figure(heading, runs, style, span)
    chart.draw(figure, key=key, alt=alt, zoomable=True, clickable=along_steps)
    if along_steps:
        _opened(title, members, chosen, key)


def _bars(title: str, found: Sequence[AtStep], key: str, alt: str) -> None:
    span, _ = _looked_at(key, along_steps=False)
    chart.draw(histogram_bars.figure(title, found, span), key=key, alt=alt, zoomable=True)


def _own(title: str, one: Series) -> str:
    """Return the title with the name that the run itself gave to the variable."""
    return one.name.partition("/")[2] or one.name if not one.context else title


def _looked_at(key: str, *, along_steps: bool) -> tuple[Span | None, Span | None]:
    """Return the values and the steps that the viewer zoomed to."""
    zoom, height = chart.zoomed(key), chart.zoomed_height(key)
    along = (min(zoom.first, zoom.last), max(zoom.first, zoom.last)) if zoom else None
    if not along_steps:
        return along, None
    return (min(height), max(height)) if height else None, along


def _over_steps(one: Series, window: Span | None, chosen: Choice) -> OfRun | None:
    """Return the histograms of a series: some over all steps, and as many again of those looked at."""
    with notices.guarded(f"histogram {one.name} of run {chosen.names[one.run_id]}"):
        data = queries.histograms(one)
        if window is not None and data.total > len(data.steps):
            first, last = (max(min(end, 2.0**62), -(2.0**62)) for end in window)
            data = _joined(
                data, queries.histograms(one, first_step=math.floor(first), last_step=math.ceil(last))
            )
        return OfRun(chosen.names[one.run_id], chosen.colours[one.run_id], data)
    return None


def _joined(some: Histograms, more: Histograms) -> Histograms:
    steps, places = np.unique(np.concatenate([some.steps, more.steps]), return_index=True)
    edges, counts = [*some.edges, *more.edges], [*some.counts, *more.counts]
    kept: list[int] = places.tolist()
    return Histograms(
        steps, [edges[at] for at in kept], [counts[at] for at in kept], some.total, max(some.odd, more.odd)
    )


def _at(one: Series, at: float | None, chosen: Choice) -> AtStep | None:
    """Return the histogram of the nearest step."""
    with notices.guarded(f"histogram {one.name} of run {chosen.names[one.run_id]}"):
        steps = queries.frames(one).steps
        place = nearest(steps.astype(np.float64), at)
        if place is not None:
            step = int(steps[place])
            (record,) = queries.records(one, first_step=step, last_step=step, most=1)
            data: HistogramData = queries.load(one, record)
            return AtStep(chosen.names[one.run_id], chosen.colours[one.run_id], step, data)
    return None


def _opened(title: str, members: Sequence[Series], chosen: Choice, key: str) -> None:
    """Draw the histogram of the step that was clicked, until it is closed."""
    name = " ".join(str(part) for one in members for part in (one.run_id, one.series_id))[:250] + " at "
    texts = url_state.texts(OPENED)
    clicked, seen = chart.clicked(key), f"seen {key}"
    if clicked is not None and clicked != st.session_state.get(seen):
        st.session_state[seen] = clicked
        texts = (f"{name}{clicked:.17g}", *(text for text in texts if not text.startswith(name)))
        url_state.set_texts(OPENED, texts)
    mine = next((text for text in texts if text.startswith(name)), None)
    if mine is None:
        return
    found = [shown for one in members if (shown := _at(one, _step_of(mine[len(name) :]), chosen)) is not None]
    with st.container(border=True):
        _bars(title, found, f"bins {key}", f"{title} at one step")
        _facts(found)
        others = [text for text in texts if text != mine]
        st.button("Close", key=f"close {key}", on_click=url_state.set_texts, args=(OPENED, others))


def _step_of(text: str) -> float | None:
    """Return the step that the address names; None, which stands for the newest, where it is forged."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _facts(found: Sequence[AtStep]) -> None:
    for one in found:
        told = "  ·  ".join(f"{name} {value}" for name, value in histogram_bars.facts(one).items())
        st.caption(f"{plain(one.name)}, step {count(one.step)}: {plain(told)}")
