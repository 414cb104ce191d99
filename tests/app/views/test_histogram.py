from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from stepscope.app.views.histogram import (
    GRID_BINS,
    MAX_RIDGES,
    Histograms,
    Style,
    figure,
    percentiles,
)
from stepscope.storage.downsample import spread_over


def histograms(many: int = 40, total: int = 0, odd: int = 0) -> Histograms:
    rng = np.random.default_rng(0)
    found = [np.histogram(rng.normal(scale=1 + place / 10, size=500), bins=30) for place in range(many)]
    edges, counts = [edges for _, edges in found], [counts.astype(float) for counts, _ in found]
    return Histograms(np.arange(many) * 10, edges, counts, total or many, odd)


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("many", [0, 1, 2, 40])
def test_a_figure_is_one_that_plotly_knows(style: Style, many: int) -> None:
    drawn = figure("weights/<b>", histograms(many), style, "#0072B2")
    assert len(go.Figure(drawn).data) == len(drawn["data"])
    assert bool(drawn["data"]) == bool(many)
    assert "<b>weights/&lt;b&gt;</b>" in drawn["layout"]["title"]["text"]


def test_bands_are_tensorboards_nine_basis_points() -> None:
    uniform = Histograms(np.array([3]), [np.array([0.0, 1.0])], [np.array([100.0])])
    at = [0, 0.0668, 0.1587, 0.3085, 0.5, 0.6915, 0.8413, 0.9332, 1]
    np.testing.assert_allclose(percentiles(uniform)[0], at)
    traces = figure("w", histograms(), Style.BANDS, "#0072B2")["data"]
    assert [trace["name"] for trace in traces] == [
        *("0 %", "100 %", "6.68 %", "93.32 %", "15.87 %", "84.13 %", "30.85 %", "69.15 %"),
        "median",
    ]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("many", [1, 3])
def test_a_range_beyond_float64(style: Style, many: int) -> None:
    edges, counts = np.array([-1.79e308, -1.0, 1.0, 1.79e308]), np.array([1.0, 5.0, 1.0])
    data = Histograms(np.arange(many), [edges] * many, [counts] * many, many)
    for trace in figure("w", data, style, "#0072B2")["data"]:
        assert np.isfinite(trace["x"]).all()
        assert np.isfinite(trace["y"]).all()
    assert percentiles(data)[0, [0, -1]] == pytest.approx([-1.79e308, 1.79e308])


def test_another_grid_holds_as_many_numbers() -> None:
    edges, counts = np.array([-1.0, 0.0, 0.5, 4.0]), np.array([2.0, 6.0, 4.0])
    spread = spread_over(edges, counts, np.linspace(-2, 5, 8))
    assert spread.sum() == pytest.approx(12.0)
    assert spread[1] == pytest.approx(2.0)


def test_a_heat_map_has_a_column_for_each_step() -> None:
    (trace,) = figure("w", histograms(7), Style.HEATMAP, "#0072B2")["data"]
    assert trace["z"].shape == (GRID_BINS, 7)
    np.testing.assert_allclose(trace["customdata"].sum(axis=0), 1.0)


def test_ridges_are_few_and_keep_the_first_and_the_last_step() -> None:
    traces = figure("w", histograms(100), Style.RIDGES, "#0072B2")["data"]
    assert len(traces) == MAX_RIDGES
    assert traces[0]["name"] == "step 0"
    assert traces[-1]["name"] == "step 990"


def test_what_is_not_drawn_is_told() -> None:
    told = figure("w", histograms(40, total=5000, odd=3), Style.BANDS, "#0072B2")["layout"]["title"][
        "subtitle"
    ]
    assert told["text"] == "40 of 5,000 histograms  ·  3 \u00d7 NaN or ∞ left out"


def test_histograms_of_nothing_are_left_out() -> None:
    empty = Histograms(np.array([1, 2]), [np.empty(0), np.array([2.0, 2.5])], [np.empty(0), np.array([9.0])])
    (trace,) = figure("w", empty, Style.HEATMAP, "#0072B2")["data"]
    assert trace["x"].tolist() == [2.0]
