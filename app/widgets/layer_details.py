"""One layer of a model: what it is, what it runs, and the histograms that its run logged of it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from ...storage.model import Run, Series
from .. import queries
from ..views import histogram
from ..views.graph_details import Details, attributes, facts, histograms_of
from ..views.histogram import OfRun, Style
from ..views.words import LONGEST_NAME, plain
from . import chart, grid, notices, table
from .run_picker import Choice

MOST_HISTOGRAMS = 9


def show(told: Details, run: Run, chosen: Choice, *, columns: int = 1) -> None:
    """Show a layer or an operation of a run's graph.

    Args:
        told: what the graph knows of it.
        run: whose graph it is.
        chosen: the names and colours of runs.
        columns: how many histograms stand side by side.
    """
    name = plain(told.path or "the model", LONGEST_NAME * 2)
    st.markdown(f"**{name}** of {plain(chosen.names[run.run_id])}")
    said = [f":gray[{heading}] {plain(text)}" for heading, text in facts(told).items()]
    st.markdown(" · ".join(said))
    _histograms(told, run, chosen, columns)
    if told.operations:
        with st.expander("Operations and attributes", key=f"operations {run.run_id}"):
            table.draw(attributes(told), alt=f"The operations of {told.path}", most_rows=8)


def _histograms(told: Details, run: Run, chosen: Choice, columns: int) -> None:
    found = {one.name: one for one in queries.series([run.run_id], "histogram")}
    names = histograms_of(found, told.path)
    if not names:
        if told.row is not None and found:
            st.caption("The run has logged no histogram of this layer itself; perhaps of what is inside it.")
        return
    _draw([found[name] for name in names[:MOST_HISTOGRAMS]], run, chosen, columns)
    query = urlencode({"runs": run.run_id, "layers": told.path})
    st.link_button(
        "On the Distributions page", f"distributions?{query}", icon=":material/area_chart:", type="tertiary"
    )


def _draw(found: Sequence[Series], run: Run, chosen: Choice, columns: int) -> None:
    for one, cell in grid.cells(found, columns):
        with cell, notices.guarded(f"histogram {one.name} of run {run.name}"):
            own = OfRun(chosen.names[run.run_id], chosen.colours[run.run_id], queries.histograms(one))
            figure = histogram.figure(one.name, [own], Style.BANDS)
            chart.draw(
                figure, key=f"layer histogram {run.run_id} {one.series_id}", alt=f"{one.name} of {run.name}"
            )
