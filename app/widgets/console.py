"""What a run's processes printed, with a search (see browser/console.js)."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
import streamlit.components.v2 as components_v2

from ...storage.console import Printed
from ..routing import browser_files
from ..views import console
from ..views.console import Row
from ..views.words import count, one_of, plain

MOST_LINES = 1000
"""Lines that are shown: the last ones."""
ALL, ERRORS = "all", "stderr"
_render = components_v2.component(
    "stepscope_console",
    js=browser_files.starts("console.js"),
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
)


def draw(found: list[Printed], name: str) -> None:
    """Draw the output of one process of a run, at least one, which the viewer chooses."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        one = _process(found)
        find = st.text_input(
            "Find in the output",
            key="console_find",
            bind="query-params",
            type="search",
            placeholder="a word",
            width=260,
            live=True,
        )
        stream = st.segmented_control(
            "Stream", [ALL, ERRORS], default=ALL, required=True, key="console_stream", bind="query-params"
        )
        st.download_button(
            "Save",
            lambda: console.text_of(one.lines),
            file_name="console.txt",
            mime="text/plain",
            icon=":material/download:",
            type="tertiary",
        )
    rows = console.rows(one.lines, find=find or "", stream=ERRORS if stream == ERRORS else None)
    st.caption(_about(one, rows, bool(find) or stream == ERRORS))
    shown = [[row.number, row.stream or "gap", row.text, row.share] for row in rows[-MOST_LINES:]]
    data = {"rows": shown, "find": find or "", "title": f"What run {name} printed, {one.title}"}
    _render(data=data, key="console")


def _process(found: list[Printed]) -> Printed:
    titles = [one.title for one in found]
    title = titles[-1]
    if len(titles) > 1:
        picked = st.selectbox(
            "Process", titles, index=len(titles) - 1, key="console_process", bind="query-params"
        )
        title = picked or title
    return found[titles.index(title)]


def _about(one: Printed, rows: list[Row], searched: bool) -> str:
    lines = one_of(len(one.lines), "line")
    words = [f"{count(len(rows))} of {lines}" if searched else lines]
    if len(rows) > MOST_LINES:
        words.append(f"the last {count(MOST_LINES)} shown")
    if one.left_out:
        words.append(f"{count(one.left_out)} bytes in the middle were left out")
    return plain(f"{', '.join(words)}  ·  stderr has a red edge")
