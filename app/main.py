"""The script that Streamlit runs for every viewer: it only knows the pages.

Streamlit runs it as a script, not as a module of the package: it alone imports absolutely.
"""

from __future__ import annotations

import streamlit as st

from stepscope.app import url_state
from stepscope.app.screens import (
    charts,
    compare,
    curves,
    distributions,
    graph,
    hyperparameters,
    media,
    run,
    runs,
    system,
    tb,
    vd,
)
from stepscope.app.widgets import account
from stepscope.app.widgets.brand import MARK

st.set_page_config(page_title="Stepscope", page_icon=MARK, layout="wide")

page = st.navigation(
    [
        st.Page(runs.show, title="Runs", url_path="runs", default=True),
        st.Page(charts.show, title="Charts", url_path="charts"),
        st.Page(distributions.show, title="Distributions", url_path="distributions"),
        st.Page(media.show, title="Media", url_path="media"),
        st.Page(graph.show, title="Graph", url_path="graph"),
        st.Page(curves.show, title="Curves", url_path="curves"),
        st.Page(hyperparameters.show, title="Hyperparameters", url_path="hyperparameters"),
        st.Page(system.show, title="System", url_path="system"),
        st.Page(compare.show, title="Compare", url_path="compare"),
        st.Page(run.show, title="Run", url_path="run"),
        st.Page(tb.show, title="TensorBoard", url_path="tb"),
        st.Page(vd.show, title="Visdom", url_path="vd"),
    ],
    position="top",
)
url_state.enter(page.url_path)
page.run()

account.show()
