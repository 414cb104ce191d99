"""What can be done with runs, in one row above their table: tag, note, rename, archive, delete, export."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import streamlit as st

from ...storage.errors import StepscopeError
from ...storage.model import Run, RunState
from .. import run_actions
from ..views.words import LONGEST_NAME, count, one_of, plain
from . import export
from .run_picker import Choice

TICKED, LISTED = "ticked", "listed"
_LISTED_NAMES = 20
_SCOPE = "scope"
_SAID = "said_of_action"
_ADDED, _REMOVED = "tags_given", "tags_taken"
_EDIT_HELP = "Tags, the name and the note"


def draw(listed: Sequence[Run], chosen: Choice) -> None:
    """Draw the row.

    Args:
        listed: the runs that the table shows.
        chosen: the ticked ones, and the names of all.
    """
    _tell()
    scope = _scope(len(listed), len(chosen.runs))
    runs = list(listed) if scope == LISTED else list(chosen.runs)
    names = {run.run_id: chosen.names[run.run_id] for run in runs}
    _edit(runs, names)
    _archive(runs, names)
    if st.button("Delete", icon=":material/delete:", type="tertiary", disabled=not runs, key="delete"):
        _confirm(runs, names, {run.run_id for run in listed})
    export.button(list(names), key="export_runs")


def _scope(listed: int, ticked: int) -> str:
    words = {TICKED: f"{count(ticked)} ticked", LISTED: f"all {count(listed)} listed"}
    found = st.segmented_control(
        "What the actions are for",
        list(words),
        default=TICKED,
        required=True,
        key=_SCOPE,
        format_func=lambda one: words[one],
        label_visibility="collapsed",
        help="Runs that the actions beside are for",
    )
    return found or TICKED


def _edit(runs: Sequence[Run], names: Mapping[str, str]) -> None:
    with st.popover("Edit", icon=":material/edit:", type="tertiary", disabled=not runs, help=_EDIT_HELP):
        st.caption(f"For {plain(run_actions.named(list(names.values())))}")
        text = st.text_input("Give tags", key=_ADDED, placeholder="baseline, second try", live=True)
        add = [tag.strip() for tag in text.split(",") if tag.strip()]
        there = sorted({tag for run in runs for tag in run.tags})
        remove = st.multiselect("Take tags away", there, key=_REMOVED) if there else []
        tag = partial(run_actions.tag, names, add, remove)
        _button("Tag", tag, disabled=not (add or remove))
        if len(runs) == 1:
            _edit_one(runs[0])
        else:
            st.caption("For another name or a note, tick one run alone.")


def _edit_one(run: Run) -> None:
    name = st.text_input("Name", run.name, key=f"name_of_{run.run_id}")
    _button("Rename", partial(run_actions.rename, run.run_id, name), disabled=name == run.name)
    text = st.text_area("Note, in Markdown", run.notes, key=f"note_of_{run.run_id}", height=140)
    _button("Keep the note", partial(run_actions.note, run.run_id, text), disabled=text == run.notes)


def _button(label: str, action: Callable[[], str], *, disabled: bool) -> None:
    st.button(label, key=f"do_{label}", on_click=_do, args=(action,), disabled=disabled)


def _archive(runs: Sequence[Run], names: Mapping[str, str]) -> None:
    archived = [run.run_id for run in runs if run.archived_at is not None]
    current = [run.run_id for run in runs if run.archived_at is None]
    if archived:
        st.button(
            "Restore",
            icon=":material/unarchive:",
            type="tertiary",
            on_click=partial(_do, partial(run_actions.restore, {one: names[one] for one in archived})),
            help=f"Show {one_of(len(archived), 'archived run')} in lists again",
        )
    if current or not runs:
        st.button(
            "Archive",
            icon=":material/archive:",
            type="tertiary",
            disabled=not runs,
            on_click=partial(_do, partial(run_actions.archive, {one: names[one] for one in current})),
            help="Hide them from lists; nothing is lost",
        )


@st.dialog("Delete for good?")
def _confirm(runs: Sequence[Run], names: Mapping[str, str], listed: Collection[str]) -> None:
    """Name what would be deleted, and ask; what the table does not list now first of all."""
    hidden = [names[run.run_id] for run in runs if run.run_id not in listed]
    if hidden:
        st.warning(
            f"Ticked, but not in the table as it is filtered now: {plain(run_actions.named(hidden))}.",
            icon=":material/filter_alt:",
        )
    st.markdown(f"**{one_of(len(runs), 'run')}** with everything that was logged in {_them(runs)}:")
    shown = "\n".join(f"- {plain(names[run.run_id], LONGEST_NAME)}" for run in runs[:_LISTED_NAMES])
    more = len(runs) - _LISTED_NAMES
    st.markdown(shown + (f"\n- and {one_of(more, 'other')}" if more > 0 else ""))
    alive = [names[run.run_id] for run in runs if run.state is RunState.RUNNING]
    if alive:
        st.warning(
            f"Still running: {plain(run_actions.named(alive))}. These are not deleted; end them first.",
            icon=":material/play_circle:",
        )
    with st.container(horizontal=True):
        if st.button(f"Delete {one_of(len(runs), 'run')}", type="primary", key="delete_now"):
            _say(lambda: f"Deleting begins: {run_actions.delete(names).title}")
            st.rerun()
        if st.button("Keep them", key="delete_not"):
            st.rerun()


def _them(runs: Sequence[Run]) -> str:
    return "it" if len(runs) == 1 else "them"


def _do(action: Callable[[], str]) -> None:
    """Do it before the page is drawn anew, and say what came of it."""
    if _say(action):
        st.session_state.update({_ADDED: "", _REMOVED: []})


def _say(action: Callable[[], str]) -> bool:
    """Do it, and keep what came of it for the next drawing: what begins a drawing may show nothing itself."""
    try:
        st.session_state[_SAID] = (action(), "check")
    except StepscopeError as error:
        st.session_state[_SAID] = (str(error), "error")
        return False
    return True


def _tell() -> None:
    said: tuple[str, str] | None = st.session_state.pop(_SAID, None)
    if said is not None:
        sentence, icon = said
        st.toast(plain(sentence), icon=f":material/{icon}:", duration="long" if icon == "error" else "short")
