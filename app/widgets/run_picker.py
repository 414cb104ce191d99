"""Choosing runs: a list with colours in the sidebar, one run out of them on pages that show one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import streamlit as st

from ...storage.model import Run, RunState
from .. import queries, url_state
from ..analysis import grouping
from ..views.figures import run_colours
from ..views.words import LONGEST_NAME, brief, count, plain
from . import control_state

SHOWN_AT_FIRST = 10
"""As long as nobody chose, the newest runs of the newest run's project are shown."""
LISTED = 40
FIND = "find"
GROUP_BY = "group_by"

STATE_MARKS = {
    RunState.RUNNING: ":green[:material/play_circle:]",
    RunState.FINISHED: "",
    RunState.FAILED: ":red[:material/error:]",
    RunState.KILLED: ":orange[:material/cancel:]",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The runs that a page shows, newest first, with what tells them apart."""

    runs: tuple[Run, ...]
    colours: Mapping[str, str]
    """run_id -> `#RRGGBB`, the same on every page."""
    names: Mapping[str, str]
    """run_id -> name, with a piece of the id where several runs share one."""
    group_key: str | None = None
    """By what the viewer groups the runs (see analysis/grouping.py); None for not at all."""
    group_colours: Mapping[str, str] = field(default_factory=dict[str, str])
    """Value of the key -> `#RRGGBB`, for the values of all runs of the store."""

    @property
    def run_ids(self) -> list[str]:
        """The ids of the chosen runs."""
        return [run.run_id for run in self.runs]

    @property
    def running(self) -> list[str]:
        """The ids of those that still run."""
        return [run.run_id for run in self.runs if run.state is RunState.RUNNING]


def choice_of(everything: Sequence[Run]) -> Choice:
    """Return which runs the viewer chose; without a choice, the newest ones.

    Args:
        everything: all runs of the store, newest first.
    """
    wanted = url_state.read(url_state.RUNS)
    if wanted is None:
        current = [run for run in everything if run.archived_at is None]
        chosen = [run for run in current if run.project == current[0].project][:SHOWN_AT_FIRST]
    else:
        chosen = [run for run in everything if run.run_id in wanted]
    # Archived ones too: what is hidden or shown again must not change the colours and names of others.
    known = _with_gone(queries.all_runs(), everything)
    colours = run_colours([run.run_id for run in reversed(known)])
    key = group_key()
    values = list(grouping.groups(known, key)) if key else []
    return Choice(tuple(chosen), colours, _names(known), key, run_colours(values))


def _with_gone(known: Sequence[Run], everything: Sequence[Run]) -> list[Run]:
    """Return the runs of the store with those before them that were deleted since the page read its list."""
    there = {run.run_id for run in known}
    return [*(run for run in everything if run.run_id not in there), *known]


def choose(everything: Sequence[Run]) -> None:
    """Draw the list of runs in the sidebar."""
    chosen = choice_of(everything)
    with st.sidebar:
        text = search_box()
        group_box(everything)
        found = [run for run in everything if matches(run, text)]
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            st.caption(f"{count(len(chosen.runs))} of {count(len(everything))} shown", width="stretch")
            listed = _listed(found, chosen)
            st.button(
                "All",
                on_click=_set,
                args=([run.run_id for run in listed],),
                type="tertiary",
                help="Show every run of this list",
            )
            st.button("None", on_click=_set, args=([],), type="tertiary", help="Show no run")
            st.button(
                "Newest",
                on_click=_set,
                args=(None,),
                type="tertiary",
                help="Show the newest runs, also new ones",
            )
        with st.container(gap=None, key="run_list"):
            _list(listed, chosen)
        if len(found) > len(listed):
            more = f"{count(len(found) - len(listed))} more runs are not listed"
            st.caption(f"{more}: narrow the search, or tick them on the Runs page.")


def search_box() -> str:
    """Draw the search for runs, the same on every page, and return what is looked for."""
    wanted = url_state.text(FIND)
    # Not when they agree: what is typed meanwhile would be taken away.
    if st.session_state.get(FIND) != wanted:
        st.session_state[FIND] = wanted
    st.text_input(
        "Find runs",
        key=FIND,
        on_change=_find,
        type="search",
        placeholder="Find runs by name, project, tag",
        label_visibility="collapsed",
        live=True,
    )
    return wanted


def group_key() -> str | None:
    """Return by what the viewer groups the runs, the same on every page; None for not at all."""
    return url_state.text(GROUP_BY) or None


def group_box(everything: Sequence[Run]) -> None:
    """Draw the choice of what runs are grouped by, where anything tells them apart."""
    wanted = group_key()
    offered = grouping.keys(everything)
    if wanted is not None and wanted not in offered:
        offered = [wanted, *offered]
    if not offered:
        return
    if st.session_state.get(GROUP_BY) != wanted:
        st.session_state[GROUP_BY] = wanted
    st.selectbox(
        "Group by",
        offered,
        index=None,
        key=GROUP_BY,
        on_change=_group,
        placeholder="Group by …",
        label_visibility="collapsed",
    )


def _group() -> None:
    url_state.set_text(GROUP_BY, str(st.session_state[GROUP_BY] or ""))


def _find() -> None:
    url_state.set_text(FIND, str(st.session_state[FIND] or ""))


def choose_one(chosen: Choice) -> Run:
    """Let the viewer pick one of the chosen runs (at least one) and return it."""
    ids = chosen.run_ids
    focus = url_state.read(url_state.FOCUS)
    at = ids.index(focus[0]) if focus and focus[0] in ids else 0
    if len(ids) > 1:
        key = control_state.tell("focus_control", ids[at])
        picked = st.selectbox(
            "Run",
            ids,
            key=key,
            format_func=lambda run_id: chosen.names[run_id],
            on_change=control_state.hear,
            args=("focus_control", key, _focus),
            label_visibility="collapsed",
            width=360,
        )
        at = ids.index(picked) if picked in ids else at
    return chosen.runs[at]


def swatch(colour: str) -> str:
    """Return a small area of a colour `#RRGGBB`, in Streamlit's Markdown."""
    return f':color[\u00a0\u00a0]{{background="{colour}"}}'


def matches(run: Run, text: str) -> bool:
    """Return whether every word of the search is in what a person knows of the run."""
    known = " ".join(
        [run.name, run.project, run.group or "", run.framework or "", run.state, run.run_id, *run.tags]
    )
    return all(word in known.casefold() for word in text.casefold().split())


def _listed(found: Sequence[Run], chosen: Choice) -> list[Run]:
    """Return the newest runs, with the chosen ones among older ones: what is shown can be taken away."""
    ticked = set(chosen.run_ids)
    older = [run for run in found[LISTED:] if run.run_id in ticked]
    return [*found[:LISTED], *older[:LISTED]]


def _list(found: Sequence[Run], chosen: Choice) -> None:
    ticked = set(chosen.run_ids)
    # The project of the newest run comes first.
    projects = list(dict.fromkeys(run.project for run in found))
    several = len(projects) > 1
    project = None
    for run in sorted(found, key=lambda run: projects.index(run.project)):
        if several and run.project != project:
            project = run.project
            st.caption(f"**{plain(project, LONGEST_NAME)}**")
        name = f"pick_{run.run_id}"
        key, first = control_state.begin(name, run.run_id in ticked)
        words = (swatch(chosen.colours[run.run_id]), plain(chosen.names[run.run_id]), STATE_MARKS[run.state])
        act = partial(_tick, run.run_id, chosen.run_ids)
        st.checkbox(" ".join(words), first, key=key, on_change=control_state.hear, args=(name, key, act))


def _tick(run_id: str, at_first: list[str], ticked: bool) -> None:
    # Not what the last drawing knew: of two quick clicks, the second may come before the first is drawn.
    chosen = url_state.read(url_state.RUNS)
    others = [one for one in (at_first if chosen is None else chosen) if one != run_id]
    url_state.write(url_state.RUNS, [*others, run_id] if ticked else others)


def _set(run_ids: Sequence[str] | None) -> None:
    url_state.write(url_state.RUNS, run_ids)


def _focus(run_id: str) -> None:
    url_state.write(url_state.FOCUS, [run_id])


def _names(everything: Sequence[Run]) -> dict[str, str]:
    names = {run.run_id: brief(run.name, LONGEST_NAME) for run in everything}
    often = Counter(names.values())
    return {run_id: name if often[name] == 1 else f"{name} ({run_id[:4]})" for run_id, name in names.items()}
