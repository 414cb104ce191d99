"""What was chosen without a control of Streamlit's own, as it stands in the address of the page.

A copied address shows the same to someone else. What a control sets (smoothing, axis, filters ...) is bound
to the address by Streamlit itself: `bind="query-params"` where the control is made, which drops what the
control does not offer, and brings it back when the viewer returns to the page. Here are the chosen runs, of
which only ids are kept, and lists of texts: pins, open sections, columns.

A session remembers each choice. The browser tells its address with each request, but perhaps the one from
before it heard of the viewer's newest choice: the address counts when a session begins and when a page is
entered, as with the browser's "back"; while the viewer stays, what the session remembers does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import cast

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

RUNS = "runs"
"""The runs that are shown together."""
FOCUS = "run"
"""The one run of pages that show one."""
MOST_RUNS = 100
MOST_TEXTS = 60
LONGEST_TEXT = 300
"""Characters. More texts, or longer ones, are not taken from an address: any of it may be forged."""
LONGEST_LINE = 2000
"""Of a text that stands alone, such as a filter."""

_RUN_ID = re.compile(r"[0-9A-Za-z]{1,32}")
_MEMORY = "url_state_"
_PAGE = "url_state of page"


def read(name: str) -> tuple[str, ...] | None:
    """Return the run ids under a name; None when nobody chose."""
    found = _there(name)
    if found is None:
        return None
    return tuple(part for part in found.split(",")[:MOST_RUNS] if _RUN_ID.fullmatch(part))


def write(name: str, run_ids: Sequence[str] | None) -> None:
    """Keep run ids under a name, at most MOST_RUNS of them; None forgets the choice."""
    _keep(name, None if run_ids is None else ",".join(run_ids[:MOST_RUNS]))


def text(name: str) -> str:
    """Return the one text under a name, "" when nobody chose; for controls that several pages share.

    Streamlit's own binding belongs to one page: on the way "back", what another page had bound under the
    same key would be lost.
    """
    found = (_there(name) or "")[:LONGEST_LINE]
    _keep(name, found)
    return found


def set_text(name: str, value: str) -> None:
    """Keep one text under a name; "" forgets the choice."""
    _keep(name, value[:LONGEST_LINE])


def texts(name: str) -> tuple[str, ...]:
    """Return the texts under a name; none when nobody chose, or when the address holds something else."""
    found = _decoded(_there(name) or "")
    set_texts(name, found)
    return found


def set_texts(name: str, values: Sequence[str]) -> None:
    """Keep texts under a name, in their order, at most MOST_TEXTS of them; none forgets the choice."""
    kept = tuple(value for value in values if len(value) <= LONGEST_TEXT)[:MOST_TEXTS]
    _keep(name, _encoded(kept) if kept else "")


def enter(page: str) -> None:
    """Take over what the address says when the viewer comes to a page from another one, or by "back".

    Args:
        page: the path of the page that is about to be drawn.
    """
    # "Back" over several pages may lead to the one that is shown, as it was before.
    context = get_script_run_ctx()
    if st.session_state.get(_PAGE) == page and not (context and context.is_history_navigation):
        return
    st.session_state[_PAGE] = page
    for name in st.query_params:
        if _MEMORY + name in st.session_state:
            st.session_state[_MEMORY + name] = str(st.query_params[name])


def restore() -> None:
    """Begin a page: what is remembered stands in its address, the chosen runs in any case."""
    correct()
    for name in (RUNS, FOCUS):
        write(name, read(name))


def correct() -> None:
    """Let what the session remembers replace what the address says, before any of a page is drawn again."""
    for name in list(st.query_params):
        if _MEMORY + name in st.session_state:
            _keep(name, st.session_state[_MEMORY + name])


def _there(name: str) -> str | None:
    """Return what the session remembers under a name, else what the address says."""
    if _MEMORY + name in st.session_state:
        return st.session_state[_MEMORY + name]
    return str(st.query_params[name]) if name in st.query_params else None


def _keep(name: str, value: str | None) -> None:
    """Remember a text and show it in the address; an empty one only of runs, where none is a choice."""
    st.session_state[_MEMORY + name] = value
    if value is None or (not value and name not in (RUNS, FOCUS)):
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != value:
        st.query_params[name] = value


def _encoded(values: Sequence[str]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _decoded(text: str) -> tuple[str, ...]:
    try:
        found: object = json.loads(text) if len(text) <= MOST_TEXTS * LONGEST_TEXT else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        return ()
    values = cast("list[object]", found)[:MOST_TEXTS]
    return tuple(one for one in values if isinstance(one, str) and len(one) <= LONGEST_TEXT)
