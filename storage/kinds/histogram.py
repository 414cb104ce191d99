"""Histograms with logarithmic bins: every bin is 2^(1/8) wide, 9 % of its value.

Bins of all histograms lie on one grid, so histograms of different steps or ranks merge by adding
counts, and small weights keep their shape where 30 linear bins would put them all into one. Count,
minimum, maximum, mean and standard deviation are exact. The grid is that of DDSketch (Masson, Rim
and Lee, VLDB 2019) with gamma = 2^(1/8).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput, StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape

BINS_PER_OCTAVE = 8
# Larger than 8 * 1022, so that every positive number has a positive key, its negative the opposite key,
# and 0.0 the key 0. Subnormal numbers count as zeros: their bins would be narrower than two floats lie apart.
KEY_OFFSET = 16_384
_SMALLEST_KEY = KEY_OFFSET - 1022 * BINS_PER_OCTAVE
_LARGEST_KEY = KEY_OFFSET + 1024 * BINS_PER_OCTAVE - 1
_KEYED_FACTS = ("count", "min", "max", "mean", "std", "nan", "posinf", "neginf")
_BLOCK = 1 << 17
_LARGEST = float(np.finfo(np.float64).max)
_MOMENTS = ("count", "min", "max", "mean", "std", "nan", "posinf", "neginf")

_Counted: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Keys, how many numbers each has."""
_Bins: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64] | None]
"""Edges, counts, keys (see HistogramData)."""


@dataclass(frozen=True, slots=True)
class HistogramData:
    """A distribution of numbers."""

    edges: NDArray[np.float64]
    """Shape (k + 1,), ascending; bin i spans edges[i] to edges[i + 1]. Shape (0,) when empty."""
    counts: NDArray[np.float64]
    """Shape (k,)."""
    count: int
    """How many finite numbers there were; with the three counts below, how many in all."""
    min: float
    max: float
    mean: float
    std: float
    """Population standard deviation."""
    nan_count: int = 0
    posinf_count: int = 0
    neginf_count: int = 0
    keys: NDArray[np.int64] | None = field(default=None, repr=False)
    """The filled bins of the common grid, shape (j,), ascending; None when the user made the bins."""

    def merge(self, *others: HistogramData) -> HistogramData:
        """Return the histogram of all the numbers together: of several steps, ranks or layers.

        It is the one that all numbers would have given at once; mean and std up to the rounding of sums.

        Raises:
            BadInput: bins that were made by the user differ, or are mixed with others.
        """
        return _merged([self, *others])


def encode(raw: RawValue) -> EncodedValue:
    """Bin an array of numbers, or keep the bins that the user made (meta "binned").

    A value that was binned on the grid already (meta "keyed", with moments and counts of what is no number)
    holds keys and counts, shape (2, j), int64.
    A binned value holds edges (k + 1) and then counts (k), float64; its meta may state the moments, which
    else are those of the bins.
    """
    values = raw.array().reshape(-1)
    if raw.meta.get("binned"):
        return _encode_binned(values, raw.meta)
    if raw.meta.get("keyed"):
        return _encode_keyed(raw)
    found: list[_Counted] = []
    odd = {"nan": 0, "posinf": 0, "neginf": 0}
    for block in _blocks(values):
        finite = _finite(block)
        found += _counted(_keys(finite))
        if len(finite) < len(block):
            odd["nan"] += int(np.isnan(block).sum())
            odd["posinf"] += int(np.isposinf(block).sum())
            odd["neginf"] += int(np.isneginf(block).sum())
    keys, counts = _added(found)
    meta = {**_moments(values, int(counts.sum())), **odd, "bins": len(keys)}
    return EncodedValue(keys.astype("<i4").tobytes() + counts.astype("<i8").tobytes(), meta)


def decode(meta: Mapping[str, Any], data: bytes) -> HistogramData:
    """Return edges and counts; empty bins between filled ones are joined to one."""
    try:
        edges, counts, keys = _decode_bins(meta, data)
        return HistogramData(
            edges=edges,
            counts=counts,
            keys=keys,
            count=int(meta["count"]),
            min=float(meta["min"]),
            max=float(meta["max"]),
            mean=float(meta["mean"]),
            std=float(meta["std"]),
            nan_count=int(meta.get("nan", 0)),
            posinf_count=int(meta.get("posinf", 0)),
            neginf_count=int(meta.get("neginf", 0)),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise StoreDamaged(f"a histogram of {len(data)} bytes does not fit {meta!r}") from error


def _keys(finite: NDArray[np.float64]) -> NDArray[np.int64]:
    magnitude = np.abs(finite)
    with np.errstate(divide="ignore"):
        octave = np.log2(magnitude, out=magnitude)
    octave *= BINS_PER_OCTAVE
    index = np.floor(octave, out=octave)
    index += KEY_OFFSET
    index[index < _SMALLEST_KEY] = 0
    # The logarithm of the largest floats is rounded up to 1024.
    np.minimum(index, _LARGEST_KEY, out=index)
    return np.copysign(index, finite).astype(np.int64)


def _counted(keys: NDArray[np.int64]) -> list[_Counted]:
    """Count keys of each sign by themselves: each lie close together, so that a table of them is short."""
    found: list[_Counted] = []
    for side in (keys[keys < 0], keys[keys == 0], keys[keys > 0]):
        if len(side):
            low = side.min()
            counts = np.bincount(side - low)
            filled = np.flatnonzero(counts)
            found.append((filled + low, counts[filled]))
    return found


def _added(found: list[_Counted]) -> _Counted:
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    keys, place = np.unique(np.concatenate([keys for keys, _ in found]), return_inverse=True)
    counts = np.zeros(len(keys), np.int64)
    np.add.at(counts, place, np.concatenate([counts for _, counts in found]))
    return keys, counts


def _blocks(values: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """Yield the numbers a block at a time: the writer lives in the memory of a training."""
    for start in range(0, len(values), _BLOCK):
        # float16 and integers would overflow in the sums; bfloat16 never gets here (values.py).
        yield values[start : start + _BLOCK].astype(np.float64, copy=False)


def _finite_blocks(values: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    return (_finite(block) for block in _blocks(values))


def _finite(block: NDArray[np.float64]) -> NDArray[np.float64]:
    are_finite = np.isfinite(block)
    return block if are_finite.all() else block[are_finite]


def _moments(values: NDArray[Any], count: int) -> dict[str, float | int]:
    if count == 0:
        return {"count": 0, "min": 0.0, "max": 0.0, "mean": 0.0, "std": 0.0}
    ends = [(block.min(), block.max()) for block in _finite_blocks(values) if len(block)]
    low, high = float(min(low for low, _ in ends)), float(max(high for _, high in ends))
    unit = _unit(low, high)
    # In two passes, as numpy's own std: the mean first, then what lies around it.
    mean = math.fsum(float(_over(block, unit).sum()) for block in _finite_blocks(values)) / count
    spread = math.fsum(_squares(_over(block, unit) - mean) for block in _finite_blocks(values))
    return {
        "count": count,
        "min": low,
        "max": high,
        "mean": mean * unit,
        "std": math.sqrt(spread / count) * unit,
    }


def _over(block: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    return block if unit == 1.0 else block / unit


def _squares(block: NDArray[np.float64]) -> float:
    return float(np.square(block, out=block).sum())


def _encode_keyed(raw: RawValue) -> EncodedValue:
    keys, counts = raw.array()
    meta = {name: raw.meta[name] for name in _KEYED_FACTS} | {"bins": len(keys)}
    return EncodedValue(keys.astype("<i4").tobytes() + counts.astype("<i8").tobytes(), meta)


def _encode_binned(values: NDArray[Any], known: Mapping[str, Any]) -> EncodedValue:
    bins = (len(values) - 1) // 2
    edges, counts = values[: bins + 1], values[bins + 1 :]
    total = counts.sum()
    if total <= 0:
        raise BadInput(f"histogram: counts must add up to more than 0, but they add up to {total}")
    # As for raw values: the squares of huge numbers would overflow.
    unit = max(1.0, float(np.abs(edges).max()) / 1e100)
    centers = edges[:-1] / unit / 2 + edges[1:] / unit / 2
    mean = float((centers * counts).sum() / total)
    spread = float((((centers - mean) ** 2) * counts).sum() / total) ** 0.5
    meta = {
        "binned": True,
        "count": int(total),
        "min": float(edges[0]),
        "max": float(edges[-1]),
        "mean": mean * unit,
        "std": spread * unit,
    }
    # Who made the bins may have seen the numbers themselves.
    meta.update({key: known[key] for key in _MOMENTS if key in known})
    return EncodedValue(values.astype("<f8").tobytes(), meta)


def _merged(parts: Sequence[HistogramData]) -> HistogramData:
    # One without numbers, whose extremes mean nothing, has its counts of NaN and infinity still.
    filled = [part for part in parts if part.count]
    edges, counts, keys = _merged_bins(filled or parts[:1])
    mean, std = _merged_moments(filled)
    return HistogramData(
        edges=edges,
        counts=counts,
        count=sum(part.count for part in filled),
        min=min((part.min for part in filled), default=0.0),
        max=max((part.max for part in filled), default=0.0),
        mean=mean,
        std=std,
        nan_count=sum(part.nan_count for part in parts),
        posinf_count=sum(part.posinf_count for part in parts),
        neginf_count=sum(part.neginf_count for part in parts),
        keys=keys,
    )


def _merged_bins(parts: Sequence[HistogramData]) -> _Bins:
    grids = [(part.keys, part.counts[part.counts > 0]) for part in parts if part.keys is not None]
    if len(grids) == len(parts):
        keys, place = np.unique(np.concatenate([keys for keys, _ in grids]), return_inverse=True)
        counts = np.zeros(len(keys))
        np.add.at(counts, place, np.concatenate([counts for _, counts in grids]))
        low, high = min(part.min for part in parts), max(part.max for part in parts)
        return *_edges_of(keys, counts, low, high), keys
    first = parts[0]
    if grids or any(not np.array_equal(part.edges, first.edges) for part in parts):
        raise BadInput(
            f"ready-made bins merge when all have the same edges, but of these {len(parts)} histograms some "
            f"differ from the first: {len(first.counts)} bins from {first.min:g} to {first.max:g}. "
            f"Log arrays instead: their bins lie on one grid."
        )
    return first.edges, np.sum([part.counts for part in parts], axis=0), None


def _merged_moments(parts: Sequence[HistogramData]) -> tuple[float, float]:
    if not parts:
        return 0.0, 0.0
    unit = _unit(min(part.min for part in parts), max(part.max for part in parts))
    count = np.array([part.count for part in parts], np.float64)
    means = np.array([part.mean for part in parts]) / unit
    spreads = np.array([part.std for part in parts]) / unit
    mean = float((means * count).sum() / count.sum())
    variance = float(((spreads**2 + (means - mean) ** 2) * count).sum() / count.sum())
    return mean * unit, variance**0.5 * unit


def _unit(low: float, high: float) -> float:
    """Return what to divide numbers by, so that the squares of huge ones do not overflow."""
    return max(-low, high) if max(-low, high) > 1e100 else 1.0


def _decode_bins(meta: Mapping[str, Any], data: bytes) -> _Bins:
    if meta.get("binned"):
        values = np.frombuffer(data, "<f8")
        bins = (len(values) - 1) // 2
        return values[: bins + 1], values[bins + 1 :], None
    bins = int(meta["bins"])
    if len(data) != 12 * bins:
        raise ValueError(f"expected {12 * bins} bytes for {bins} bins")
    keys = np.frombuffer(data, "<i4", count=bins).astype(np.int64)
    counts = np.frombuffer(data, "<i8", offset=4 * bins).astype(np.float64)
    edges, counts = _edges_of(keys, counts, float(meta["min"]), float(meta["max"]))
    return edges, counts, keys


def _edges_of(
    keys: NDArray[np.int64], counts: NDArray[np.float64], low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(keys) == 0:
        return np.empty(0), np.empty(0)
    if low == high:
        half = max(abs(low) / BINS_PER_OCTAVE / 2, 1e-12)
        ends = (max(low - half, -_LARGEST), min(low + half, _LARGEST))
        return np.array(ends), counts.sum(keepdims=True)
    if not keys.any():
        return np.array([low, high]), counts
    magnitude = np.abs(keys) - KEY_OFFSET
    near, far = _grid(magnitude), _grid(magnitude + 1)
    # The bin of zeros reaches to the smallest magnitude that the histogram holds.
    tiny = float(near[keys != 0].min())
    left = np.where(keys > 0, near, np.where(keys < 0, -far, -tiny))
    right = np.where(keys > 0, far, np.where(keys < 0, -near, tiny))
    edges = np.unique(np.concatenate([left, right]))
    filled = np.zeros(len(edges) - 1)
    filled[np.searchsorted(edges, left)] = counts
    # The outer bins end at the true extremes, unless an extreme is the bin's inner edge itself.
    edges[0] = low if low < edges[1] else edges[0]
    edges[-1] = high if high > edges[-2] else edges[-1]
    return edges, filled


def _grid(index: NDArray[np.int64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return np.minimum(np.exp2(index / BINS_PER_OCTAVE), _LARGEST)


KIND = Kind("histogram", Shape.ARRAY, "application/octet-stream", encode, decode)
