"""Visdom: a server of its own, filled from the chosen runs; or its windows, drawn by the dashboard."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ...storage.errors import StepscopeError
from .. import queries
from ..views.words import one_of, plain
from ..visdom_live import server as visdom_server
from ..visdom_live import windows as visdom_windows
from ..visdom_live.server import VisdomServer
from ..widgets import embedded, grid, notices, page, visdom_window
from ..widgets.run_picker import Choice

ADDRESS = "/visdom/"
FILLED = "visdom_filled"
WINDOWS_A_PAGE = 24


def show() -> None:
    """Draw the page."""
    try:
        server = visdom_server.current()
        problem = server.problem()
    except StepscopeError as error:
        server, problem = None, str(error)
    if server is not None and problem is None:
        page.of_runs(_draw, lambda: server)
    else:
        page.of_runs(_draw_natively, partial(_controls, problem or ""))


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


def _controls(problem: str) -> str:
    """Say why Visdom's own page is not here, and return what the titles of windows have to contain."""
    notices.nothing(f"The dashboard draws these windows itself, instead of Visdom. {plain(problem)}")
    return st.text_input(
        "Windows",
        key="windows",
        bind="query-params",
        type="search",
        placeholder="loss",
        width=220,
        live=True,
    )


def _draw_natively(chosen: Choice, wanted: str) -> None:
    """Draw the windows that Visdom would show of the chosen runs."""
    mark = queries.mark(chosen.running)
    with st.spinner("Making the windows of the chosen runs"):
        windows = visdom_windows.windows(queries.reader(), chosen.run_ids, mark, live=bool(chosen.running))
    found = [one for one in windows if wanted.casefold() in str(one.get("title")).casefold()]
    if not found:
        notices.nothing(f"No window has {plain(wanted)!r} in its title.")
    shown = grid.page_of(found, WINDOWS_A_PAGE, key="windows_page")
    with st.container(horizontal=True):
        for window in shown:
            visdom_window.draw(window, chosen.colours)
