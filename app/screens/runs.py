"""Runs: what there is, how it went, and the choice of what the other pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from ...storage.errors import StepscopeError
from ...storage.model import Run, RunState
from .. import queries, url_state
from ..views.words import count, one_of
from ..widgets import live, notices, page, run_table, table
from ..widgets.run_picker import choice_of, matches, search_box

MOST_ROWS = 500
TABLE = "run_table"


def show() -> None:
    """Draw the page."""
    everything = page.begin()
    if not everything:
        return
    keep = _filters(everything)
    live.keep_current(partial(_draw, *keep), follow=live.EVERY_RUN)


def _filters(everything: Sequence[Run]) -> tuple[str, str | None, list[str]]:
    projects = sorted({run.project for run in everything})
    with st.sidebar:
        text = search_box()
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
    return text, project, states


def _draw(text: str, project: str | None, states: Sequence[str]) -> None:
    try:
        everything = queries.runs()
        found = [
            run
            for run in everything
            if matches(run, text) and project in (None, run.project) and (not states or run.state in states)
        ]
        listed = found[:MOST_ROWS]
        chosen = choice_of(everything)
        ids = [run.run_id for run in listed]
        values, alerts = queries.last_values(ids), queries.alert_counts(ids)
        columns = run_table.columns(listed, values, chosen, queries.naming(), alerts)
    except StepscopeError as error:
        notices.store_problem(error)
        return
    st.caption(
        f"{one_of(len(found), 'run')}{f', the newest {MOST_ROWS} listed' if len(found) > MOST_ROWS else ''}"
        f"  ·  {count(len(chosen.runs))} chosen for the other pages: tick rows to choose"
    )
    _table(listed, columns, chosen.run_ids)


def _table(listed: Sequence[Run], columns: Mapping[str, Sequence[Any]], chosen: Sequence[str]) -> None:
    ids = [run.run_id for run in listed]
    ticked = [place for place, run_id in enumerate(ids) if run_id in set(chosen)]
    # Rows move when a run is added: which ones are ticked follows from the choice, not from the table.
    st.session_state[TABLE] = {"selection": {"rows": ticked}}
    table.draw(
        columns,
        key=TABLE,
        config=run_table.column_config(columns),
        on_select=partial(_choose, ids, chosen),
        alt="The runs of the store",
    )


def _choose(listed: Sequence[str], chosen: Sequence[str]) -> None:
    """Take the ticks of the table; what was chosen but is not listed now stays chosen."""
    rows: list[int] = st.session_state[TABLE]["selection"]["rows"]
    unlisted = [run_id for run_id in chosen if run_id not in listed]
    url_state.write(url_state.RUNS, [*(listed[row] for row in rows if row < len(listed)), *unlisted])
