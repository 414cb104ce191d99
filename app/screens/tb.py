"""TensorBoard: the real one, over this store, on this port."""

from __future__ import annotations

from importlib import util

import streamlit as st

from ...storage.errors import MissingExtra, StepscopeError
from .. import queries, store_keeper
from ..tensorboard_live.mount import PACKAGES
from ..views.words import one_of, plain
from ..widgets import embedded, notices, page
from ..widgets.run_picker import Choice

ADDRESS = "/tensorboard/"


def show() -> None:
    """Draw the page."""
    problem = _problem()
    if problem is None:
        page.of_runs(_draw, _nothing)
        return
    page.frame()
    notices.nothing(plain(problem))


def _draw(chosen: Choice, _: None) -> None:
    # TensorBoard's runs carry their ids in their names.
    address = f"{ADDRESS}?runFilter={'|'.join(chosen.run_ids)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"TensorBoard itself, over {one_of(len(chosen.runs), 'run')} of this store.", width="stretch"
        )
        st.link_button("Open in its own tab", address, icon=":material/open_in_new:", type="tertiary")
    embedded.show(address, title="TensorBoard over this store", mark=queries.mark(chosen.running))


def _nothing() -> None:
    """TensorBoard has its controls itself."""


def _problem() -> str | None:
    """Return in a sentence why TensorBoard cannot be shown, None when it can."""
    if any(util.find_spec(package) is None for package in PACKAGES):
        return str(MissingExtra("The TensorBoard page", "tensorboard"))
    try:
        store_keeper.current()
    except StepscopeError:
        return "TensorBoard is served by the dashboard only. Start it with: stepscope ui"
    return None
