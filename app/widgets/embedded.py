"""Another page of this server, inside a page of the dashboard."""

from __future__ import annotations

import streamlit.components.v2 as components_v2

from ..routing import browser_files

_frame = components_v2.component(
    "stepscope_embedded", js=browser_files.starts("embedded.js"), isolate_styles=False
)


def show(address: str, *, title: str, mark: str = "") -> None:
    """Show a page down to the window's lower edge. It is loaded anew only when its address is another one.

    Args:
        address: a path of this server.
        title: what it is, for screen readers.
        mark: changes when the store does; the page then fetches what is new, if it knows how.
    """
    _frame(data={"address": address, "title": title, "mark": mark}, key="embedded")
