"""What was chosen without a control of Streamlit's own, as it stands in the address of the page.

A copied address shows the same to someone else. What a control sets (smoothing, axis, filters ...) is bound
to the address by Streamlit itself: `bind="query-params"` where the control is made, which drops what the
control does not offer, and brings it back when the viewer returns to the page. Here are the chosen runs, of
which only ids are kept, and lists of texts: pins, open sections, columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import cast

import streamlit as st

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


def text(name: str) -> str:
    """Return the one text under a name, "" when nobody chose; for controls that several pages share.

    Streamlit's own binding belongs to one page: on the way "back", what another page had bound under the
    same key would be lost.
    """
    if name in st.query_params:
        st.session_state[_MEMORY.format(name)] = str(st.query_params[name])[:LONGEST_LINE]
    found: str = st.session_state.get(_MEMORY.format(name), "")
    if found and name not in st.query_params:
        st.query_params[name] = found
    return found


def set_text(name: str, value: str) -> None:
    """Keep one text under a name; "" forgets the choice."""
    st.session_state[_MEMORY.format(name)] = value[:LONGEST_LINE]
    if value:
        st.query_params[name] = value[:LONGEST_LINE]
    elif name in st.query_params:
        del st.query_params[name]


def texts(name: str) -> tuple[str, ...]:
    """Return the texts under a name; none when nobody chose, or when the address holds something else.

    As with runs, the address comes first; what the session remembers is put back into it.
    """
    if name in st.query_params:
        found = _decoded(str(st.query_params[name]))
        st.session_state[_MEMORY.format(name)] = found
        return found
    remembered: tuple[str, ...] = st.session_state.get(_MEMORY.format(name), ())
    if remembered:
        st.query_params[name] = _encoded(remembered)
    return remembered


def set_texts(name: str, values: Sequence[str]) -> None:
    """Keep texts under a name, in their order, at most MOST_TEXTS of them; none forgets the choice."""
    kept = tuple(value for value in values if len(value) <= LONGEST_TEXT)[:MOST_TEXTS]
    st.session_state[_MEMORY.format(name)] = kept
    if not kept:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != _encoded(kept):
        st.query_params[name] = _encoded(kept)


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


def restore() -> None:
    """Put what the session remembers back into the address, after a change of the page."""
    for name in (RUNS, FOCUS):
        write(name, read(name))
