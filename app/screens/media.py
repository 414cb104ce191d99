"""Media: what the chosen runs logged to look at or listen to, at one step for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from ...storage.model import Series
from .. import queries
from ..analysis.media_steps import NO_CLOCK, Clock, Scale, label_of, places_of, positions
from ..views.words import plain
from ..widgets import grid, media_section, notices, page, step_slider
from ..widgets.media_board import Wipe
from ..widgets.media_section import BEFORE, RUNS_A_SECTION, Shown, View
from ..widgets.run_picker import Choice

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

KINDS = ("image", "video", "figure", "audio", "text", "table")
"""In the order of the page."""
ELSEWHERE = ("pr_curve", "embedding", "mesh")
"""Kinds that the Curves page shows."""
TENSORBOARDS_LAYOUT = "custom_scalars__config__"
"""An imported text that is read by TensorBoard's Custom Scalars, not by people."""
SECTIONS = 30
OPEN_CARDS = 60
"""Sections stand open at first until so many runs are in them; of folded ones, nothing is read."""
SIZES: dict[str, int | None] = {"small": 96, "medium": 160, "large": 320, "1:1": None}


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    wanted: str
    size: int | None
    """Pixels of the width of images and videos; None for their own."""
    scale: Scale
    wipe: Wipe


@dataclass(frozen=True, slots=True)
class _Section:
    """A section that stands open."""

    head: ExpanderContainer
    kind: str
    name: str
    shown: Sequence[Shown]


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
    found = [one for one in everything if one.kind in KINDS and one.name != TENSORBOARDS_LAYOUT]
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
    clocks = _clocks(everything, chosen) if options.scale is not Scale.STEP else {}
    slot = st.container(key=step_slider.SLOT)
    sections = _sections(fitting, chosen, clocks, options.scale)
    with slot:
        at = _slider([one for section in sections for one in section.shown], options)
        if options.scale is Scale.EPOCH:
            _say_without_epochs(clocks, chosen)
    view = View(chosen, options.size, options.wipe, str(options.scale), at)
    for section in sections:
        with section.head:
            media_section.draw(section.kind, section.name, section.shown, view)


def _clocks(everything: Sequence[Series], chosen: Choice) -> dict[str, Clock]:
    clocks: dict[str, Clock] = {}
    for run_id in chosen.run_ids:
        with notices.guarded(f"The epochs of run {chosen.names[run_id]}"):
            clocks[run_id] = queries.clock([one for one in everything if one.run_id == run_id])
    return clocks


def _sections(
    fitting: Sequence[Series], chosen: Choice, clocks: Mapping[str, Clock], scale: Scale
) -> list[_Section]:
    """Draw the heads of all sections, and return those that stand open with what is read for them."""
    members_of: dict[tuple[str, str], list[Series]] = {}
    for one in fitting:
        members_of.setdefault((one.kind, one.name), []).append(one)
    sections: list[_Section] = []
    cards = 0
    for (kind, name), members in grid.page_of(list(members_of.items()), SECTIONS, key="page of media"):
        head = grid.section(name, len(members), opened=cards < OPEN_CARDS, kind=f"{kind} ")
        cards += min(len(members), RUNS_A_SECTION)
        if head.open:
            with head:
                here = grid.page_of(members, RUNS_A_SECTION, key=f"page {kind} {name}")
                shown = [place for one in here if (place := _placed(one, chosen, clocks, scale)) is not None]
            sections.append(_Section(head, kind, name, shown))
    return sections


def _placed(one: Series, chosen: Choice, clocks: Mapping[str, Clock], scale: Scale) -> Shown | None:
    """Return a series with the places of its steps; None, after a word, where it cannot be read."""
    with notices.guarded(f"{one.kind} {one.name} of run {chosen.names[one.run_id]}"):
        frames = queries.frames(one)
        if len(frames):
            return Shown(one, frames, positions(frames.steps, scale, clocks.get(one.run_id, NO_CLOCK)))
    return None


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
