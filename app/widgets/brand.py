"""How Stepscope looks: its mark, and a calmer, denser page than Streamlit's own."""

from __future__ import annotations

import streamlit as st

MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24">'
    '<rect width="24" height="24" rx="6" fill="#0072B2"/>'
    '<path d="M4 7c4 0 4 9 8 9h8" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/>'
    '<path d="M4 11h4v3h4v3h8" fill="none" stroke="#56B4E9" stroke-width="1.6" stroke-linecap="round"/>'
    "</svg>"
)
_LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 132 24" width="132" height="24">'
    f"{MARK}"
    '<text x="32" y="17.5" font-family="system-ui,sans-serif" font-size="16" font-weight="600"'
    ' fill="#8A8F98">Stepscope</text></svg>'
)

_CALM = """<style>
.stMainBlockContainer { padding: 4.25rem 2rem 3rem; }
.st-key-run_list .stCheckbox { min-height: 1.75rem; }
.st-key-run_list label p { white-space: nowrap; }
.st-key-run_list label span[style] { margin-right: 0.3rem; border-radius: 3px; }
.st-key-run_actions { gap: 0.1rem 0.9rem; }
/* A heading in a logged text is a heading of that text, not of the page. */
[class*="st-key-text-"] :is(h1, h2, h3) { font-size: 1.1rem; padding: 0.25rem 0; }
.stExpander summary { padding-block: 0.35rem; }
[data-stale="true"] { opacity: 1 !important; }
</style>"""


def show() -> None:
    """Put the mark and the style on the page."""
    st.logo(_LOGO, size="medium", icon_image=MARK)
    st.html(_CALM)
