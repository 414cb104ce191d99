"""The notes of a run, in Markdown: shown, and written anew."""

from __future__ import annotations

import streamlit as st

from ...storage.errors import StepscopeError
from ...storage.kinds.text import TextData
from ...storage.model import Run
from .. import run_actions
from ..views import text
from ..views.words import plain

_HEIGHT = 220


def draw(run: Run) -> None:
    """Draw the notes with a button to edit them; the Markdown of a log loads nothing from elsewhere."""
    editing = f"notes of {run.run_id} are edited"
    if st.session_state.get(editing):
        _edit(run, editing)
        return
    if not run.notes:
        st.caption("No notes yet. They may hold Markdown, and are shown to everybody who opens the store.")
    else:
        with st.container(border=True):
            st.markdown(text.figure(TextData(run.notes)))
    st.button(
        "Edit the notes" if run.notes else "Add notes",
        key="edit_notes",
        icon=":material/edit_note:",
        type="tertiary",
        on_click=st.session_state.__setitem__,
        args=(editing, True),
    )


def _edit(run: Run, editing: str) -> None:
    written = st.text_area("Notes, in Markdown", run.notes, key=f"written {run.run_id}", height=_HEIGHT)
    with st.container(horizontal=True):
        save = st.button("Save", key="save_notes", type="primary")
        leave = st.button("Cancel", key="cancel_notes")
    if save:
        try:
            run_actions.note(run.run_id, written)
        except StepscopeError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
    if save or leave:
        st.session_state[editing] = False
        st.rerun()
