"""Runs: what there is, how it went, and the choice of what the other pages show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from ...storage.errors import StepscopeError
from ...storage.model import Run, RunState
from ...storage.query import check_names, with_metrics
from ...storage.run_filter import FilterMistake, parse_filter
from ...storage.run_metrics import RunMetrics
from .. import queries, url_state
from ..analysis.run_columns import Listing
from ..views.words import one_of, plain
from ..widgets import control_state, live, notices, page, run_table, run_toolbar
from ..widgets.run_picker import choice_of, group_box, matches, search_box

FILTER = "filter"
COLUMNS = "table"
EXAMPLE = 'lr < 0.01 and framework == "torch" and val/loss.min < 0.3'
_HELP = (
    "Compare fields of the run (`state`, `duration`, `tags` …), entries of its config (`lr`, "
    "`optimizer.name`) and metrics (`val/loss`, with `.min`, `.max` or `.last`), joined by `and`, `or`, "
    '`not`. Tags: `"baseline" in tags`. The columns are named the same way.'
)


def show() -> None:
    """Draw the page."""
    everything = page.begin(queries.all_runs)
    if not everything:
        return
    keep = _narrowed(everything)
    live.keep_current(partial(_draw, *keep), follow=live.EVERY_RUN)


def _narrowed(everything: Sequence[Run]) -> tuple[str, str | None, list[str]]:
    projects = sorted({run.project for run in everything})
    with st.sidebar:
        text = search_box()
        group_box(everything)
        project = None
        if len(projects) > 1:
            project = st.selectbox(
                "Project",
                projects,
                index=None,
                key="project",
                bind="query-params",
                placeholder="All projects",
            )
        states = st.pills(
            "State",
            [state.value for state in RunState],
            selection_mode="multi",
            key="state",
            bind="query-params",
        )
        archived = sum(run.archived_at is not None for run in everything)
        st.toggle(f"Archived ({archived})", key="archived", bind="query-params", help="Archived runs as well")
    return text, project, states


def _draw(text: str, project: str | None, states: Sequence[str]) -> None:
    try:
        listing = _listing()
        rows = [
            row
            for row, run in enumerate(listing.runs)
            if matches(run, text)
            and project in (None, run.project)
            and (not states or run.state in states)
            and (run.archived_at is None or st.session_state.get("archived"))
        ]
        _list(listing, rows)
    except StepscopeError as error:
        notices.store_problem(error)


def _list(listing: Listing, rows: Sequence[int]) -> None:
    wanted, problem = _filter(), ""
    if wanted:
        try:
            rows = _filtered(listing, rows, wanted)
        except FilterMistake as error:
            problem = f":red[{plain(error.place)}: {plain(error.what)}]"
    if problem:
        st.caption(problem)
    chosen = choice_of(listing.runs)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="run_actions"):
        st.markdown(f"**{one_of(len(rows), 'run')}**", width="content")
        run_toolbar.draw([listing.runs[row] for row in rows], chosen)
        columns = _columns(listing)
    if not rows:
        notices.nothing("No run fits what is looked for. Take away a part of the filter, or the search.")
        return
    run_table.draw(listing, rows, columns, chosen)
    if len(chosen.runs) >= url_state.MOST_RUNS:
        st.caption(f"{url_state.MOST_RUNS} runs are ticked, the most that other pages show.")


_known: tuple[Sequence[Run], Listing] | None = None
"""The list of runs that was read last, and what was read of them: a tick needs nothing new of the store."""


def _listing() -> Listing:
    """Return all runs with what is known of them. Raises StoreError, BadInput (see queries.naming)."""
    global _known
    # The same list as long as nothing in the store has changed.
    everything = queries.all_runs()
    known = _known
    if known is None or known[0] is not everything:
        ids = [run.run_id for run in everything]
        metrics = RunMetrics(queries.last_values(ids), queries.naming())
        known = _known = (everything, Listing(everything, metrics, queries.alert_counts(ids)))
    return known[1]


def _filter() -> str:
    """Draw the line for the filter and return what is written there."""
    wanted = url_state.text(FILTER)
    if st.session_state.get(FILTER) != wanted:
        st.session_state[FILTER] = wanted
    st.text_input(
        "Filter",
        key=FILTER,
        on_change=lambda: url_state.set_text(FILTER, str(st.session_state[FILTER] or "").strip()),
        placeholder=EXAMPLE,
        max_chars=url_state.LONGEST_LINE,
        label_visibility="collapsed",
        icon=":material/filter_alt:",
        help=_HELP,
    )
    return wanted


def _filtered(listing: Listing, rows: Sequence[int], text: str) -> list[int]:
    """Return the rows that pass a filter. Raises FilterMistake."""
    wanted = parse_filter(text)
    stored, metrics = with_metrics(queries.reader(), listing.runs, lambda: listing.metrics)
    check_names(wanted, stored, metrics)
    return [row for row in rows if wanted.matches(stored[row])]


def _columns(listing: Listing) -> list[str]:
    """Let the viewer choose the columns, and return their keys."""
    chosen = list(url_state.texts(COLUMNS))
    usual = listing.usual
    shown = chosen or usual
    with st.popover("Columns", icon=":material/view_column:", type="tertiary"):
        offered = listing.offered
        # Told at each drawing: behind a button, the browser makes the field only when it is opened, and
        # knows no more than the last drawing said. It would begin empty.
        key = control_state.tell(COLUMNS, shown)
        st.multiselect(
            "Columns, in their order",
            [*offered, *(key for key in shown if key not in offered)],
            key=key,
            accept_new_options=True,
            on_change=control_state.hear,
            args=(COLUMNS, key, partial(url_state.set_texts, COLUMNS)),
            help="Facts, `config.` entries, and metrics with `.min` or `.max`. Type to search.",
        )
        st.button("Usual columns", on_click=url_state.set_texts, args=(COLUMNS, ()), disabled=not chosen)
    return shown
