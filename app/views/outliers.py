"""Which part of the vertical axis is shown, so that a few huge values do not flatten all others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (5.0, 95.0)
"""What TensorBoard keeps of the values when it ignores outliers."""
FEWEST = 20
"""Of fewer values none is called an outlier."""
SHRINKS = 4.0
"""How much shorter the axis must become without the largest values for them to be left out unasked."""
ROOM = 0.08
"""Empty share of the axis above and below what is shown."""

_TIMING = re.compile(r"(?:^|[_/ ])(?:time|seconds|duration|latency|ms)(?:$|/)", re.IGNORECASE)

_Floats = NDArray[np.float64]


class Outliers(StrEnum):
    """Which values the vertical axis leaves out."""

    AUTO = "auto"
    """The few longest of durations, if they flatten all others: the first step of a training compiles."""
    SHOWN = "shown"
    IGNORED = "ignored"
    """All but the 5th to 95th percentile of what is visible, as TensorBoard does it."""


def limits(
    metric: str, lows: Sequence[_Floats], highs: Sequence[_Floats], how: Outliers, *, log: bool = False
) -> tuple[float, float] | None:
    """Return the ends of the vertical axis in the units of the values; None to show everything.

    Args:
        metric: its name says whether it is a duration.
        lows: the smallest value of each entry that is visible, for each line.
        highs: the largest.
        how: which values are left out.
        log: whether the axis is logarithmic: the ends are then above zero.
    """
    # A logarithmic axis has room for a few huge values.
    if how is Outliers.SHOWN or (how is Outliers.AUTO and (log or not is_duration(metric))):
        return None
    low, high = np.concatenate([np.empty(0), *lows]), np.concatenate([np.empty(0), *highs])
    known = np.isfinite(low) & np.isfinite(high) & ((low > 0) if log else True)
    low, high = low[known], high[known]
    if len(high) < FEWEST:
        return None
    if how is Outliers.IGNORED:
        ends = float(np.percentile(low, PERCENTILES[0])), float(np.percentile(high, PERCENTILES[1]))
    else:
        allowed = sum(max(1, len(one) // 100) for one in highs if len(one))
        rest = np.sort(high)[: -min(allowed, len(high) - 1)]
        ends = float(low.min()), float(rest[-1])
        if float(high.max()) - ends[0] < SHRINKS * (ends[1] - ends[0]):
            return None
    return _with_room(*ends, log=log) if ends[0] < ends[1] else None


def is_duration(metric: str) -> bool:
    """Return whether a metric's name says that it is a time that something took."""
    return bool(_TIMING.search(metric))


def _with_room(low: float, high: float, *, log: bool) -> tuple[float, float]:
    if log:
        more = (high / low) ** ROOM
        return low / more, high * more
    room = ROOM * (high - low)
    return low - room, high + room
