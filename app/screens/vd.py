"""Visdom: a server of its own, filled from the chosen runs."""

from __future__ import annotations

import streamlit as st

from ...storage.errors import StepscopeError
from .. import queries, visdom_server
from ..views.words import one_of, plain
from ..visdom_server import VisdomServer
from ..widgets import embedded, notices, page
from ..widgets.run_picker import Choice

ADDRESS = "/visdom/"
FILLED = "visdom_filled"


def show() -> None:
    """Draw the page."""
    try:
        server = visdom_server.current()
        problem = server.problem()
    except StepscopeError as error:
        server, problem = None, str(error)
    if server is not None and problem is None:
        page.of_runs(_draw, lambda: server)
        return
    page.frame()
    notices.nothing(plain(problem or ""))


def _draw(chosen: Choice, server: VisdomServer) -> None:
    """Fill Visdom when the choice changed, and again with what is new while a chosen run trains."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Visdom itself, filled from {one_of(len(chosen.runs), 'run')}.", width="stretch")
        again = st.button("Fill again", icon=":material/refresh:", type="tertiary")
        st.link_button("Open in its own tab", ADDRESS, icon=":material/open_in_new:", type="tertiary")
    mark = queries.mark(chosen.running)
    before, known = st.session_state.get(FILLED, (None, None))
    try:
        if again or before != chosen.run_ids:
            with st.spinner("Filling Visdom from the chosen runs"):
                server.fill(chosen.run_ids)
        elif known != mark:
            server.fill_again(chosen.run_ids)
    except StepscopeError as error:
        notices.nothing(plain(str(error)))
        return
    st.session_state[FILLED] = chosen.run_ids, mark
    embedded.show(ADDRESS, title="Visdom with the chosen runs")
