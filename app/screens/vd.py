"""Visdom: a server of its own, filled from the chosen runs."""

from __future__ import annotations

import streamlit as st

from ...storage.errors import StepscopeError
from .. import queries, visdom_server
from ..views.words import one_of, plain
from ..widgets import notices, page
from ..widgets.run_picker import choice_of, choose
from ..widgets.welcome import show as show_welcome

ADDRESS = "/visdom/"
FILLED = "visdom_filled"


def show() -> None:
    """Draw the page."""
    page.frame()
    try:
        server = visdom_server.current()
        problem = server.problem()
    except StepscopeError as error:
        problem, server = str(error), None
    if problem or server is None:
        notices.nothing(plain(problem or ""))
        return
    try:
        everything = queries.runs()
    except StepscopeError as error:
        notices.store_problem(error)
        return
    if not everything:
        show_welcome()
        return
    choose(everything)
    _fill(server, choice_of(everything).run_ids)


def _fill(server: visdom_server.VisdomServer, run_ids: list[str]) -> None:
    """Fill Visdom when the choice changed or the viewer asks for it, then show it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Visdom itself, with {one_of(len(run_ids), 'run')} as they stood when it was filled.",
            width="stretch",
        )
        again = st.button("Fill again", icon=":material/refresh:", type="tertiary", disabled=not run_ids)
        st.link_button("Open in its own tab", ADDRESS, icon=":material/open_in_new:", type="tertiary")
    if run_ids and (again or st.session_state.get(FILLED) != run_ids):
        try:
            with st.spinner("Filling Visdom from the chosen runs"):
                server.fill(run_ids)
        except StepscopeError as error:
            notices.nothing(plain(str(error)))
            return
        st.session_state[FILLED] = run_ids
    st.iframe(ADDRESS, height=900, alt="Visdom with the chosen runs")
