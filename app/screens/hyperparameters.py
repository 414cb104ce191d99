"""Hyperparameters: what the runs were set to, and what that means for a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ...storage.errors import StepscopeError
from ...storage.model import Run
from .. import queries, url_state
from ..analysis import metric_goals, trials
from ..analysis.importance import FEWEST, first
from ..analysis.trials import Column, Metric, Trials
from ..views import importance, parallel, scatter_matrix
from ..views.words import count, one_of, plain
from ..widgets import best_runs, chart, live, notices, page, run_picker
from ..widgets import parallel as parallel_widget
from ..widgets.run_picker import Choice

ALL, CHOSEN = "all found", "chosen"
BEST, LAST = "best", "last"
AUTO, HIGHER, LOWER = "auto", "highest", "lowest"
SETTINGS_AT_FIRST = 8
SAID_BY = 50
"""So many of the newest runs are asked which end of a metric is the good one."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What the viewer wants to see explained."""

    metric: Metric
    value: str
    """Which value stands for a run: "last", "min" or "max"."""
    more_is_better: bool

    @property
    def name(self) -> str:
        """The metric with the value, as axes and tables call it."""
        return f"{self.metric.name} ({self.value})"

    @property
    def column(self) -> Column:
        """The values of all runs."""
        return Column(self.name, trials.values_of(self.metric, self.value))


def show() -> None:
    """Draw the page."""
    everything = page.begin()
    if not everything:
        return
    run_picker.choose(everything)
    live.keep_current(_current, follow=live.EVERY_RUN)


def _current() -> None:
    try:
        everything = queries.runs()
        chosen = run_picker.choice_of(everything) if everything else None
        if chosen is not None:
            _draw(everything, chosen)
    except StepscopeError as error:
        notices.store_problem(error)


def _draw(everything: Sequence[Run], chosen: Choice) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        runs = _scope(everything, chosen)
        found = queries.trials(runs)
        aim = _aim(found) if found.metrics else None
    if not runs:
        none_chosen = st.session_state.get("trials") == CHOSEN
        notices.nothing(
            "No run is chosen. Tick some in the list on the left."
            if none_chosen
            else "No run is found. Change the search on the left."
        )
    elif aim is None:
        notices.nothing("These runs have logged no numbers yet that their settings could explain.")
    elif not found.parameters:
        st.caption(_facts(found, aim, []))
        notices.nothing(
            "These runs do not differ in any setting. Give each its own: `stepscope.init(config={...})`."
        )
    else:
        _explain(found, aim, chosen)


def _scope(everything: Sequence[Run], chosen: Choice) -> list[Run]:
    which = st.segmented_control(
        "Runs",
        [ALL, CHOSEN],
        default=ALL,
        required=True,
        key="trials",
        bind="query-params",
        help="All that the search on the left finds, or those that are ticked there.",
    )
    if which == CHOSEN:
        return list(chosen.runs)
    text = url_state.text(run_picker.FIND)
    return [run for run in everything if run_picker.matches(run, text)][: parallel.MOST_RUNS]


def _aim(found: Trials) -> Aim:
    name = st.selectbox("Metric", list(found.metrics), key="aim", bind="query-params", width=220)
    value = st.segmented_control(
        "Value of a run",
        [BEST, LAST, "min", "max"],
        default=BEST,
        required=True,
        key="aim_value",
        bind="query-params",
        help="The best one it ever logged, or the last one.",
    )
    better = st.segmented_control(
        "Best is",
        [AUTO, LOWER, HIGHER],
        default=AUTO,
        required=True,
        key="aim_best",
        bind="query-params",
        help="Automatic: as define_metric said, else by the metric's name: loss down, accuracy up.",
    )
    metric = found.metrics[name] if name in found.metrics else next(iter(found.metrics.values()))
    more = better == HIGHER if better in (LOWER, HIGHER) else _grows(found, metric)
    return Aim(metric, ("max" if more else "min") if value in (BEST, None) else value, more)


def _grows(found: Trials, metric: Metric) -> bool:
    newest = [run.run_id for run in found.runs[:SAID_BY]]
    said = [one for made in queries.definitions(newest).values() for one in made.values()]
    return metric_goals.more_is_better(metric.name.partition(" · ")[0], metric.logged_as, said)


def _explain(found: Trials, aim: Aim, chosen: Choice) -> None:
    settings = _settings(found, aim)
    st.caption(_facts(found, aim, settings))
    names = [chosen.names[run.run_id] for run in found.runs]
    figure = parallel.figure(
        settings, aim.column, [run.run_id for run in found.runs], names, more_is_better=aim.more_is_better
    )
    alt = f"Parallel coordinates of {len(settings)} settings and {aim.name} of {len(names)} runs"
    # The newest ones are chosen until somebody chooses: they are not worth a mark.
    marked = url_state.read(url_state.RUNS) or ()
    picked = parallel_widget.draw(
        figure, {one: chosen.colours[one] for one in marked if one in chosen.colours}, alt=alt
    )
    if picked is not None and picked in chosen.colours:
        _toggle(picked, chosen)
    kept = _kept(settings, aim)
    matters = st.container()
    with notices.guarded("the best runs"):
        best_runs.draw(found, settings, aim.column, kept, chosen, more_is_better=aim.more_is_better)
    if st.toggle(
        "Scatter matrix", key="matrix", bind="query-params", help="Each setting against each other one."
    ):
        _matrix(settings, aim, kept, names)
    # Last: to load what computes it takes a second.
    with matters, notices.guarded("the importance of the settings"):
        _importance(found, aim, kept)


def _settings(found: Trials, aim: Aim) -> list[Column]:
    with st.container(horizontal=True, vertical_alignment="center"):
        wanted = st.multiselect(
            "Settings",
            list(found.parameters),
            key="settings",
            bind="query-params",
            placeholder=f"Settings: {_at_first_words(found)}",
            label_visibility="collapsed",
            max_selections=parallel.MOST_AXES,
        )
        if parallel_widget.brushes():
            st.button(
                "Clear ranges",
                icon=":material/filter_alt_off:",
                on_click=parallel_widget.clear,
                width="content",
            )
    if not wanted:
        return first(list(found.parameters.values()), aim.column.numbers, SETTINGS_AT_FIRST)
    return [found.parameters[name] for name in wanted if name in found.parameters]


def _at_first_words(found: Trials) -> str:
    many = len(found.parameters)
    return f"{SETTINGS_AT_FIRST} of {many} that differ" if many > SETTINGS_AT_FIRST else "all that differ"


def _facts(found: Trials, aim: Aim, settings: Sequence[Column]) -> str:
    known = int(np.isfinite(aim.column.numbers).sum())
    missing = len(found.runs) - known
    told = [
        one_of(len(found.runs), "run") + (f", {count(missing)} without the metric (grey)" if missing else ""),
        f"blue is best ({'highest' if aim.more_is_better else 'lowest'}), orange worst, by rank",
        "drag on an axis to keep a range, click a line to choose the run" if settings else "",
        f"without {plain(', '.join(found.crowded), 120)}: too many words" if found.crowded else "",
        f"the same in all: {plain(', '.join(f'{name}={value}' for name, value in found.same.items()), 160)}"
        if found.same
        else "",
    ]
    return "  ·  ".join(part for part in told if part)


def _kept(settings: Sequence[Column], aim: Aim) -> NDArray[np.bool_]:
    brushes = parallel_widget.brushes()
    columns = [*settings, aim.column]
    chosen = [(column, brushes[column.name]) for column in columns if column.name in brushes]
    return trials.within(chosen, len(aim.column.numbers))


def _toggle(run_id: str, chosen: Choice) -> None:
    ids = chosen.run_ids
    url_state.write(
        url_state.RUNS, [one for one in ids if one != run_id] if run_id in ids else [*ids, run_id]
    )
    st.rerun()


def _importance(found: Trials, aim: Aim, kept: NDArray[np.bool_]) -> None:
    st.markdown(f"**What matters for {plain(aim.metric.name)}**")
    rows = np.flatnonzero(kept)
    columns = [column.take(rows) for column in found.parameters.values()]
    with st.spinner("A random forest learns what matters …"):
        ranking = queries.ranking(columns, aim.column.numbers[rows])
    if ranking is None:
        notices.nothing(
            f"Importance needs at least {FEWEST} runs that differ in a setting and in the metric."
        )
        return
    chart.draw(
        importance.figure(ranking, aim.metric.name),
        key="importance",
        alt=f"Importance of each setting for {aim.name}",
    )
    st.caption(
        f"From {one_of(ranking.runs, 'run')}: shuffled in a random forest, which explains "
        f"{max(ranking.explained, 0):.0%} of the differences between runs it has not seen. "
        f"+ and \N{MINUS SIGN}: the metric grows or falls with the setting. "
        f"{f':orange[{plain(ranking.warning)}]' if ranking.warning else ''}"
    )


def _matrix(settings: Sequence[Column], aim: Aim, kept: NDArray[np.bool_], names: Sequence[str]) -> None:
    rows = np.flatnonzero(kept)
    shown = [column.take(rows) for column in settings[: scatter_matrix.MOST_COLUMNS]]
    drawn = len(scatter_matrix.drawn_rows(len(rows), len(shown)))
    told = [
        f"{count(drawn)} of {one_of(len(rows), 'run')}" if drawn < len(rows) else one_of(len(rows), "run")
    ]
    if len(settings) > len(shown):
        told.append(f"the first {len(shown)} of {len(settings)} settings: choose others above")
    st.caption("  ·  ".join(told))
    figure = scatter_matrix.figure(
        shown,
        aim.column.take(rows),
        [names[row] for row in map(int, rows)],
        more_is_better=aim.more_is_better,
    )
    chart.draw(figure, key="scatter matrix", alt=f"Scatter matrix of {len(shown)} settings and {aim.name}")
