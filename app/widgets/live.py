"""Pages that keep themselves current: drawn again while a chosen run trains, and only then."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from .. import queries

LIVE_SECONDS = 2.0
IDLE_SECONDS = 5.0
"""How often a page on which nothing trains looks whether a run has come, gone or changed its state."""


def keep_current(draw: Callable[[], None], *, live: bool) -> None:
    """Draw a part of the page; every LIVE_SECONDS again while `live`, else when the list of runs changes.

    Only this part is drawn again. Charts update in place and unchanged lines come from the cache, so that
    a drawing without news costs next to nothing.

    Args:
        draw: draws the part, and reads what it shows itself.
        live: whether a run that it shows is still running.
    """
    known = queries.fingerprint()

    def body() -> None:
        if live and queries.fingerprint() != known:
            st.rerun()
        draw()

    st.fragment(body, run_every=LIVE_SECONDS if live else None)()
    if not live:
        watch(known)


def watch(known: int | None = None, *, every: float = IDLE_SECONDS) -> None:
    """Draw the whole page again once the list of runs, or the health of the store, is another one."""
    before = queries.fingerprint() if known is None else known

    def look() -> None:
        if queries.fingerprint() != before:
            st.rerun()

    st.fragment(look, run_every=every)()
