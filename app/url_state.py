"""Which runs were chosen, as it stands in the address of the page.

A copied address shows the same runs to someone else. All other choices (smoothing, axis, filters ...) are
bound to the address by Streamlit itself: `bind="query-params"` where the control is made, which drops what
the control does not offer. Only ids are kept here, and only text of an id's form is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

RUNS = "runs"
"""The runs that are shown together."""
FOCUS = "run"
"""The one run of pages that show one."""
MOST_RUNS = 100

_RUN_ID = re.compile(r"[0-9A-Za-z]{1,32}")
_MEMORY = "url_state_{}"


def read(name: str) -> tuple[str, ...] | None:
    """Return the run ids under a name; None when nobody chose.

    The address comes first, so that the browser's back button works. Changing the page empties the
    address, so the session remembers.
    """
    if name in st.query_params:
        text = str(st.query_params[name])
        return tuple(part for part in text.split(",")[:MOST_RUNS] if _RUN_ID.fullmatch(part))
    return st.session_state.get(_MEMORY.format(name))


def write(name: str, run_ids: Sequence[str] | None) -> None:
    """Keep run ids under a name, at most MOST_RUNS of them; None forgets the choice."""
    if run_ids is None:
        st.session_state.pop(_MEMORY.format(name), None)
        if name in st.query_params:
            del st.query_params[name]
        return
    kept = tuple(run_ids[:MOST_RUNS])
    st.session_state[_MEMORY.format(name)] = kept
    text = ",".join(kept)
    if st.query_params.get(name) != text:
        st.query_params[name] = text


def restore() -> None:
    """Put what the session remembers back into the address, after a change of the page."""
    for name in (RUNS, FOCUS):
        write(name, read(name))
