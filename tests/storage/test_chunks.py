"""What a chunk was packed from, it gives back to the bit; what is no chunk is said to be none."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stepscope.storage.chunks import CHUNK_POINTS, Columns, pack, unpack
from stepscope.storage.errors import StoreDamaged

ANY_STEP = st.integers(-(2**63), 2**63 - 1)
ANY_BITS = st.integers(0, 2**64 - 1)
SENSIBLE_TIME = st.floats(0.0, 2.0**31)


@st.composite
def any_columns(draw: st.DrawFn) -> Columns:
    count = draw(st.integers(0, 60))
    steps = draw(hnp.arrays(np.int64, count, elements=ANY_STEP))
    # As bits, so that every payload of NaN, both zeros and both infinities come up.
    values = draw(hnp.arrays(np.uint64, count, elements=ANY_BITS)).view(np.float64)
    times = draw(hnp.arrays(np.float64, count, elements=SENSIBLE_TIME))
    return Columns(steps, times, values)


def assert_same(found: Columns, packed: Columns) -> None:
    np.testing.assert_array_equal(found.step, packed.step)
    np.testing.assert_array_equal(found.value.view(np.uint64), packed.value.view(np.uint64))
    np.testing.assert_allclose(found.time, packed.time, rtol=0, atol=0.75e-6)
    assert (found.step.dtype, found.time.dtype, found.value.dtype) == (np.int64, np.float64, np.float64)


def columns(values: np.ndarray, steps: np.ndarray | None = None) -> Columns:
    at = np.arange(len(values), dtype=np.int64) if steps is None else np.array(steps, np.int64)
    return Columns(at, 1.7e9 + np.arange(len(values)) / 8, np.array(values, np.float64))


@given(any_columns())
@settings(deadline=None)
def test_unpack_gives_back_what_was_packed(packed: Columns) -> None:
    assert_same(unpack(pack(packed)), packed)


@given(hnp.arrays(np.uint32, st.integers(0, 60), elements=st.integers(0, 2**32 - 1)))
@example(np.array([0x7FC00001, 0x7F800001, 0xFFFFFFFF], np.uint32))
@settings(deadline=None)
def test_values_that_came_from_float32_come_back_to_the_bit(bits: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        values = bits.view(np.float32).astype(np.float64)
    packed = columns(values)
    assert_same(unpack(pack(packed)), packed)


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [0],
        [5, 5, 5, 5],
        [9, 7, 5, -3],
        [2**63 - 1, -(2**63), 2**63 - 1],
        [-(2**63), 0, 2**63 - 1, -1],
        [2**53, 2**53 + 1, 2**53 + 2],
    ],
)
def test_any_order_of_steps(steps: list[int]) -> None:
    packed = columns(np.linspace(-1, 1, len(steps)), np.array(steps, np.int64))
    assert_same(unpack(pack(packed)), packed)


@pytest.mark.parametrize("value", [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308])
def test_values_at_the_edge_of_float64(value: float) -> None:
    packed = columns(np.array([value, 1.0, value]))
    assert_same(unpack(pack(packed)), packed)


def test_times_are_kept_to_the_microsecond() -> None:
    times = 1_700_000_000.0 + np.array([0.0, 1e-6, 2e-6, 0.5, 0.499999])
    found = unpack(pack(Columns(np.arange(5, dtype=np.int64), times, np.zeros(5))))
    np.testing.assert_array_equal(np.rint(found.time * 1e6), np.rint(times * 1e6))


def test_a_full_chunk_of_float32_noise_is_small() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=CHUNK_POINTS).astype(np.float32).astype(np.float64)
    steps = np.arange(CHUNK_POINTS, dtype=np.int64)
    times = 1.7e9 + np.cumsum(rng.uniform(0.9e-3, 1.1e-3, CHUNK_POINTS))
    assert len(pack(Columns(steps, times, values))) < 7 * CHUNK_POINTS


@given(any_columns().filter(lambda columns: len(columns.step) > 0), st.data())
@settings(deadline=None)
def test_a_chunk_that_was_cut_is_damaged(packed: Columns, data: st.DataObject) -> None:
    whole = pack(packed)
    size = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(StoreDamaged):
        unpack(whole[:size])


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_foreign_bytes_are_damaged(foreign: bytes) -> None:
    with pytest.raises(StoreDamaged):
        unpack(foreign)


def test_the_message_says_what_came() -> None:
    good = pack(columns(np.array([1.0, 2.0])))
    with pytest.raises(StoreDamaged, match=r"says version 7; this Stepscope reads 1"):
        unpack(b"\x07" + good[1:])
    with pytest.raises(StoreDamaged, match=r"a chunk of 5 bytes cannot be read"):
        unpack(good[:5])


@pytest.mark.parametrize("count", [0, 1, 3, 2**31, 2**32 - 1])
def test_a_header_with_another_count_is_damaged(count: int) -> None:
    good = pack(columns(np.array([1.0, 2.0])))
    version, flags, _, size = struct.unpack_from("<BBxxII", good)
    with pytest.raises(StoreDamaged, match=rf"a chunk of {count} points holds 40 bytes"):
        unpack(struct.pack("<BBxxII", version, flags, count, size) + good[12:])


def test_flipped_bits_never_crash() -> None:
    good = pack(columns(np.arange(100.0)))
    for place in range(len(good)):
        flipped = bytearray(good)
        flipped[place] ^= 0x55
        try:
            found = unpack(bytes(flipped))
        except StoreDamaged:
            continue
        assert len(found.step) == len(found.time) == len(found.value) == 100
