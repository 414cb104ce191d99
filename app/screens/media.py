"""Media: what the chosen runs logged to look at or listen to, at one step for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from ...storage.model import Series
from .. import queries
from ..media_steps import Clock, Scale, label_of, places_of, positions
from ..views.words import plain
from ..widgets import grid, media_section, notices, page, step_slider
from ..widgets.media_board import Wipe
from ..widgets.media_section import BEFORE, RUNS_A_SECTION, Shown, View
from ..widgets.run_picker import Choice

KINDS = ("image", "video", "figure", "audio", "text", "table")
"""In the order of the page."""
ELSEWHERE = ("pr_curve", "embedding", "mesh")
"""Kinds that the Curves page shows."""
SECTIONS = 30
OPEN_CARDS = 60
"""Sections are open at first until so many cards are drawn."""
SIZES: dict[str, int | None] = {"small": 96, "medium": 160, "large": 320, "1:1": None}


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    wanted: str
    size: int | None
    """Pixels of the width of images and videos; None for their own."""
    scale: Scale
    wipe: Wipe


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, _controls)


def _controls() -> Options:
    with st.container(horizontal=True):
        wanted = st.text_input(
            "Series",
            key="media",
            bind="query-params",
            type="search",
            placeholder="samples",
            width=150,
            live=True,
        )
        size = _choice("Pictures", list(SIZES), "medium", "size")
        scale = _choice("Steps by", list(Scale), Scale.STEP, "by", _SCALE_HELP)
        wipe = _choice("Wipe", list(Wipe), Wipe.OFF, "wipe", _WIPE_HELP)
    return Options(wanted or "", SIZES[size], Scale(scale), Wipe(wipe))


_SCALE_HELP = (
    "What the slider counts. Runs whose steps are of different length meet by epoch, where they logged one, "
    "or by progress: per cent of the last step that each has logged."
)
_WIPE_HELP = (
    "Two pictures on top of each other with a divider to drag: the first chosen run and each other one, or "
    "two steps of each run."
)


def _choice(label: str, words: Sequence[str], first: str, key: str, help_text: str | None = None) -> str:
    names = [str(word) for word in words]
    picked = st.segmented_control(
        label, names, default=str(first), required=True, key=key, bind="query-params", help=help_text
    )
    return picked or str(first)


def _draw(chosen: Choice, options: Options) -> None:
    everything = queries.series(chosen.run_ids)
    found = [one for one in everything if one.kind in KINDS]
    if not found:
        elsewhere = any(one.kind in ELSEWHERE for one in everything)
        more = " Their curves, embeddings and meshes are on the **Curves** page." if elsewhere else ""
        notices.nothing(
            "The chosen runs have logged nothing to look at or listen to yet: images, videos, figures, "
            f"sounds, texts or tables.{more}"
        )
        return
    fitting = [one for one in found if options.wanted.casefold() in one.name.casefold()]
    if not fitting:
        notices.nothing(f"No name contains **{plain(options.wanted)}**.")
        return
    age = {run_id: place for place, run_id in enumerate(reversed(chosen.run_ids))}
    fitting.sort(key=lambda one: (KINDS.index(one.kind), one.name, age[one.run_id]))
    shown = _placed(fitting, everything, chosen, options.scale)
    view = View(chosen, options.size, options.wipe, str(options.scale), _slider(shown, options))
    _sections(shown, view)


def _placed(
    fitting: Sequence[Series], everything: Sequence[Series], chosen: Choice, scale: Scale
) -> list[Shown]:
    clocks: dict[str, Clock] = {}
    for run_id in chosen.run_ids:
        with notices.guarded(f"The epochs of run {chosen.names[run_id]}"):
            clocks[run_id] = queries.clock([one for one in everything if one.run_id == run_id])
    shown: list[Shown] = []
    for one in fitting:
        with notices.guarded(f"{one.kind} {one.name} of run {chosen.names[one.run_id]}"):
            frames = queries.frames(one)
            shown.append(Shown(one, frames, positions(frames.steps, scale, clocks[one.run_id])))
    if scale is Scale.EPOCH:
        _say_without_epochs(clocks, chosen)
    return [one for one in shown if len(one.frames)]


def _say_without_epochs(clocks: Mapping[str, Clock], chosen: Choice) -> None:
    without = [chosen.names[run_id] for run_id, clock in clocks.items() if not len(clock.epochs)]
    if without:
        names = plain(", ".join(without))
        st.caption(f"Without a logged `epoch`, and so always at their newest step: {names}.")


def _slider(shown: Sequence[Shown], options: Options) -> float | None:
    """Let the viewer choose a step of any of the series; None stands for each one's newest."""
    places = places_of([one.places for one in shown])
    if len(places) < 2:
        return None
    labels = [label_of(place, options.scale) for place in places]
    name = str(options.scale)
    at = step_slider.draw(places, labels, name=name, parameter=name)
    if options.wipe is Wipe.STEPS:
        step_slider.draw(places, labels, name="left of the divider", parameter=BEFORE, follows=False)
    if any(len(one.frames) >= queries.STEPS_A_SERIES for one in shown):
        st.caption(f"Of a longer series, {queries.STEPS_A_SERIES} evenly chosen steps are offered.")
    return at


def _sections(shown: Sequence[Shown], view: View) -> None:
    sections: dict[tuple[str, str], list[Shown]] = {}
    for one in shown:
        sections.setdefault((one.series.kind, one.series.name), []).append(one)
    cards = 0
    for (kind, name), members in grid.page_of(list(sections.items()), SECTIONS, key="page of media"):
        opened = cards < OPEN_CARDS
        cards += sum(max(map(len, one.frames.values)) for one in members[:RUNS_A_SECTION])
        with grid.section(name, len(members), opened=opened, kind=f"{kind} ") as head:
            if head.open:
                media_section.draw(kind, name, members, view)
