"""Media: what the chosen runs logged to look at or listen to, at one step for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from ...storage.model import Record, Series
from .. import queries
from ..views.words import count, one_of, plain
from ..widgets import grid, media, notices, page
from ..widgets.run_picker import Choice, swatch

KINDS = tuple(media.DRAWN)
NEWEST = "newest"
AT_ONE_STEP = 24
"""Values of one series and step that are shown."""
SIZES: dict[str, int | None] = {"small": 96, "medium": 160, "large": 320, "original": None}


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    wanted: str
    size: int | None
    """Pixels of the width of images and videos; None for their own."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one series shows at the chosen step."""

    series: Series
    records: Sequence[Record]


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, _controls)


def _controls() -> Options:
    with st.container(horizontal=True):
        wanted = st.text_input(
            "Series",
            key="series",
            bind="query-params",
            type="search",
            placeholder="Filter: samples",
            width=210,
            live=True,
        )
        size = st.segmented_control(
            "Pictures", list(SIZES), default="medium", required=True, key="size", bind="query-params"
        )
    return Options(wanted or "", SIZES[size or "medium"])


def _draw(chosen: Choice, options: Options) -> None:
    found = [one for one in queries.series(chosen.run_ids) if one.kind in KINDS]
    if not found:
        notices.nothing(
            "The chosen runs have logged nothing to look at or listen to yet: images, sounds, texts, tables "
            "or the like."
        )
        return
    age = {run_id: place for place, run_id in enumerate(reversed(chosen.run_ids))}
    fitting = [one for one in found if options.wanted.casefold() in one.name.casefold()]
    fitting.sort(key=lambda one: (KINDS.index(one.kind), one.name, age[one.run_id]))
    step = _step_slider(fitting)
    for kind, name in dict.fromkeys((one.kind, one.name) for one in fitting):
        members = [one for one in fitting if (one.kind, one.name) == (kind, name)]
        head = grid.section(name, len(members), opened=True, kind=f"{kind} ")
        with head:
            _section(members if head.open else [], step, chosen, options)


def _step_slider(found: Sequence[Series]) -> int | None:
    """Let the viewer choose a step of any of the series; None stands for each one's newest."""
    steps: set[int] = set()
    for one in found:
        with notices.guarded(f"series {one.name}"):
            steps.update(record.step for record in queries.records(one))
    if len(steps) < 2:
        return None
    # The newest is a place of its own: whoever does not choose follows a run that still trains.
    places: list[int | str] = [*sorted(steps)[:-1], NEWEST]
    picked = st.select_slider("Step", places, NEWEST, key="step", bind="query-params")
    return picked if isinstance(picked, int) else None


def _section(members: Sequence[Series], step: int | None, chosen: Choice, options: Options) -> None:
    """Draw one series of several runs: side by side, or a row for each run that shows several values."""
    shown: list[Shown] = []
    for one in members:
        with notices.guarded(f"{one.kind} {one.name} of run {chosen.names[one.run_id]}"):
            shown.append(Shown(one, at_step(one, step)))
    rows = [shown] if all(len(one.records) <= 1 for one in shown) else [[one] for one in shown]
    for row in rows:
        if len(rows) > 1 and row[0].records:
            st.markdown(_head(row[0].series, row[0].records[0], chosen))
        with st.container(horizontal=True, gap="medium"):
            for one in row:
                for record in one.records:
                    _card(one.series, record, chosen, options, headed=len(rows) == 1)
        if len(row[0].records) == AT_ONE_STEP:
            st.caption(f"The first {one_of(AT_ONE_STEP, 'value')} of this step.")


def at_step(one: Series, step: int | None) -> list[Record]:
    """Return what a series shows at a step: all of the newest step that is not later."""
    newest = queries.records(one, last_step=step, most=1)
    if not newest:
        return []
    last = newest[-1].step
    return queries.records(one, first_step=last, last_step=last, most=AT_ONE_STEP)


def _head(one: Series, record: Record, chosen: Choice) -> str:
    name = plain(chosen.names[one.run_id])
    return f"{swatch(chosen.colours[one.run_id])} :small[{name} · step {count(record.step)}]"


def _card(one: Series, record: Record, chosen: Choice, options: Options, *, headed: bool) -> None:
    what = f"{one.kind} {one.name} of run {chosen.names[one.run_id]} at step {record.step}"
    width = media.WIDTHS.get(one.kind, options.size)
    with st.container(width=width or "content", gap="xsmall"), notices.guarded(what):
        if headed:
            st.markdown(_head(one, record, chosen))
        place = f"{one.run_id} {one.series_id} {record.attempt} {record.seq}"
        card = media.Card(place, what, chosen.colours[one.run_id], options.size)
        media.DRAWN[one.kind](queries.load(one, record), card)
