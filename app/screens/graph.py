"""Graph: the model of a run, by module, and beside that of another run, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from ...storage.model import Run, Series
from .. import queries, url_state
from ..graphs import reading
from ..views.graph_tree import Tree
from ..views.words import plain
from ..widgets import beside, control_state, model_view, notices, page
from ..widgets.run_picker import Choice, choose_one

BESIDE = "beside"
"""The run whose graph stands beside, in the address."""


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, lambda: None)


def _draw(chosen: Choice, _: None) -> None:
    found = queries.series(chosen.run_ids, "graph")
    having = {one.run_id for one in found}
    if not having:
        notices.nothing(
            "The chosen runs have logged no graph. The hooks log one; see also `stepscope.Graph`."
        )
        return
    shown = replace(chosen, runs=tuple(run for run in chosen.runs if run.run_id in having))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        run = choose_one(shown)
        one = _graph_of(run, found, "graph")
        other_run = _other_run(shown, run)
        other = _graph_of(other_run, found, "graph_beside") if other_run else None
        wanted = _search()
    tree = _tree(one, run)
    other_tree = _tree(other, other_run) if other and other_run else None
    with st.container(key="model_view"):
        if other and other_run and tree and other_tree:
            beside.show((one, other), (run, other_run), chosen, wanted)
        elif tree:
            model_view.show(tree, one, run, chosen, wanted)
        elif other and other_run and other_tree:
            model_view.show(other_tree, other, other_run, chosen, wanted)


def _search() -> str:
    wanted = st.text_input(
        "Find layers",
        key="find_layer",
        bind="query-params",
        type="search",
        placeholder="Find layers: conv",
        width=260,
        label_visibility="collapsed",
        live=True,
    )
    return wanted or ""


def _tree(one: Series, run: Run) -> Tree | None:
    """Return a run's graph; None after a word about why it cannot be shown."""
    with notices.guarded(f"graph {one.name} of run {run.name}"):
        return reading.tree(one)
    return None


def _graph_of(run: Run, found: Sequence[Series], key: str) -> Series:
    """Return the run's graph; the viewer picks where it logged several."""
    own = [one for one in found if one.run_id == run.run_id]
    if len(own) == 1:
        return own[0]
    names = [one.name for one in own]
    kept = url_state.text(key)
    shown = kept if kept in names else names[0]
    control = control_state.tell(f"{key}_control", shown)
    picked = st.selectbox(
        f"Graph of {plain(run.name)}",
        names,
        key=control,
        on_change=control_state.hear,
        args=(f"{key}_control", control, partial(url_state.set_text, key)),
        width=220,
    )
    return own[names.index(picked)]


def _other_run(chosen: Choice, run: Run) -> Run | None:
    """Let the viewer pick a second run, and return it."""
    others = {one.run_id: one for one in chosen.runs if one.run_id != run.run_id}
    if not others:
        return None
    kept = url_state.text(BESIDE)
    shown = kept if kept in others else ""
    control = control_state.tell(f"{BESIDE}_control", shown)
    picked = st.selectbox(
        "Beside",
        ["", *others],
        key=control,
        format_func=lambda run_id: f"beside {chosen.names[run_id]}" if run_id else "compare with …",
        on_change=control_state.hear,
        args=(f"{BESIDE}_control", control, partial(url_state.set_text, BESIDE)),
        label_visibility="collapsed",
        width=250,
    )
    return others.get(picked or "")
