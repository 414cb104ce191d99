"""Where points lie on the horizontal axis, and what is read when a viewer zooms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepscope.app.views.axes import Axis, XAxis, in_units_of, joined, place, refined, steps_of_view
from stepscope.storage.downsample import bucket
from stepscope.storage.model import Points

START = 1_700_000_000.0
EPOCH = Axis(XAxis.METRIC, "epoch", counts=True)


def points(steps: np.ndarray, values: np.ndarray, most: int = 10_000) -> Points:
    return bucket(steps, START + steps / 10, values, most)


def test_a_counter_that_is_logged_once_an_epoch_runs_evenly_between() -> None:
    loss = points(np.arange(40), np.ones(40))
    epoch = points(np.array([9, 19, 29]), np.array([1.0, 2.0, 3.0]))
    x = place(loss, EPOCH, START, epoch)
    assert x[[9, 14, 19, 39]].tolist() == pytest.approx([1.0, 1.5, 2.0, 4.0])
    assert x[0] == pytest.approx(0.1), "before the first value, the counter runs as fast as after it"
    assert place(loss, EPOCH, START, epoch, by_time=True) == pytest.approx(x)


def test_a_counter_that_is_logged_at_each_step_runs_evenly_too() -> None:
    steps = np.arange(40)
    x = place(points(steps, np.ones(40)), EPOCH, START, points(steps, steps // 10 * 1.0))
    assert x == pytest.approx(steps / 10)


def test_where_a_counter_would_be_below_zero_it_is_not_known() -> None:
    x = joined(np.arange(4.0), np.array([2.0, 3.0]), np.array([0.0, 1.0]), counts=True)
    assert x.tolist() == pytest.approx([np.nan, np.nan, 0.0, 1.0], nan_ok=True)


def test_of_another_metric_it_is_the_last_value_that_was_logged() -> None:
    x = joined(np.arange(5.0), np.array([1.0, 3.0, 4.0]), np.array([0.5, 0.25, np.nan]))
    assert x.tolist() == pytest.approx([np.nan, 0.5, 0.5, 0.25, 0.25], nan_ok=True)


def test_a_run_without_the_metric_has_no_place_on_its_axis() -> None:
    loss = points(np.arange(3), np.ones(3))
    assert np.isnan(place(loss, EPOCH, START, None)).all()
    assert np.isnan(place(loss, EPOCH, START, points(np.arange(1), np.array([np.nan])))).all()


def test_times() -> None:
    loss = points(np.array([0, 600]), np.ones(2))
    relative = in_units_of(Axis(XAxis.RELATIVE), 3000.0)
    assert relative.title == "minutes since start"
    assert place(loss, relative, START).tolist() == [0.0, 1.0]
    wall = place(loss, Axis(XAxis.WALL), START)
    assert wall.tolist() == [START * 1000, (START + 60) * 1000]


def test_what_is_seen_is_read_finer_and_the_whole_stays() -> None:
    steps, values = np.arange(100_000), np.random.default_rng(0).normal(size=100_000)
    coarse = points(steps, values, 500)
    window = steps_of_view(coarse, place(coarse, Axis(), START), 40_000.0, 41_000.0)
    assert window is not None
    assert window[0] < 40_000 < 41_000 < window[1]
    inside = (steps >= window[0]) & (steps <= window[1])
    whole = refined(coarse, points(steps[inside], values[inside], 1000))
    assert whole.total == whole.count.sum() == 100_000
    assert (np.diff(whole.step) > 0).all()
    assert (whole.first_step[1:] > whole.step[:-1]).all()
    assert whole.max.max() == values.max()
    seen = (whole.step >= 40_000) & (whole.step <= 41_000)
    assert seen.sum() > 100 * ((coarse.step >= 40_000) & (coarse.step <= 41_000)).sum() / 6


@given(st.floats(0, 99_999), st.floats(0, 99_999), st.integers(2, 300))
def test_the_steps_that_are_read_hold_all_that_is_seen(one: float, other: float, most: int) -> None:
    first, last = sorted((one, other))
    coarse = points(np.arange(0, 100_000, 10), np.zeros(10_000), most)
    window = steps_of_view(coarse, place(coarse, Axis(), START), first, last)
    if window is not None:
        assert window[0] <= max(first, 0)
        assert window[1] >= min(last, 99_990)


def test_nothing_is_read_where_nothing_finer_is_there() -> None:
    fine = points(np.arange(100), np.ones(100))
    assert steps_of_view(fine, place(fine, Axis(), START), 10.0, 20.0) is None
    coarse = points(np.arange(1000), np.ones(1000), 10)
    x = place(coarse, Axis(), START)
    assert steps_of_view(coarse, x, -10.0, 2000.0) is None
    assert steps_of_view(coarse, x, 5000.0, 6000.0) is None
    assert refined(coarse, points(np.arange(0), np.ones(0))) is coarse
