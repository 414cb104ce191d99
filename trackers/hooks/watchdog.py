"""What the watchdogs of all frameworks share: what numbers gone bad are, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.errors import BadInput
from ..run import Run

MOST_ALERTS = 10
"""Alerts of one tracker; a training that goes bad again and again needs no more."""


def check_watchdog(watchdog: object) -> bool:
    """Return whether each layer is looked at, at every step. Raises BadInput for what is no choice."""
    if isinstance(watchdog, bool):
        return False
    if watchdog == "layers":
        return True
    raise BadInput(f'watchdog must be True, False or "layers", but got {watchdog!r}')


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a tensor holds."""

    size: int
    nan: int
    infinite: int
    minimum: float | None = None
    """Of the finite numbers, as the two below; None when there are none."""
    maximum: float | None = None
    mean: float | None = None

    @property
    def bad(self) -> bool:
        """Whether anything in it is NaN or infinite."""
        return bool(self.nan or self.infinite)

    def __str__(self) -> str:
        """Write it as a sentence without its end."""
        bad = [
            f"{amount} {word}" for amount, word in ((self.nan, "NaN"), (self.infinite, "infinite")) if amount
        ]
        counted = f"{' and '.join(bad) or 'none bad'} of {self.size} numbers"
        if self.mean is None:
            return f"{counted}, none finite"
        ends = f"{self.minimum:.4g} to {self.maximum:.4g}"
        return f"{counted}; the finite ones lie from {ends}, their mean is {self.mean:.4g}"


def statistics_of(array: NDArray[Any]) -> Statistics:
    """Return the statistics of an array of floats."""
    finite = array[np.isfinite(array)]
    nan = int(np.isnan(array).sum())
    bad = array.size - finite.size
    if not finite.size:
        return Statistics(array.size, nan, bad - nan)
    wide = finite.astype(np.float64)
    return Statistics(array.size, nan, bad - nan, float(wide.min()), float(wide.max()), float(wide.mean()))


@dataclass(frozen=True, slots=True)
class Finding:
    """Where numbers went bad first."""

    step: int
    place: str
    """ "forward", "backward", "weights", "input", "loss" or "gradients" (when the layer is not known)."""
    layer: str = ""
    """Path of the layer, parts joined by "/"; "" is the model itself."""
    statistics: Statistics | None = None
    """Of what the layer returned, of the gradients that it passed on, of its weights, of the input."""
    notes: tuple[str, ...] = ()
    """Sentences that follow."""

    @property
    def title(self) -> str:
        """Return what happened, in a line."""
        infinite = self.statistics is not None and not self.statistics.nan
        layer = self.layer or "the model"
        where = {
            "forward": f"the forward pass of {layer}",
            "backward": f"the backward pass of {layer}",
            "weights": f"the weights of {layer}",
            "input": "the input of the model",
            "loss": "the loss",
        }
        return f"{'infinity' if infinite else 'NaN'} in {where.get(self.place, 'the gradients')}"

    @property
    def text(self) -> str:
        """Return all that is known."""
        what = {
            "forward": "what it made",
            "backward": "the gradients that came out of it",
            "weights": "its weights",
            "input": "the input",
        }
        parts = [f"At step {self.step}."]
        if self.statistics is not None:
            subject = what.get(self.place, "the gradients")
            parts.append(f"{subject[0].upper()}{subject[1:]}: {self.statistics}.")
        return " ".join([*parts, *self.notes])


class Alarm:
    """Tells a run of numbers that went bad, once each time that they do."""

    def __init__(self, run: Run, name: str | None = None) -> None:
        """Alert `run`; `name` is the tracker's, if it has one."""
        self._run, self._name = run, name
        self._given = 0

    @property
    def silent(self) -> bool:
        """Whether there were so many alerts that no more are given."""
        return self._given >= MOST_ALERTS

    def give(self, finding: Finding) -> None:
        """Alert the run."""
        self._given += 1
        title = f"{finding.title} ({self._name})" if self._name else finding.title
        self._run.alert(title, finding.text, "error", step=finding.step)


def which_are_bad(bad: Mapping[str, bool], most: int = 3) -> str:
    """Return in a sentence which parameters have bad gradients, of path -> whether they are."""
    paths = [path for path, is_bad in bad.items() if is_bad]
    if len(paths) == len(bad):
        return "The gradients of all parameters are bad."
    named = ", ".join(paths[:most]) + (f" and {len(paths) - most} more" if len(paths) > most else "")
    return f"Of {len(bad)} parameters, the gradients of {len(paths)} are bad: {named}."
