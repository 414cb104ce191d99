"""Sentences instead of tracebacks: what is wrong with a store, a run or one of its values."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import streamlit as st

from ...storage.errors import StepscopeError, StoreNotFound
from ..views.words import plain
from . import welcome


@contextmanager
def guarded(what: str) -> Generator[None]:
    """Draw one piece of a page; should that fail, say so in its place and go on with the rest.

    Args:
        what: names the piece, as it was logged: "image samples of run digits at step 20".
    """
    try:
        yield
    # Whatever is wrong with one value must not take the others away. Streamlit's own signals are no
    # Exceptions and pass.
    except Exception as error:
        kind = "" if isinstance(error, StepscopeError) else f"{type(error).__name__}: "
        st.warning(
            f"{plain(what)} cannot be shown. {plain(f'{kind}{error}')}", icon=":material/broken_image:"
        )


def store_problem(error: StepscopeError) -> None:
    """Say why the store cannot be read; one that is not there yet gets a welcome."""
    if isinstance(error, StoreNotFound):
        welcome.show()
        return
    st.error(plain(str(error)), icon=":material/database_off:")
    st.caption("This page looks again every few seconds.")


def nothing(sentence: str) -> None:
    """Say calmly that there is nothing to show, and what would change that."""
    st.info(sentence, icon=":material/info:")
