"""The browser's history: "back" leads to the page before, as it was left."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_SCRIPT = f"<script>{Path(__file__).with_suffix('.js').read_text(encoding='utf-8')}</script>"


def keep_history() -> None:
    """Put the script on the page that makes one entry of the history for each page (see address.js)."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
