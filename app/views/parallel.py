"""Runs as lines over parallel axes: one for each setting, and the metric that they led to as the last one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..analysis.trials import FEW, Column
from .words import brief

Parallel: TypeAlias = dict[str, Any]

MOST_AXES = 24
MOST_RUNS = 5000
_TICKS = 5
_LONGEST = 40


def figure(
    columns: Sequence[Column],
    metric: Column,
    run_ids: Sequence[str],
    names: Sequence[str],
    *,
    more_is_better: bool,
) -> Parallel:
    """Return what parallel.js draws.

    Args:
        columns: the settings, n values each.
        metric: what came of them; it is the last axis, and the lines are coloured by the rank on it.
        run_ids: shape (n,).
        names: the runs' names, shape (n,), shown literally.
        more_is_better: which end of the metric is the good one.
    """
    axes = [*columns[:MOST_AXES], metric]
    return {
        "axes": [_axis(column) for column in axes],
        "values": [column.places for column in axes],
        "ranks": ranks(metric.numbers, more_is_better=more_is_better),
        "ids": list(run_ids),
        "names": [brief(name, _LONGEST) for name in names],
    }


def ranks(values: NDArray[np.float64], *, more_is_better: bool) -> NDArray[np.float64]:
    """Return where each value stands, 0 (the worst) to 1 (the best), shape (n,); NaN where there is none."""
    known = np.isfinite(values)
    distinct, place = np.unique(values[known], return_inverse=True)
    share = place / max(len(distinct) - 1, 1) if len(distinct) > 1 else np.ones(len(place))
    found = np.full(len(values), math.nan)
    found[known] = share if more_is_better else 1 - share
    if len(distinct) == 1:
        found[known] = 1.0
    return found


def _axis(column: Column) -> dict[str, Any]:
    places = column.places[np.isfinite(column.places)]
    low, high = (float(places.min()), float(places.max())) if len(places) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    if column.words:
        low, high = low - 0.25, high + 0.25
    return {
        "name": column.name,
        "title": brief(column.name, _LONGEST),
        "low": low,
        "high": high,
        "log": column.log,
        "words": list(column.words),
        "ticks": ticks(column, low, high),
        "gaps": len(places) < len(column.numbers),
    }


def ticks(column: Column, low: float, high: float) -> list[tuple[float, str]]:
    """Return places on the axis of a column between two of its places, and what stands there."""
    if column.words:
        every = -(-len(column.words) // 12)
        return [(float(at), word) for at, word in enumerate(column.words) if at % every == 0]
    own = np.unique(column.numbers[np.isfinite(column.numbers)])
    if len(own) <= FEW:
        return [(float(np.log10(one) if column.log else one), f"{one:.6g}") for one in own]
    if column.log:
        every = max(1, math.ceil((high - low) / _TICKS))
        powers = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1, every)
        return [(float(power), f"{10.0**power:g}") for power in powers]
    step = _round_step((high - low) / _TICKS)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [(at * step, f"{at * step:.4g}") for at in range(first, last + 1)]


def _round_step(wanted: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not less."""
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= wanted * (1 - 1e-9))
