"""Distributions: how histograms of the chosen runs change over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from ...storage.model import Series
from .. import queries
from ..views import histogram
from ..views.histogram import Style
from ..views.words import plain
from ..widgets import chart, grid, notices, page
from ..widgets.run_picker import Choice

A_PAGE = 12
"""Charts drawn at once in a section; a deep network has hundreds."""
OPEN_AT_FIRST = 1
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    style: Style
    wanted: str
    columns: int | None
    """None for one column a run, so that the same layer of several runs lies side by side."""


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, _controls)


def _controls() -> Options:
    with st.container(horizontal=True):
        wanted = st.text_input(
            "Series",
            key="layers",
            bind="query-params",
            type="search",
            placeholder="Filter: conv",
            width=210,
            live=True,
        )
        style = st.segmented_control(
            "Shown as",
            [style.value for style in Style],
            default=Style.BANDS.value,
            required=True,
            key="style",
            bind="query-params",
            help="Bands reach from the smallest to the largest value, the inner ones from 6.68, 15.87 and "
            "30.85 % on: TensorBoard's basis points. The line is the median.",
        )
        columns = st.segmented_control(
            "Columns",
            [AUTO, 1, 2, 3, 4],
            default=AUTO,
            required=True,
            key="series_columns",
            bind="query-params",
        )
    return Options(
        Style(style or Style.BANDS.value), wanted or "", columns if isinstance(columns, int) else None
    )


def _draw(chosen: Choice, options: Options) -> None:
    found = queries.series(chosen.run_ids, "histogram")
    if not found:
        notices.nothing("The chosen runs have logged no histograms yet. The hooks log weights and gradients.")
        return
    fitting = [one for one in found if options.wanted.casefold() in one.name.casefold()]
    if not fitting:
        notices.nothing(f"No histogram's name contains **{plain(options.wanted)}**.")
    age = {run_id: place for place, run_id in enumerate(reversed(chosen.run_ids))}
    fitting.sort(key=lambda one: (one.name, age[one.run_id]))
    columns = options.columns or min(max(len({one.run_id for one in found}), 2), 4)
    for place, (name, members) in enumerate(_sections(fitting).items()):
        head = grid.section(name, len(members), opened=place < OPEN_AT_FIRST or bool(options.wanted))
        with head:
            shown = grid.page_of(members, A_PAGE, key=f"page {name}")
            for one, cell in grid.cells(shown if head.open else members[:0], columns):
                with cell, notices.guarded(f"histogram {one.name} of run {chosen.names[one.run_id]}"):
                    _chart(one, chosen, options.style)


def _sections(found: Sequence[Series]) -> dict[str, list[Series]]:
    """Group series by the first part of their name, weights first."""
    sections: dict[str, list[Series]] = {}
    for one in found:
        head, slash, _ = one.name.partition("/")
        sections.setdefault(head if slash else "histograms", []).append(one)
    return dict(sorted(sections.items(), key=lambda item: (item[0] != "weights", item[0])))


def _chart(one: Series, chosen: Choice, style: Style) -> None:
    context = [f"{key} {value}" for key, value in one.context.items()]
    title = " · ".join([one.name.partition("/")[2] or one.name, chosen.names[one.run_id], *context])
    figure = histogram.figure(title, queries.histograms(one), style, chosen.colours[one.run_id])
    chart.draw(
        figure, key=f"histogram {one.run_id} {one.series_id}", alt=f"{one.name} of {chosen.names[one.run_id]}"
    )
