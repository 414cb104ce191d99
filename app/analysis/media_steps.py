"""One step for what many series show: where the steps of each lie on a scale, and which is nearest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..views.words import NOTHING, count

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class Scale(StrEnum):
    """What the slider counts: runs of different frameworks count their steps differently."""

    STEP = "step"
    EPOCH = "epoch"
    PROGRESS = "progress"
    """Per cent of the run's last step."""


@dataclass(frozen=True, slots=True)
class Frames:
    """What a series has to show, step by step. Values are not loaded."""

    steps: _Ints
    """Shape (n,), ascending, each once."""
    values: Sequence[Sequence[Mapping[str, Any]]]
    """Of each step, the facts of its values: digest, and what the kind says in its meta."""

    def __len__(self) -> int:
        """Return how many steps there are."""
        return len(self.steps)


@dataclass(frozen=True, slots=True)
class Clock:
    """What a run knows of its own time."""

    last_step: int
    """The largest step that it logged of anything."""
    epoch_steps: _Ints
    """Steps at which it said its epoch, ascending; of shape (0,) when it never did."""
    epochs: _Floats


NO_CLOCK = Clock(0, np.empty(0, np.int64), np.empty(0))
"""That of a run of which nothing is known, or needed."""


def positions(steps: _Ints, scale: Scale, clock: Clock) -> _Floats:
    """Return where steps of a run lie on the scale: shape (n,), ascending for steps and progress.

    Before its first word on it, a run is in the first epoch that it names. A run that names none lies
    at NaN on that scale.
    """
    if scale is Scale.STEP:
        return steps.astype(np.float64)
    if scale is Scale.PROGRESS:
        return np.round(steps / max(clock.last_step, 1) * 100, 1)
    if not len(clock.epochs):
        return np.full(len(steps), np.nan)
    at = np.searchsorted(clock.epoch_steps, steps, side="right") - 1
    return np.round(clock.epochs[np.maximum(at, 0)], 3)


def nearest(places: _Floats, wanted: float | None) -> int | None:
    """Return the index of the place that is nearest, the earlier one of two; the last for None.

    Places at NaN are not on the scale: the last one is shown then.

    Returns:
        None when there is no place.
    """
    if not len(places):
        return None
    if wanted is None or np.isnan(places).all():
        return len(places) - 1
    return int(np.nanargmin(np.abs(places - wanted)))


def places_of(all_positions: Sequence[_Floats]) -> list[float]:
    """Return the places of the slider: all positions of all series, ascending, each once."""
    known = np.concatenate([*all_positions, np.empty(0)])
    found: list[float] = np.unique(known[~np.isnan(known)]).tolist()
    return found


def label_of(place: float, scale: Scale) -> str:
    """Return a place in words: "step 1,200", "epoch 3", "24 %"."""
    if np.isnan(place):
        return NOTHING
    if scale is Scale.PROGRESS:
        return f"{place:g} %"
    return f"{scale} {count(int(place)) if place == int(place) else f'{place:g}'}"
