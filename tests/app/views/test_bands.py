"""Several runs as one line in a band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stepscope.app.views.bands import Band, Centre, across
from stepscope.storage.downsample import bucket
from stepscope.storage.model import Points

Member = tuple[np.ndarray, Points]


def member(x: list[float] | np.ndarray, y: list[float] | np.ndarray, most: int = 10_000) -> Member:
    found = bucket(np.arange(len(y)), np.arange(len(y)), y, most)
    return np.asarray(x, dtype=np.float64)[found.step], found


values = arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e6, 1e6))
members = st.lists(values.map(lambda y: member(np.arange(len(y)), y)), min_size=1, max_size=5)


@given(members, st.sampled_from(Centre), st.sampled_from(Band))
def test_the_line_lies_in_its_band_and_between_the_runs(
    runs: list[Member], centre: Centre, band: Band
) -> None:
    x, line = across(runs, centre, band)
    room = 1e-9 * max(1.0, *(float(np.abs(points.mean).max()) for _, points in runs))
    assert (np.diff(x) > 0).all()
    assert (line.min <= line.mean + room).all()
    assert (line.mean <= line.max + room).all()
    assert line.mean.min() >= min(points.mean.min() for _, points in runs) - room
    assert line.mean.max() <= max(points.mean.max() for _, points in runs) + room
    assert line.count.max() <= len(runs)
    assert line.count[0] == len(runs)
    assert line.total == sum(points.total for _, points in runs)


@given(members, st.sampled_from(Centre), st.sampled_from(Band))
def test_the_order_of_runs_does_not_matter(runs: list[Member], centre: Centre, band: Band) -> None:
    x, line = across(runs, centre, band)
    x_back, back = across(runs[::-1], centre, band)
    np.testing.assert_array_equal(x, x_back)
    for name in ("mean", "min", "max"):
        np.testing.assert_allclose(getattr(line, name), getattr(back, name), rtol=1e-7, atol=1e-3)


@given(values, st.sampled_from(Centre), st.sampled_from(Band))
def test_one_run_alone_is_itself(y: np.ndarray, centre: Centre, band: Band) -> None:
    x, line = across([member(np.arange(len(y)), y)], centre, band)
    np.testing.assert_array_equal(x, np.arange(len(y)))
    for column in (line.mean, line.min, line.max):
        np.testing.assert_allclose(column, y)


def test_runs_of_different_steps_are_compared_between_their_values() -> None:
    x, line = across([member([0, 2, 4], [0, 2, 4]), member([1, 3], [11, 13])], Centre.MEAN, Band.RANGE)
    assert x.tolist() == [0, 1, 2, 3, 4]
    assert line.mean.tolist() == [0, 6, 7, 8, 4]
    assert line.count.tolist() == [1, 2, 2, 2, 1]
    assert line.min.tolist() == [0, 1, 2, 3, 4]
    assert line.max.tolist() == [0, 11, 12, 13, 4]


def test_deviation_and_error() -> None:
    runs = [member([0], [y]) for y in (1.0, 2.0, 6.0)]
    _, deviation = across(runs, Centre.MEAN, Band.DEVIATION)
    assert deviation.max[0] - deviation.mean[0] == pytest.approx(np.std([1, 2, 6], ddof=1))
    _, error = across(runs, Centre.MEDIAN, Band.ERROR)
    assert error.mean[0] == 2.0
    assert error.max[0] - 2.0 == pytest.approx(np.std([1, 2, 6], ddof=1) / np.sqrt(3))
    _, none = across(runs, Centre.MEAN, Band.NONE)
    assert none.min[0] == none.max[0] == 3.0


def test_the_range_holds_what_lies_inside_buckets_and_between_thinned_places() -> None:
    noise = np.random.default_rng(0).normal(size=(3, 20_000))
    runs = [member(np.arange(20_000), row, 1000) for row in noise]
    x, line = across(runs, Centre.MEAN, Band.RANGE, most=300)
    assert len(x) == 300
    assert (line.min.min(), line.max.max()) == (noise.min(), noise.max())


def test_values_of_one_place_are_one_and_what_has_no_place_is_left_out() -> None:
    x, line = across([member([np.nan, 1, 1, 0], [9.0, 2.0, 4.0, 1.0])], Centre.MEAN, Band.RANGE)
    assert x.tolist() == [0, 1]
    assert line.mean.tolist() == [1.0, 3.0]
    assert line.max.tolist() == [1.0, 4.0]


def test_what_is_no_number_is_counted_and_marked_and_moves_nothing() -> None:
    broken = member([0, 1, 2], [1.0, np.nan, 3.0])
    _, line = across([broken, member([0, 1, 2], [1.0, 2.0, 3.0])], Centre.MEAN, Band.RANGE)
    assert line.mean.tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(line.last).tolist() == [False, True, False]
    assert line.nan_count == 1


def test_no_run_with_a_place_makes_an_empty_line() -> None:
    for runs in ([], [member([np.nan], [1.0])]):
        x, line = across(runs, Centre.MEDIAN, Band.RANGE)
        assert len(x) == len(line) == 0
    _, line = across([member([0.0], [np.nan])], Centre.MEAN, Band.RANGE)
    assert np.isnan(line.mean).all()
