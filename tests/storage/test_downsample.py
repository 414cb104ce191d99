"""A picture of fewer numbers must keep what the eye would have seen, and agree with TensorBoard."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stepscope.storage.downsample import BASIS_POINTS, basis_points, bucket, rebin, smooth
from stepscope.storage.errors import BadInput

ANY_FLOATS = hnp.arrays(np.float64, st.integers(0, 200), elements=st.floats(width=64))
LIMITS = st.integers(1, 60)


def steps_for(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    step = np.arange(len(values), dtype=np.int64) * 3 - 7
    return step, 1.7e9 + step * 0.5


@given(ANY_FLOATS, LIMITS)
def test_buckets_keep_the_extremes_and_lose_no_point(values: np.ndarray, limit: int) -> None:
    step, time = steps_for(values)
    points = bucket(step, time, values, limit)
    finite = values[np.isfinite(values)]
    assert len(points) == min(len(values), limit)
    assert int(points.count.sum()) == points.total == len(values)
    assert points.bucketed == (len(values) > limit)
    assert points.nan_count + points.posinf_count + points.neginf_count == len(values) - len(finite)
    if len(finite):
        assert np.nanmin(points.min) == finite.min()
        assert np.nanmax(points.max) == finite.max()
    if len(values):
        assert points.first_step[0] == step[0]
        assert points.step[-1] == step[-1]
        np.testing.assert_array_equal(points.last[-1], values[-1])


@given(ANY_FLOATS, LIMITS)
def test_each_bucket_is_what_numpy_says_of_its_slice(values: np.ndarray, limit: int) -> None:
    step, time = steps_for(values)
    points = bucket(step, time, values, limit)
    ends = np.cumsum(points.count)
    for i, (start, end) in enumerate(zip(ends - points.count, ends, strict=True)):
        part = values[start:end]
        finite = part[np.isfinite(part)]
        assert points.first_step[i] == step[start]
        assert points.step[i] == step[end - 1]
        assert points.time[i] == time[end - 1]
        np.testing.assert_array_equal(points.last[i], part[-1])
        if not len(finite):
            assert np.isnan([points.min[i], points.max[i], points.mean[i]]).all()
            continue
        assert (points.min[i], points.max[i]) == (finite.min(), finite.max())
        exact = float(sum(map(Fraction, finite.tolist())) / len(finite))
        np.testing.assert_allclose(points.mean[i], exact, rtol=1e-9, atol=1e-9 * np.abs(finite).max())


def test_few_points_come_back_as_they_are() -> None:
    values = np.array([1.5, np.nan, -np.inf, 2.0])
    step, time = steps_for(values)
    points = bucket(step, time, values, 4)
    np.testing.assert_array_equal(points.count, [1, 1, 1, 1])
    np.testing.assert_array_equal(points.last, values)
    np.testing.assert_array_equal(points.mean, [1.5, np.nan, np.nan, 2.0])
    assert (points.nan_count, points.posinf_count, points.neginf_count) == (1, 0, 1)


def test_a_bucket_says_what_it_holds_that_is_no_number() -> None:
    values = np.array([1.0, np.nan, 2.0, np.inf, 3.0, 4.0, -np.inf, np.nan, 5.0, -np.inf, 6.0, 7.0])
    points = bucket(*steps_for(values), values, 6)
    np.testing.assert_array_equal(points.odd, [np.nan, np.inf, 0.0, np.nan, -np.inf, 0.0])
    assert bucket(*steps_for(values), np.ones(12), 6).odd is None


def test_mean_of_huge_values_does_not_overflow() -> None:
    points = bucket([0, 1], [0.0, 1.0], [1.7e308, 1.7e308], 1)
    assert points.mean[0] == 1.7e308


def test_bucket_says_what_it_wants() -> None:
    with pytest.raises(BadInput, match="max_points must be at least 1, but is 0"):
        bucket([1], [1.0], [1.0], 0)
    with pytest.raises(BadInput, match=r"shapes are \(2,\), \(1,\) and \(1,\)"):
        bucket([1, 2], [1.0], [1.0], 5)


def test_smoothing_is_tensorboards() -> None:
    # Worked by hand from resmoothDataset: 1, then (0.5*0.5*1 + 0.5*2)/(1-0.25), a gap, and on.
    smoothed = smooth([1.0, 2.0, np.nan, 4.0], 0.5)
    np.testing.assert_allclose(smoothed, [1.0, 1.25 / 0.75, np.nan, (0.625 + 2.0) / 0.875])


@given(ANY_FLOATS.map(lambda values: values / 4), st.floats(0, 1))
def test_smoothing_stays_within_the_values_and_passes_gaps_through(values: np.ndarray, weight: float) -> None:
    smoothed = smooth(values, weight)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(smoothed[~finite], values[~finite])
    if finite.any() and weight < 1 - 1e-9:
        room = 1e-6 * np.abs(values[finite]).max()
        assert smoothed[finite].min() >= values[finite].min() - room
        assert smoothed[finite].max() <= values[finite].max() + room


def test_smoothing_edges() -> None:
    np.testing.assert_array_equal(smooth([3.0, 3.0, 3.0], 0.9), [3.0, 3.0, 3.0])
    np.testing.assert_array_equal(smooth([1.0, 5.0], 0.0), [1.0, 5.0])
    np.testing.assert_array_equal(smooth([1.0, 5.0], 1.0), [0.0, 0.0])
    assert smooth([], 0.5).shape == (0,)
    with pytest.raises(BadInput, match=r"from 0 to 1, but is 1\.5"):
        smooth([1.0], 1.5)


@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.integers(0, 1000).map(float)),
    st.floats(-1e6, 1e6),
    st.floats(0, 1e6),
)
def test_basis_points_are_tensorboards(counts: np.ndarray, low: float, width: float) -> None:
    compressor = pytest.importorskip("tensorboard.plugins.distribution.compressor")
    edges = np.linspace(low, low + width, len(counts) + 1)
    buckets = np.stack([edges[:-1], edges[1:], counts], axis=1)
    expected = compressor.compress_histogram(buckets)
    assert [point for point, _ in expected] == list(BASIS_POINTS)
    np.testing.assert_array_equal(basis_points(edges, counts), [value for _, value in expected])


def test_basis_points_of_nothing_and_of_nonsense() -> None:
    np.testing.assert_array_equal(basis_points([0.0], []), np.zeros(9))
    with pytest.raises(BadInput, match="2 edges and 2 counts"):
        basis_points([0.0, 1.0], [1.0, 2.0])


@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.integers(0, 1000).map(float)),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
    st.integers(1, 60),
)
def test_rebinning_keeps_the_sum_and_the_ends(
    counts: np.ndarray, low: float, width: float, bins: int
) -> None:
    edges = np.linspace(low, low + width, len(counts) + 1)
    new_edges, new_counts = rebin(edges, counts, bins)
    assert (len(new_edges), len(new_counts)) == (bins + 1, bins)
    assert (new_edges[0], new_edges[-1]) == (edges[0], edges[-1])
    np.testing.assert_allclose(new_counts.sum(), counts.sum(), atol=1e-6)
    assert (new_counts >= 0).all()


@pytest.mark.filterwarnings("error")
def test_rebinning_a_range_beyond_float64() -> None:
    largest = float(np.finfo(np.float64).max)
    edges, counts = rebin([-largest, 0.0, largest], [1.0, 3.0], 4)
    np.testing.assert_allclose(edges, np.array([-1, -0.5, 0, 0.5, 1]) * largest)
    np.testing.assert_allclose(counts, [0.5, 0.5, 1.5, 1.5])


def test_rebinning_spreads_evenly() -> None:
    edges, counts = rebin([0.0, 1.0, 4.0], [2.0, 3.0], 2)
    np.testing.assert_allclose(edges, [0.0, 2.0, 4.0])
    np.testing.assert_allclose(counts, [3.0, 2.0])
    assert [part.shape for part in rebin([], [], 30)] == [(0,), (0,)]
