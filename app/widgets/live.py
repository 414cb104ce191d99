"""Pages that keep themselves current: drawn again when the store says so, and only then."""

from __future__ import annotations

from collections.abc import Callable, Collection

import streamlit as st
import streamlit.components.v2 as components_v2

from ...storage.read_marks import ALL
from .. import queries, url_state
from ..routing import browser_files, changes

EVERY_RUN = (ALL,)

_listen = components_v2.component("stepscope_live", js=browser_files.starts("live.js"), isolate_styles=False)


def keep_current(draw: Callable[[], None], *, follow: Collection[str] = ()) -> None:
    """Draw a part of the page; again when a run of `follow` logs, or when the list of runs changes.

    Only this part is drawn again, unless the list of runs is another one. Charts update in place and
    unchanged lines come from the cache, so that a drawing with little news costs little.

    Args:
        draw: draws the part, and reads what it shows itself.
        follow: ids of the runs that it shows and that still run; EVERY_RUN for all.
    """
    known = queries.fingerprint()

    def body() -> None:
        url_state.correct()
        if queries.fingerprint() != known:
            st.rerun()
        # Before what is drawn is read: what comes between is news.
        mark = queries.mark(follow)
        draw()
        _listen(
            data={"follow": ",".join(sorted(follow)), "mark": mark, "address": changes.PREFIX},
            key="live",
            on_changed_change=_nothing,
        )

    st.fragment(body)()


def watch() -> None:
    """Draw the whole page again once the list of runs, or the health of the store, is another one."""
    keep_current(_nothing)


def _nothing() -> None:
    """Only what has a callback is handed to the page; the page runs again by itself."""
