"""What a chart of numbers is made of: its lines, and how the viewer wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...storage.model import Points
from .axes import Axis, view_of
from .outliers import Outliers

MOST_BANDS = 16
"""Of more lines, the bands of their buckets would hide each other: they are left out."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """How the viewer wants charts to be drawn."""

    axis: Axis = field(default_factory=Axis)
    smoothing: float = 0.6
    """TensorBoard's weight, 0 to 1."""
    log_y: bool = False
    outliers: Outliers = Outliers.SHOWN
    view: tuple[float, float] | None = None
    """Which part of the horizontal axis is seen; None for the whole."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line on a chart: a series, or what stands for several."""

    name: str
    """As the reader tells the line from the others: run, split, rank ..."""
    colour: str
    """`#RRGGBB`."""
    points: Points
    x: _Floats
    """Where each entry lies on the horizontal axis, shape (n,); NaN where that is not known."""
    split: str | None = None
    granularity: str | None = None
    ghost: bool = False
    """Whether a newer attempt of the run has replaced it."""
    banded: bool = False
    """Whether its band is what a group spreads over, which is always drawn."""


def seen_of(lines: Sequence[Line], look: Look) -> list[NDArray[np.bool_]]:
    """Return for each line which entries the viewer sees."""
    first, last = look.view or (None, None)
    return view_of([line.x for line in lines], first, last)
