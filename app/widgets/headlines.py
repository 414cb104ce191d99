"""The figures that people look for first: median and peak of each measure, for one run or several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from .. import queries
from ..analysis import machine
from ..analysis.machine import Measure, Reading
from ..views.words import NOTHING, number
from . import table
from .run_picker import Choice
from .run_table import swatch


def draw(found: Mapping[Measure, Sequence[Reading]], chosen: Choice) -> None:
    """Draw tiles for one run, a table for several."""
    measures = [one for one in found if one.headline]
    if len(chosen.runs) == 1:
        st.caption("Median over the run, all devices and ranks together, and the peak.")
        with st.container(horizontal=True):
            for one in measures:
                _tile(one, _figures(one, found[one], chosen.runs[0].run_id))
        return
    ids = [run.run_id for run in chosen.runs]
    cells = {one.label: [_words(_figures(one, found[one], run_id)) for run_id in ids] for one in measures}
    columns = {
        "": [swatch(chosen.colours[run_id]) for run_id in ids],
        "Run": [chosen.names[run_id] for run_id in ids],
    }
    config = {
        "": st.column_config.ImageColumn(width=34, pinned=True, help="The run's colour on every page"),
        "Run": st.column_config.TextColumn(pinned=True),
    }
    st.caption("Median, and the peak behind the arrow.")
    table.draw(
        columns | cells, config=config, most_rows=8, alt="Median and peak of each measure", key="headlines"
    )


def _tile(measure: Measure, figures: tuple[float, float]) -> None:
    typical, peak = figures
    unit = f" {measure.unit}" if measure.unit else ""
    st.metric(
        measure.title,
        _number(typical) + unit,
        f"peak {_number(peak)}{unit}",
        delta_color="off",
        delta_arrow="off",
        width=150,
    )


def _figures(measure: Measure, members: Sequence[Reading], run_id: str) -> tuple[float, float]:
    """Return the median over all devices and ranks of a run, and the largest value; NaN without any."""
    mine = [one.series for one in members if one.series.run_id == run_id]
    medians = [machine.median(queries.points(one)) for one in mine]
    known = [one for one in medians if math.isfinite(one)]
    peaks = [one.max_value for one in mine if one.max_value is not None]
    typical = float(np.median(known)) if known else math.nan
    return typical * measure.scale, (max(peaks) if peaks else math.nan) * measure.scale


def _words(figures: tuple[float, float]) -> str:
    typical, peak = figures
    return NOTHING if math.isnan(typical) else f"{_number(typical)} ↑ {_number(peak)}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return number(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
