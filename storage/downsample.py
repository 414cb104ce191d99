"""Fewer numbers for the same picture: buckets, smoothing, percentiles. Pure numpy, no I/O."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .chunks import Columns
from .errors import BadInput
from .model import Points
from .pyramid import Entries, combine, summarise

BASIS_POINTS = (0, 668, 1587, 3085, 5000, 6915, 8413, 9332, 10000)
"""Where TensorBoard cuts a distribution: the normal CDF at -inf, -1.5, -1, -0.5, 0 ... sd, times 10,000."""

_HUGE = 1e300
_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


def bucket(step: ArrayLike, time: ArrayLike, value: ArrayLike, max_points: int) -> Points:
    """Gather points into at most `max_points` buckets of (nearly) equally many neighbours.

    Nothing is lost that a chart shows: the first and the last step are edges of buckets, and the
    smallest and largest value are the min and max of some bucket.

    Args:
        step: int64 (n,), sorted.
        time: float64 (n,), seconds since the epoch, UTC.
        value: float64 (n,); NaN and infinities are counted, and left out of min, max and mean.
        max_points: the most entries to return, at least 1.

    Returns:
        Points of length min(n, max_points).

    Raises:
        BadInput: max_points is below 1, or the arrays differ in shape.
    """
    steps = np.asarray(step, dtype=np.int64)
    times = np.asarray(time, dtype=np.float64)
    values = np.asarray(value, dtype=np.float64)
    _check(steps, times, values, max_points)
    columns = Columns(steps, times, values)
    if len(steps) <= max_points:
        return as_they_are(columns)
    return _points(summarise(columns, _starts(len(steps), max_points)))


def as_they_are(columns: Columns) -> Points:
    """Return each point as an entry of its own; no array is copied that need not be. Sorted by step."""
    values = columns.value
    finite = np.isfinite(values)
    whole = bool(finite.all())
    known = values if whole else np.where(finite, values, np.nan)
    return Points(
        step=columns.step,
        first_step=columns.step,
        time=columns.time,
        min=known,
        max=known,
        mean=known,
        last=values,
        count=np.ones(len(values), np.int64),
        total=len(values),
        nan_count=0 if whole else int(np.isnan(values).sum()),
        posinf_count=0 if whole else int(np.isposinf(values).sum()),
        neginf_count=0 if whole else int(np.isneginf(values).sum()),
    )


def bucket_entries(entries: Entries, max_points: int) -> Points:
    """Gather entries of the pyramid into at most `max_points` buckets of (nearly) equally many points.

    A bucket ends where an entry ends. Buckets of entries that overlap in steps may overlap, too.

    Args:
        entries: (n,), in any order, but those of one last step in the order of logging; not empty.
        max_points: the most buckets to return, at least 1.

    Returns:
        Points, sorted by step.
    """
    if bool((entries["max_step"][1:] < entries["max_step"][:-1]).any()):
        entries = entries[np.argsort(entries["max_step"], kind="stable")]
    counts = entries["count"].astype(np.int64)
    total = int(counts.sum())
    number = (np.cumsum(counts) - counts) * max_points // total
    starts = np.flatnonzero(np.append(True, number[1:] != number[:-1]))
    return _points(combine(entries, starts))


def smooth(values: ArrayLike, weight: float) -> _Floats:
    """Smooth as TensorBoard's slider does: a debiased exponential moving average over the index.

    A value that is not finite stays as it is and does not move the average; a constant series is
    returned as it is. Weight 0 changes nothing; weight 1 gives zeros, as in TensorBoard.
    Source: `resmoothDataset` in tensorboard's vz_line_chart2/line-chart.ts.

    Args:
        values: float64 (n,).
        weight: how much of the average so far is kept, in [0, 1].

    Returns:
        float64 (n,).

    Raises:
        BadInput: the weight is outside [0, 1].
    """
    if not 0.0 <= weight <= 1.0:
        raise BadInput(f"smoothing must be a number from 0 to 1, but is {weight!r}. Use 0 for none.")
    raw = np.array(values, dtype=np.float64)
    if weight == 0.0 or not len(raw) or bool(np.all(raw == raw[0])):
        return raw
    finite = np.isfinite(raw)
    numbers = raw[finite].tolist()
    # A loop of its own for what cannot be done by numpy: a page of charts smooths a hundred lines.
    rest = 1.0 - weight
    averages = accumulate(numbers, lambda average, number: average * weight + rest * number, initial=0.0)
    found = np.array(list(averages)[1:], dtype=np.float64)
    if weight < 1.0:
        found /= 1.0 - weight ** np.arange(1, len(found) + 1)
    raw[finite] = found
    return raw


def basis_points(edges: ArrayLike, counts: ArrayLike) -> _Floats:
    """Return where a histogram reaches each of BASIS_POINTS, as TensorBoard's Distributions do.

    Inside a bucket the weight is taken as evenly spread. Source: `compress_histogram` in
    tensorboard/plugins/distribution/compressor.py.

    Args:
        edges: float64 (k+1,), ascending.
        counts: float64 (k,), not negative.

    Returns:
        float64 (9,), ascending; zeros when there is no bucket.

    Raises:
        BadInput: there is not one edge more than there are counts.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    weights = np.asarray(counts, dtype=np.float64)
    if not len(weights):
        return np.zeros(len(BASIS_POINTS))
    if len(bounds) != len(weights) + 1:
        raise BadInput(
            f"a histogram has one edge more than counts, but {len(bounds)} edges and "
            f"{len(weights)} counts came. Pass edges of shape (k+1,) and counts of shape (k,)."
        )
    asked = np.array(BASIS_POINTS, dtype=np.float64)
    reached = (weights * asked[-1] / (weights.sum() or 1.0)).cumsum()
    unit = unit_of(float(bounds[0]), float(bounds[-1]))
    bounds = bounds / unit
    index = np.searchsorted(reached, asked, side="right")
    inside = index < len(reached)
    at = index[inside]
    before = np.where(at > 0, reached[at - 1], 0.0)
    # Empty buckets in front are not skipped: TensorBoard starts at the very first edge as well.
    left = np.where(before == 0.0, bounds[0], bounds[at])
    found = np.full(len(asked), bounds[-1])
    found[inside] = left + (asked[inside] - before) * (bounds[at + 1] - left) / (reached[at] - before)
    return np.minimum(found, bounds[-1]) * unit


def rebin(edges: ArrayLike, counts: ArrayLike, bins: int) -> tuple[_Floats, _Floats]:
    """Spread a histogram over bins of equal width, for a bar chart with a linear axis.

    Inside a bucket the weight is taken as evenly spread; the sum of the counts stays.

    Args:
        edges: float64 (k+1,), ascending.
        counts: float64 (k,), not negative.
        bins: how many bins to return.

    Returns:
        edges (bins+1,) and counts (bins,); both empty when there is no bucket.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    weights = np.asarray(counts, dtype=np.float64)
    if not len(weights):
        return np.empty(0), np.empty(0)
    even = even_edges(float(bounds[0]), float(bounds[-1]), bins)
    return even, spread_over(bounds, weights, even)


def even_edges(low: float, high: float, bins: int) -> _Floats:
    """Return bins + 1 edges of equal distance, also where high - low is more than a float64 holds."""
    unit = unit_of(low, high)
    return np.clip(np.linspace(low / unit, high / unit, bins + 1) * unit, low, high)


def spread_over(edges: _Floats, counts: _Floats, grid: _Floats) -> _Floats:
    """Put counts into the bins of another grid, taking the weight as evenly spread inside each bin.

    Args:
        edges: shape (k+1,), ascending.
        counts: shape (k,).
        grid: shape (m+1,), ascending.

    Returns:
        Shape (m,); adds up to what counts add up to, if the grid spans the edges.
    """
    unit = unit_of(*edges[[0, -1]].tolist(), *grid[[0, -1]].tolist())
    reached = np.concatenate([[0.0], counts.cumsum()])
    return np.diff(np.interp(grid / unit, edges / unit, reached))


def unit_of(*numbers: float) -> float:
    """Return 1, or what to divide numbers by so that differences of two of them can be multiplied.

    It is a power of two: dividing by it changes no digit.
    """
    return 2.0**30 if max(map(abs, numbers)) > _HUGE else 1.0


def _check(steps: _Ints, times: _Floats, values: _Floats, max_points: int) -> None:
    if max_points < 1:
        raise BadInput(f"max_points must be at least 1, but is {max_points}.")
    if steps.ndim != 1 or not steps.shape == times.shape == values.shape:
        raise BadInput(
            "step, time and value must be three arrays of one length, but their shapes are "
            f"{steps.shape}, {times.shape} and {values.shape}."
        )


def _starts(total: int, max_points: int) -> NDArray[np.intp]:
    """Return the index at which each bucket starts; every bucket holds at least one point."""
    buckets = min(total, max_points)
    return np.arange(buckets, dtype=np.intp) * total // max(buckets, 1)


def _points(buckets: Entries) -> Points:
    counts = buckets["count"].astype(np.int64)
    return Points(
        step=buckets["max_step"].copy(),
        first_step=buckets["min_step"].copy(),
        time=buckets["last_time"].copy(),
        min=buckets["min"].copy(),
        max=buckets["max"].copy(),
        mean=buckets["mean"].copy(),
        last=buckets["last"].copy(),
        count=counts,
        total=int(counts.sum()),
        nan_count=int(buckets["nan"].sum()),
        posinf_count=int(buckets["posinf"].sum()),
        neginf_count=int(buckets["neginf"].sum()),
        odd=_odd(buckets),
    )


def _odd(buckets: Entries) -> _Floats | None:
    """Return the NaN or infinity that each bucket holds, 0 for none; None when no bucket holds any."""
    kinds = (("nan", np.nan), ("posinf", np.inf), ("neginf", -np.inf))
    held = [buckets[name] > 0 for name, _ in kinds]
    if not any(bool(which.any()) for which in held):
        return None
    return np.select(held, [value for _, value in kinds], 0.0)
