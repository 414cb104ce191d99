"""The way out, for viewers who have logged in."""

from __future__ import annotations

import streamlit as st

from ..access.check import asks_who
from ..access.login_page import LOGOUT


def show() -> None:
    """Draw a link at the end of the sidebar, where the dashboard asks who its viewers are."""
    if asks_who():
        st.sidebar.link_button("Log out", LOGOUT, icon=":material/logout:", type="tertiary")
