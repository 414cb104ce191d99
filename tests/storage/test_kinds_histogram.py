"""A histogram keeps its moments exactly, and every number lies in the bin that counts it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stepscope.storage.errors import BadInput
from stepscope.storage.kinds import KIND_OF, RawValue
from stepscope.storage.kinds.histogram import HistogramData

ANY_FLOATS = hnp.arrays(np.float64, st.integers(0, 80), elements=st.floats(width=64))
ANY_FLOATS32 = hnp.arrays(np.float32, st.integers(0, 80), elements=st.floats(width=32))


def histogram(values: np.ndarray, **facts: Any) -> HistogramData:
    array = np.ascontiguousarray(values)
    meta = {"dtype": array.dtype.str, "shape": list(array.shape), **facts}
    encoded = KIND_OF["histogram"].encode(RawValue(meta, array.tobytes()))
    return KIND_OF["histogram"].decode(json.loads(json.dumps(encoded.meta)), encoded.data)


def binned(edges: list[float], counts: list[float]) -> HistogramData:
    return histogram(np.array(edges + counts, np.float64), binned=True)


def check(found: HistogramData, values: np.ndarray) -> None:
    finite = values[np.isfinite(values)].astype(np.float64)
    assert found.count == len(finite) == found.counts.sum()
    assert found.nan_count == np.isnan(values).sum()
    assert found.posinf_count == np.isposinf(values).sum()
    assert found.neginf_count == np.isneginf(values).sum()
    assert (found.counts >= 0).all()
    if not len(finite):
        assert (len(found.edges), len(found.counts)) == (0, 0)
        return
    assert len(found.edges) == len(found.counts) + 1
    assert (found.edges[1:] > found.edges[:-1]).all(), found.edges
    assert np.isfinite(found.edges).all()
    assert found.edges[0] <= finite.min()
    assert finite.max() <= found.edges[-1]
    assert (found.min, found.max) == (finite.min(), finite.max())
    check_places(found, finite)


def check_places(found: HistogramData, finite: np.ndarray) -> None:
    # Up to each edge lie as many numbers as were counted, but for those that rounding puts on the edge.
    ordered = np.sort(finite)
    reached = np.concatenate([[0], found.counts.cumsum()])
    room = 1e-12 * np.abs(found.edges) + 1e-322
    with np.errstate(over="ignore"):
        fewest = np.searchsorted(ordered, found.edges - room, side="left")
        most = np.searchsorted(ordered, found.edges + room, side="right")
    assert (fewest <= reached).all()
    assert (reached <= most).all()


@given(ANY_FLOATS)
@example(np.array([0.0, 0.0]))
@example(np.array([1.5e-323, 5e-324, 0.0]))
@example(np.array([1.7976931348623157e308, -1.7976931348623157e308]))
@example(np.array([1.7976931348623157e308] * 3))
@example(np.array([-0.0, 1e-300, -1e-300]))
@settings(deadline=None, max_examples=300)
def test_every_number_is_counted_where_it_lies(values: np.ndarray) -> None:
    check(histogram(values), values)


@given(ANY_FLOATS32)
@settings(deadline=None)
def test_float32(values: np.ndarray) -> None:
    check(histogram(values), values)


@given(hnp.arrays(np.float64, st.integers(1, 80), elements=st.floats(-1e100, 1e100)))
@settings(deadline=None)
def test_moments_are_those_of_numpy(values: np.ndarray) -> None:
    found = histogram(values)
    assert found.mean == values.mean()
    assert found.std == values.std()


def test_moments_of_float16_do_not_overflow() -> None:
    values = np.full(100_000, 60_000, np.float16)
    found = histogram(values)
    exact = float(values[0])
    assert (found.count, found.mean, found.std) == (100_000, exact, 0.0)


def test_moments_of_huge_numbers_do_not_overflow() -> None:
    found = histogram(np.array([1.7e308, 1.7e308, 1.6e308]))
    assert found.mean == pytest.approx(1.6666666666666667e308)
    assert found.std == pytest.approx(4.714045207910317e306)


@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "int32", "int64", "float16", "float32"])
def test_any_type_of_number(kind: str) -> None:
    values = np.array([0, 1, 1, 1, 0, 1], kind)
    found = histogram(values)
    assert (found.count, found.min, found.max, found.mean) == (6, 0, 1, pytest.approx(4 / 6))
    check(found, values.astype(np.float64))


def test_any_shape_is_one_distribution() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 5))
    assert histogram(values).count == 60


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 1e-310, 1e308, -1.7976931348623157e308])
def test_one_value_many_times_is_one_bin_around_it(value: float) -> None:
    found = histogram(np.full(7, value))
    np.testing.assert_array_equal(found.counts, [7])
    assert found.edges[0] < value < found.edges[1] or abs(value) > 1e308


def test_bins_are_an_eighth_of_an_octave_wide() -> None:
    values = np.random.default_rng(0).lognormal(sigma=3, size=10_000)
    edges = histogram(values).edges
    inner = edges[1:-1]
    filled = np.log2(inner[1:] / inner[:-1])
    np.testing.assert_allclose(filled[filled < 0.13], 1 / 8, rtol=1e-9)
    assert (filled < 0.13).mean() > 0.9


@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)),
    hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)),
)
@settings(deadline=None)
def test_histograms_merge_on_one_grid(left: np.ndarray, right: np.ndarray) -> None:
    # Counts by key: what merging adds up. Decoded edges end at the true extremes, keys do not.
    def keys(values: np.ndarray) -> dict[int, int]:
        meta = {"dtype": "<f8", "shape": [len(values)]}
        encoded = KIND_OF["histogram"].encode(RawValue(meta, values.tobytes()))
        bins = encoded.meta["bins"]
        found = np.frombuffer(encoded.data, "<i4", bins).tolist()
        return dict(zip(found, np.frombuffer(encoded.data, "<i8", offset=4 * bins).tolist(), strict=True))

    both, one, other = keys(np.concatenate([left, right])), keys(left), keys(right)
    assert both == {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}


def test_a_million_numbers_take_few_bytes() -> None:
    values = np.random.default_rng(0).normal(size=1_000_000).astype(np.float32)
    meta = {"dtype": "<f4", "shape": [len(values)]}
    assert len(KIND_OF["histogram"].encode(RawValue(meta, values.tobytes())).data) < 6_000


def test_bins_of_the_user_stay_as_they_are() -> None:
    found = binned([0.0, 1.0, 3.0], [2.0, 6.0])
    np.testing.assert_array_equal(found.edges, [0, 1, 3])
    np.testing.assert_array_equal(found.counts, [2, 6])
    assert (found.count, found.min, found.max) == (8, 0, 3)
    assert found.mean == (0.5 * 2 + 2 * 6) / 8
    assert found.std == pytest.approx(np.std([0.5] * 2 + [2.0] * 6))


def test_bins_without_a_count_are_refused() -> None:
    with pytest.raises(BadInput, match=r"counts must add up to more than 0, but they add up to 0\.0"):
        binned([0.0, 1.0], [0.0])


@given(st.lists(ANY_FLOATS, min_size=1, max_size=5))
@example([np.array([]), np.array([3.0, np.nan])])
@example([np.array([0.0, -0.0]), np.array([5e-324]), np.array([1.7976931348623157e308])])
@settings(deadline=None, max_examples=300)
def test_merged_histograms_are_the_one_of_all_numbers(parts: list[np.ndarray]) -> None:
    first, *others = map(histogram, parts)
    found, whole = first.merge(*others), histogram(np.concatenate(parts))
    for name in ("edges", "counts", "keys"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    for name in ("count", "min", "max", "nan_count", "posinf_count", "neginf_count"):
        assert getattr(found, name) == getattr(whole, name)
    scale = max(abs(whole.min), abs(whole.max))
    assert found.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-12 * scale)
    assert found.std == pytest.approx(whole.std, rel=1e-6, abs=1e-6 * scale)
    check(found, np.concatenate(parts))


def test_ready_made_bins_merge_when_their_edges_are_the_same() -> None:
    found = binned([0.0, 1.0, 3.0], [2.0, 6.0]).merge(binned([0.0, 1.0, 3.0], [1.0, 1.0]))
    np.testing.assert_array_equal(found.counts, [3, 7])
    whole = binned([0.0, 1.0, 3.0], [3.0, 7.0])
    assert (found.count, found.min, found.max) == (whole.count, whole.min, whole.max)
    assert (found.mean, found.std) == (pytest.approx(whole.mean), pytest.approx(whole.std))


@pytest.mark.parametrize("other", [binned([0.0, 1.0, 4.0], [1.0, 1.0]), histogram(np.array([1.0, 2.0]))])
def test_ready_made_bins_that_differ_are_refused(other: HistogramData) -> None:
    message = r"of these 2 histograms some differ from the first: 2 bins from 0 to 3\. Log arrays"
    with pytest.raises(BadInput, match=message):
        binned([0.0, 1.0, 3.0], [2.0, 6.0]).merge(other)
