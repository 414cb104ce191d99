from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.basedatatypes import BaseFigure

from stepscope.app.views.axes import Axis, XAxis, in_units_of, place
from stepscope.app.views.outliers import Outliers
from stepscope.app.views.scalar import FEW_POINTS, Line, Look, figure
from stepscope.storage.downsample import bucket, smooth
from stepscope.storage.model import Points

START = 1_700_000_000.0
STEPS = 200


def points(values: np.ndarray, most: int = 10_000) -> Points:
    steps = np.arange(len(values))
    return bucket(steps, START + steps / 10, values, most)


def line(values: np.ndarray | None = None, most: int = 10_000, **changed: object) -> Line:
    values = np.sin(np.arange(STEPS)) if values is None else values
    found = points(values, most)
    return replace(Line("run", "#0072B2", found, place(found, Axis(), START)), **changed)


def along(axis: Axis, one: Line) -> Line:
    return replace(one, x=place(one.points, axis, START))


def test_a_figure_is_one_that_plotly_knows() -> None:
    noisy = np.random.default_rng(0).normal(size=5000)
    noisy[7], noisy[70] = np.nan, np.inf
    for kind in XAxis:
        axis = Axis(kind, "epoch")
        lines = [along(axis, line(noisy, 500)), along(axis, line(split="validation"))]
        drawn = figure("loss", lines, Look(axis, log_y=True, outliers=Outliers.IGNORED))
        assert isinstance(go.Figure(drawn), BaseFigure)


def test_the_line_in_front_is_tensorboards_smoothing_and_the_logged_one_lies_behind() -> None:
    behind, front = figure("loss", [line()], Look(smoothing=0.8))["data"]
    np.testing.assert_array_equal(behind["y"], np.sin(np.arange(STEPS)))
    np.testing.assert_array_equal(front["y"], smooth(np.sin(np.arange(STEPS)), 0.8))
    assert "rgba" in behind["line"]["color"]
    assert front["line"]["color"] == "#0072B2"


def tensorboards(values: np.ndarray, weight: float) -> list[float]:
    """Return what `resmoothDataset` in TensorBoard's line-chart.ts makes of values."""
    last = 0.0 if len(values) else np.nan
    accumulated, constant = 0, bool((values == values[0]).all())
    smoothed: list[float] = []
    for value in values.tolist():
        if constant or not np.isfinite(value):
            smoothed.append(value)
            continue
        last = last * weight + (1 - weight) * value
        accumulated += 1
        debias = 1.0 if weight == 1 else 1.0 - weight**accumulated
        smoothed.append(last / debias)
    return smoothed


@pytest.mark.parametrize("weight", [0.1, 0.6, 0.99])
def test_the_drawn_line_is_that_of_tensorboards_algorithm(weight: float) -> None:
    values = np.random.default_rng(0).normal(size=STEPS)
    values[[5, 50]], values[60] = np.nan, np.inf
    front = [one for one in figure("loss", [line(values)], Look(smoothing=weight))["data"] if "line" in one]
    finite = np.where(np.isfinite(values), values, np.nan)
    np.testing.assert_allclose(front[1]["y"], tensorboards(finite, weight), rtol=1e-12)
    (constant,) = figure("loss", [line(np.full(STEPS, 3.0))], Look(smoothing=weight))["data"]
    np.testing.assert_array_equal(constant["y"], np.full(STEPS, 3.0))


def test_without_smoothing_there_is_one_line() -> None:
    (front,) = figure("loss", [line()], Look(smoothing=0.0))["data"]
    assert front["mode"] == "lines"


def test_few_points_are_marked_and_drawn_as_they_were_logged() -> None:
    values = np.random.default_rng(0).normal(size=FEW_POINTS)
    (front,) = figure("loss", [line(values)], Look(smoothing=0.9))["data"]
    assert front["mode"] == "lines+markers"
    np.testing.assert_array_equal(front["y"], values)


def test_a_value_for_each_epoch_is_marked_until_marks_run_into_each_other() -> None:
    for many, mode in ((80, "lines+markers"), (200, "lines")):
        *_, front = figure("loss", [line(np.sin(np.arange(many)), granularity="epoch")], Look())["data"]
        assert front["mode"] == mode


def test_splits_differ_by_their_dashes() -> None:
    lines = [line(split=split) for split in (None, "train", "validation", "test", "holdout-b")]
    dashes = [trace["line"]["dash"] for trace in figure("loss", lines, Look(smoothing=0.0))["data"]]
    assert dashes == ["solid", "solid", "dash", "dot", "dashdot"]


def test_buckets_carry_the_band_of_all_their_points_and_say_how_many() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    drawn = figure("loss", [line(values, 1000)], Look(smoothing=0.0))
    band, front = drawn["data"]
    assert band["y"].max() == values.max()
    assert band["y"].min() == values.min()
    # A lone bucket's area is narrower than a pixel.
    assert band["line"]["width"] > 0
    assert len(front["y"]) == 1000
    assert "1,000 of 20,000 points" in drawn["layout"]["title"]["subtitle"]["text"]


def test_what_is_no_number_is_marked_where_it_was_logged_and_counted() -> None:
    values = np.linspace(1.0, 2.0, 100)
    values[[10, 20]], values[30], values[40] = np.nan, np.inf, -np.inf
    drawn = figure("loss", [line(values)], Look(smoothing=0.0))
    _, nan, up, down = drawn["data"]
    assert [trace["marker"]["symbol"] for trace in (nan, up, down)] == ["x", "triangle-up", "triangle-down"]
    assert nan["x"].tolist() == [10.0, 20.0]
    assert nan["y"].tolist() == [values[9], values[19]]
    told = drawn["layout"]["title"]["subtitle"]["text"]
    assert "2 \u00d7 NaN" in told
    assert "1 \u00d7 ∞" in told
    assert "1 \u00d7 -∞" in told


def test_nothing_but_nan_is_marked_at_zero() -> None:
    _, marks = figure("loss", [line(np.full(3, np.nan))], Look())["data"]
    assert marks["y"].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("axis", "last", "title"),
    [
        (XAxis.STEP, STEPS - 1, ""),
        (XAxis.RELATIVE, 19.9, "seconds since start"),
        (XAxis.WALL, (START + 19.9) * 1000, ""),
    ],
)
def test_the_horizontal_axis(axis: XAxis, last: float, title: str) -> None:
    along_it = Axis(axis)
    drawn = figure("loss", [along(along_it, line())], Look(along_it))
    assert drawn["data"][-1]["x"][-1] == pytest.approx(last)
    assert drawn["layout"]["xaxis"]["title"]["text"] == title
    assert (drawn["layout"]["xaxis"].get("type") == "date") == (axis is XAxis.WALL)


def test_relative_time_is_in_the_unit_that_people_would_say() -> None:
    long = bucket([0, 1], [START, START + 3 * 3600], [1.0, 2.0], 10)
    axis = in_units_of(Axis(XAxis.RELATIVE), 3 * 3600)
    drawn = figure("loss", [along(axis, line(points=long))], Look(axis))
    assert drawn["layout"]["xaxis"]["title"]["text"] == "hours since start"
    assert drawn["data"][0]["x"].tolist() == [0.0, 3.0]


def test_new_points_keep_the_zoom_and_another_axis_does_not() -> None:
    def revision(count: int, look: Look) -> str:
        return figure("loss", [line(np.ones(count))], look)["layout"]["uirevision"]

    assert revision(10, Look()) == revision(99, Look(smoothing=0.1))
    assert revision(10, Look()) != revision(10, Look(Axis(XAxis.WALL)))
    assert revision(10, Look()) != revision(10, Look(log_y=True))


def test_names_stay_text() -> None:
    drawn = figure("<a href='x'>loss</a>", [line(name="<img src=x> & co")], Look(smoothing=0.0))
    assert "<a" not in drawn["layout"]["title"]["text"]
    assert drawn["data"][0]["name"] == "&lt;img src=x&gt; &amp; co"


def test_no_lines_make_an_empty_figure() -> None:
    assert figure("loss", [], Look(Axis(XAxis.RELATIVE)))["data"] == []
    assert figure("loss", [line(np.array([]))], Look())["data"] == []


def test_values_that_differ_by_rounding_only_look_equal() -> None:
    same = np.array([0.001, float(np.float32(0.001))])
    low, high = figure("lr", [line(same)], Look())["layout"]["yaxis"]["range"]
    assert (low, high) == pytest.approx((0.0008, 0.0012))
    low, high = figure("lr", [line(same)], Look(log_y=True))["layout"]["yaxis"]["range"]
    assert (10**low, 10**high) == pytest.approx((0.0008, 0.0012))
    for values in (np.array([0.0, 0.0]), np.array([1.0, 2.0]), np.array([np.nan]), np.array([-1.0, -1.0])):
        axis = figure("lr", [line(values)], Look(log_y=True))["layout"]["yaxis"]
        assert "range" not in axis
