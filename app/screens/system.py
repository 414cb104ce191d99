"""System: what the machine did while the runs trained, how fast they were, and what the tracker cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from ...storage.model import Run
from .. import queries
from ..analysis import machine
from ..analysis.machine import Measure, Reading
from ..views import axes, outliers, rank_times, scalar
from ..views.axes import Axis, XAxis
from ..views.figures import COLOURS
from ..views.outliers import Outliers
from ..views.scalar import Line, Look
from ..views.words import one_of, plain
from ..widgets import chart, grid, headlines, notices, page
from ..widgets.run_picker import Choice

TOGETHER, BESIDE = "on one chart", "side by side"
MOST_LINES = 32
"""Of more on one chart, nobody tells one from another: so many, evenly chosen, are drawn."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    columns: int
    by_rank: bool
    """Whether each rank has a chart of its own."""


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, _controls)


def _controls() -> Options:
    with st.container(horizontal=True):
        columns = st.segmented_control(
            "Columns", [1, 2, 3, 4], default=3, required=True, key="system_columns", bind="query-params"
        )
        several = st.segmented_control(
            "Ranks",
            [TOGETHER, BESIDE],
            default=TOGETHER,
            required=True,
            key="system_ranks",
            bind="query-params",
            help="Of runs of several processes: all on one chart, or each on its own with one scale.",
        )
    return Options(columns or 3, several == BESIDE)


def _draw(chosen: Choice, options: Options) -> None:
    found = machine.readings(queries.series(chosen.run_ids, "scalar"))
    if not found:
        notices.nothing(
            "The chosen runs have recorded nothing of their machine and speed. The first readings come five "
            "seconds after a run begins; the hooks log the speed."
        )
        return
    with notices.guarded("the headline figures"):
        headlines.draw(found, chosen)
    for run in reversed(chosen.runs):
        with notices.guarded(f"the ranks of run {chosen.names[run.run_id]}"):
            _ranks(run, found, chosen)
    longest = max((run.duration for run in chosen.runs), default=0.0)
    axis = axes.in_units_of(Axis(XAxis.RELATIVE), longest)
    for section, title in machine.SECTIONS.items():
        measures = {one: members for one, members in found.items() if one.section == section}
        _section(section, title, measures, chosen, options, axis)


def _section(
    section: str,
    title: str,
    measures: Mapping[Measure, Sequence[Reading]],
    chosen: Choice,
    options: Options,
    axis: Axis,
) -> None:
    if not measures:
        if section in machine.ABSENT:
            st.caption(machine.ABSENT[section])
        return
    head = grid.section(title, len(measures), opened=section != "other", kind="system ")
    if not head.open:
        return
    with head:
        every = [(one, words, part) for one in measures for words, part in _charts(measures[one], options)]
        # Ranks side by side: those of one measure begin a row.
        split = options.by_rank and any(words for _, words, _ in every)
        rows = [[each for each in every if each[0] is one] for one in measures] if split else [every]
        for row in rows:
            for (measure, words, members), cell in grid.cells(row, options.columns):
                with cell, notices.guarded(f"{measure.title} {words}"):
                    _chart(measure, words, members, measures[measure], chosen, axis)


def _charts(members: Sequence[Reading], options: Options) -> list[tuple[str, list[Reading]]]:
    """Return what stands on each chart of a measure, with the words for it."""
    if not options.by_rank or not any(one.rank for one in members):
        return [("", list(members))]
    found = sorted({one.rank or 0 for one in members})
    return [(f"rank {rank}", [one for one in members if (one.rank or 0) == rank]) for rank in found]


def _chart(
    measure: Measure,
    words: str,
    members: Sequence[Reading],
    everything: Sequence[Reading],
    chosen: Choice,
    axis: Axis,
) -> None:
    lines = _lines(measure, members, chosen, axis)
    title = f"{words} · {measure.chart_title}" if words else measure.chart_title
    look = Look(axis, 0.0, outliers=Outliers.AUTO)
    figure = scalar.figure(title, lines, look)
    if measure.percent:
        figure["layout"]["yaxis"] |= {"range": [0, 102], "fixedrange": False}
    elif words:
        every = [line.points for line in _lines(measure, everything, chosen, axis)]
        lows, highs = [one.min for one in every], [one.max for one in every]
        ends = outliers.limits(title, lows, highs, Outliers.AUTO) or machine.shared_range(every)
        figure["layout"]["yaxis"] |= {"range": list(ends)} if ends else {}
    else:
        figure["layout"]["yaxis"] |= {"rangemode": "tozero"}
    alt = f"{title} of {', '.join(line.name for line in lines[:12])}"
    chart.draw(figure, key=f"system {measure.pattern} {words}", alt=alt, cursor=axis.word)


def _lines(measure: Measure, members: Sequence[Reading], chosen: Choice, axis: Axis) -> list[Line]:
    runs = {run.run_id: run for run in chosen.runs}
    drawn = _evenly(members)
    # Of one run, colours tell its devices and ranks apart; of several, the runs.
    alone = len({one.series.run_id for one in drawn}) == 1 and len(drawn) > 1
    lines: list[Line] = []
    for place, one in enumerate(drawn):
        run = runs[one.series.run_id]
        name = " · ".join(part for part in (chosen.names[run.run_id], one.words) if part)
        with notices.guarded(f"series {one.series.name} of {name}"):
            points = machine.scaled(queries.points(one.series, _most(len(drawn))), measure.scale)
            x = axes.place(points, axis, run.created_at)
            colour = COLOURS[place % len(COLOURS)] if alone else chosen.colours[run.run_id]
            lines.append(Line(name, colour, points, x))
    return lines


def _evenly(members: Sequence[Reading]) -> list[Reading]:
    if len(members) <= MOST_LINES:
        return list(members)
    return [members[place] for place in np.linspace(0, len(members) - 1, MOST_LINES).astype(int)]


def _most(lines: int) -> int:
    return max(100, min(queries.POINTS_A_LINE, 4000 // max(lines, 1)))


def _ranks(run: Run, found: Mapping[Measure, Sequence[Reading]], chosen: Choice) -> None:
    """Say which rank of a run holds the others up, and where the time of each goes."""
    times = {name: _medians(run, found, name) for name in ("step_time", *machine.PARTS)}
    step = times.pop("step_time")
    own = {
        rank: times["data_time"].get(rank, 0.0) + seconds for rank, seconds in times["forward_time"].items()
    }
    said = machine.straggler(step, own)
    if not said:
        return
    name = chosen.names[run.run_id]
    st.markdown(f"**{plain(name)}** · {one_of(len(step), 'rank')}: {said}")
    chart.draw(
        rank_times.figure(step, times), key=f"ranks of {run.run_id}", alt=f"Step time of each rank of {name}"
    )


def _medians(run: Run, found: Mapping[Measure, Sequence[Reading]], name: str) -> dict[int, float]:
    """Return rank -> the median of a time of a run, where its ranks have it."""
    medians: dict[int, float] = {}
    for measure, members in found.items():
        mine = [one for one in members if one.series.run_id == run.run_id and one.series.name == name]
        for one in mine if any(one.rank for one in mine) else []:
            medians[one.rank or 0] = machine.median(machine.scaled(queries.points(one.series), measure.scale))
    return medians
