from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
import pytest

from stepscope.app.views import histogram_bars
from stepscope.app.views.histogram import (
    GRID_BINS,
    LEAST_BINS,
    MAX_RIDGES,
    RIDGES_OF_EACH,
    Histograms,
    OfRun,
    Style,
    figure,
    percentiles,
)
from stepscope.app.views.histogram_bars import AtStep
from stepscope.storage.downsample import spread_over
from stepscope.storage.kinds.base import RawValue
from stepscope.storage.kinds.histogram import HistogramData, decode, encode

BLUE, RED = "#0072B2", "#D55E00"


def alone(data: Histograms) -> list[OfRun]:
    return [OfRun("run a", BLUE, data)]


def both(data: Histograms) -> list[OfRun]:
    return [*alone(data), OfRun("run <b>", RED, data)]


def stored(values: np.ndarray) -> HistogramData:
    raw = encode(RawValue({"dtype": values.dtype.str, "shape": list(values.shape)}, values.tobytes()))
    return decode(raw.meta, raw.data)


def histograms(many: int = 40, total: int = 0, odd: int = 0, numbers: int = 2000) -> Histograms:
    rng = np.random.default_rng(0)
    found = [np.histogram(rng.normal(scale=1 + place / 10, size=numbers), bins=30) for place in range(many)]
    edges, counts = [edges for _, edges in found], [counts.astype(float) for counts, _ in found]
    return Histograms(np.arange(many) * 10, edges, counts, total or many, odd)


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("many", [0, 1, 2, 40])
def test_a_figure_is_one_that_plotly_knows(style: Style, many: int) -> None:
    drawn = figure("weights/<b>", alone(histograms(many)), style)
    assert len(go.Figure(drawn).data) == len(drawn["data"])
    assert bool(drawn["data"]) == bool(many)
    assert "<b>weights/&lt;b&gt;</b>" in drawn["layout"]["title"]["text"]


def test_bands_are_tensorboards_nine_basis_points() -> None:
    uniform = Histograms(np.array([3]), [np.array([0.0, 1.0])], [np.array([100.0])])
    at = [0, 0.0668, 0.1587, 0.3085, 0.5, 0.6915, 0.8413, 0.9332, 1]
    np.testing.assert_allclose(percentiles(uniform)[0], at)
    traces = figure("w", alone(histograms()), Style.BANDS)["data"]
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
    for trace in figure("w", alone(data), style)["data"]:
        assert np.isfinite(trace["x"]).all()
        assert np.isfinite(trace["y"]).all()
    assert percentiles(data)[0, [0, -1]] == pytest.approx([-1.79e308, 1.79e308])


def test_another_grid_holds_as_many_numbers() -> None:
    edges, counts = np.array([-1.0, 0.0, 0.5, 4.0]), np.array([2.0, 6.0, 4.0])
    spread = spread_over(edges, counts, np.linspace(-2, 5, 8))
    assert spread.sum() == pytest.approx(12.0)
    assert spread[1] == pytest.approx(2.0)


def test_a_heat_map_has_a_column_for_each_step() -> None:
    (trace,) = figure("w", alone(histograms(7)), Style.HEATMAP)["data"]
    assert trace["z"].shape == (GRID_BINS, 7)
    np.testing.assert_allclose(trace["customdata"].sum(axis=0), 1.0)


def test_ridges_are_few_and_keep_the_first_and_the_last_step() -> None:
    traces = figure("w", alone(histograms(100)), Style.RIDGES)["data"]
    assert len(traces) == MAX_RIDGES
    assert traces[0]["name"] == "step 0"
    assert traces[-1]["name"] == "step 990"


def test_what_is_not_drawn_is_told() -> None:
    told = figure("w", alone(histograms(40, total=5000, odd=3)), Style.BANDS)["layout"]["title"]["subtitle"]
    assert told["text"] == "40 of 5,000 histograms  ·  3 \u00d7 NaN or ∞ left out"


@pytest.mark.parametrize(("numbers", "bins"), [(16, LEAST_BINS), (400, 40), (10**4, GRID_BINS)])
def test_few_numbers_get_few_bins(numbers: int, bins: int) -> None:
    (trace,) = figure("w", alone(histograms(2, numbers=numbers)), Style.HEATMAP)["data"]
    assert len(trace["y"]) == bins


@pytest.mark.parametrize("style", Style)
def test_two_runs_lie_on_top_of_each_other_each_in_its_colour(style: Style) -> None:
    drawn = figure("w", both(histograms(40)), style)
    assert go.Figure(drawn)
    text = str(drawn["data"])
    assert "0,114,178" in text
    assert "213,94,0" in text
    assert "run <b>" not in text
    if style is Style.RIDGES:
        assert len(drawn["data"]) == 2 * RIDGES_OF_EACH
    if style is Style.BANDS:
        medians = [trace["name"] for trace in drawn["data"] if "meta" not in trace]
        assert medians == ["run a · median", "run &lt;b&gt; · median"]


def test_runs_of_different_steps_share_one_axis_of_steps() -> None:
    data = histograms(3)
    later = Histograms(data.steps + 5, data.edges, data.counts)
    traces = figure("w", [*alone(data), OfRun("b", RED, later)], Style.RIDGES)["data"]
    assert [trace["y"][0] for trace in traces] == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("style", [Style.HEATMAP, Style.RIDGES])
def test_a_zoom_is_binned_anew_from_the_stored_bins(style: Style) -> None:
    edges, counts = np.array([-100.0, 1.0, 1.5, 2.0, 100.0]), np.array([1.0, 60.0, 30.0, 1.0])
    data = Histograms(np.array([0]), [edges], [counts])
    (near,) = figure("w", alone(data), style, (1.0, 2.0))["data"]
    at = near["y"] if style is Style.HEATMAP else near["x"]
    assert (at.min() >= 1.0, at.max() <= 2.0) == (True, True)
    if style is Style.HEATMAP:
        np.testing.assert_allclose(near["customdata"].sum(), 90 / 92)
        half = len(at) // 2
        np.testing.assert_allclose(near["customdata"][:half].sum(), 60 / 92, rtol=0.1)


def test_a_zoom_past_all_values_shows_the_whole() -> None:
    (trace,) = figure("w", alone(histograms(1)), Style.HEATMAP, (1e6, 2e6))["data"]
    assert trace["customdata"].sum() == pytest.approx(1.0)


def test_one_step_in_full_is_of_shares_and_says_what_is_exact() -> None:
    values = np.array([1.0, 1.0, 2.0, math.nan, math.inf, -math.inf])
    one = AtStep("run <b>", BLUE, 1200, stored(values))
    drawn = histogram_bars.figure("w", [one])
    assert drawn["layout"]["title"]["subtitle"]["text"] == (
        "step 1,200: 3 numbers, 3 \u00d7 NaN or ∞ left out"
    )
    (trace,) = drawn["data"]
    assert trace["y"].sum() == pytest.approx(1.0)
    facts = {"numbers": "3", "min": "1", "mean": "1.3333", "max": "2", "std": "0.4714"}
    assert histogram_bars.facts(one) == {**facts, "NaN": "1", "∞": "1", "-∞": "1"}
    assert go.Figure(drawn)
    two = histogram_bars.figure("w", [one, AtStep("b", RED, 7, stored(values))])
    assert "run &lt;b&gt;: step 1,200" in two["layout"]["title"]["subtitle"]["text"]


def test_one_step_of_nothing_but_nan_is_an_empty_chart() -> None:
    one = AtStep("a", BLUE, 0, stored(np.array([math.nan])))
    assert histogram_bars.figure("w", [one])["data"] == []
    assert histogram_bars.facts(one) == {"numbers": "0", "NaN": "1"}


def test_one_step_that_is_zoomed_gets_finer_bins() -> None:
    one = AtStep("a", BLUE, 0, stored(np.linspace(0, 100, 5000)))
    (whole,) = histogram_bars.figure("w", [one])["data"]
    (near,) = histogram_bars.figure("w", [one], (10.0, 20.0))["data"]
    assert len(whole["x"]) == len(near["x"])
    assert (near["x"].min() > 10, near["x"].max() < 20) == (True, True)
    assert near["y"].sum() == pytest.approx(0.1, rel=0.05)


def test_histograms_of_nothing_are_left_out() -> None:
    empty = Histograms(np.array([1, 2]), [np.empty(0), np.array([2.0, 2.5])], [np.empty(0), np.array([9.0])])
    (trace,) = figure("w", alone(empty), Style.HEATMAP)["data"]
    assert trace["x"].tolist() == [2.0]
