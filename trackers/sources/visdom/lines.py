"""Curves in Visdom's plots: which plots are curves over steps, and what of a curve is new.

Visdom keeps no steps and no times: a curve has an x and a y. Whole numbers are taken for steps. Dates are
taken for times, and any other x that only rises becomes a series of its own; the points are then numbered.
What is none of these, such as the arrows of a quiver plot, is no curve over steps, and stays a figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .json_files import as_dict, as_list

Json: TypeAlias = Mapping[str, Any]
Floats: TypeAlias = NDArray[np.float64]
Steps: TypeAlias = NDArray[np.int64]

_LINES = frozenset({"scatter", "scattergl"})
_EXACT = 2.0**53
"""From here on a float is no whole number for sure."""
_STEPS = range(-(2**63), 2**63)
"""What a store can hold."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The points of a trace; all arrays have the shape (n,)."""

    steps: Steps
    values: Floats
    """NaN for a gap."""
    times: Floats | None = None
    """Seconds since the epoch, where x were dates."""
    x: Floats | None = None
    """Where the steps are mere numbers of points."""


def is_line_plot(pane: Json) -> bool:
    """Whether a window is a plot of curves alone, and no figure that somebody drew with plotly."""
    traces = traces_of(pane)
    # plotly's own figures bring a template, which Visdom's client knows nothing of.
    drawn = "template" in as_dict(as_dict(pane.get("content")).get("layout"))
    if pane.get("type") != "plot" or drawn or not traces:
        return False
    return all(_is_line(trace) for trace in traces)


def traces_of(pane: Json) -> list[Json]:
    """Return the traces of a plot."""
    return [as_dict(one) for one in as_list(as_dict(pane.get("content")).get("data"))]


def curve_of(trace: Json) -> Curve | None:
    """Return the points of a trace; None when they are no curve over steps."""
    if not isinstance(trace.get("x"), list) or not isinstance(trace.get("y"), list):
        return None
    x, y = as_list(trace["x"]), as_list(trace["y"])
    if len(x) != len(y):
        return None
    # Visdom writes a point that is masked, or that parts two lines, as null in both.
    pairs = [(a, b) for a, b in zip(x, y, strict=True) if a is not None or b is not None]
    values = _floats([b for _, b in pairs], gaps=True)
    if values is None:
        return None
    places: list[Any] = [a for a, _ in pairs]
    numbers = _floats(places)
    if numbers is None:
        times = _dates(places)
        return None if times is None else Curve(np.arange(len(values)), values, times=times)
    steps = _whole(places, numbers)
    # A curve whose run began again goes back; a stem or an arrow stays, or is parted from the next.
    if steps is not None and (_rises(steps) or (len(pairs) == len(x) and (np.diff(steps) != 0).all())):
        return Curve(steps, values)
    return Curve(np.arange(len(numbers)), values, x=numbers) if _rises(numbers) else None


def _whole(places: Sequence[Any], numbers: Floats) -> Steps | None:
    """Return numbers as steps, exactly; None when one of them is no whole number for sure."""
    if all(isinstance(one, int) and one in _STEPS for one in places):
        return np.array(places, np.int64)
    whole = np.isfinite(numbers).all() and (np.abs(numbers) < _EXACT).all()
    return numbers.astype(np.int64) if whole and (numbers == np.round(numbers)).all() else None


def _rises(x: Steps | Floats) -> bool:
    return bool((x[1:] > x[:-1]).all())


def _is_line(trace: Json) -> bool:
    # Without a mode, plotly draws lines.
    return trace.get("type", "scatter") in _LINES and "lines" in str(trace.get("mode", "lines"))


def _floats(values: Sequence[Any], *, gaps: bool = False) -> Floats | None:
    """Return numbers; None when something else is among them."""
    numbers = [math.nan if gaps and one is None else one for one in values]
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
        return None
    try:
        return np.array(numbers, np.float64)
    except OverflowError:
        return None


def _dates(values: Sequence[Any]) -> Floats | None:
    """Return dates that only rise, as seconds since the epoch; None when they are none."""
    try:
        times = [_seconds(one) for one in values]
    except (TypeError, ValueError, OverflowError):
        return None
    return np.array(times, np.float64) if all(a <= b for a, b in pairwise(times)) else None


def _seconds(text: str) -> float:
    date = datetime.fromisoformat(text)
    # plotly draws dates without a zone as they are: in UTC.
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
