"""TensorBoard: the real one, over this store, on this port."""

from __future__ import annotations

from importlib import util

import streamlit as st

from ...storage.errors import MissingExtra, StepscopeError
from .. import store_keeper, url_state
from ..tensorboard_mount import PACKAGES
from ..views.words import plain
from ..widgets import notices, page

ADDRESS = "/tensorboard/"


def show() -> None:
    """Draw the page."""
    page.frame()
    problem = _problem()
    if problem:
        notices.nothing(plain(problem))
        return
    # TensorBoard's runs carry their ids in their names.
    address = (
        f"{ADDRESS}?runFilter={'|'.join(chosen)}" if (chosen := url_state.read(url_state.RUNS)) else ADDRESS
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            "TensorBoard reads this store itself. Its own reload button fetches what live runs have added.",
            width="stretch",
        )
        st.link_button("Open in its own tab", address, icon=":material/open_in_new:", type="tertiary")
    st.iframe(address, height=900, alt="TensorBoard over this store")


def _problem() -> str | None:
    """Return in a sentence why TensorBoard cannot be shown, None when it can."""
    if any(util.find_spec(package) is None for package in PACKAGES):
        return str(MissingExtra("The TensorBoard page", "tensorboard"))
    try:
        store_keeper.current()
    except StepscopeError:
        return "TensorBoard is served by the dashboard only. Start it with: stepscope ui"
    return None
