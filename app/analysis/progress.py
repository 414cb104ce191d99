"""How far a run is: "epoch 3 of 10" where its config or its hooks tell, else its newest step. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...storage.model import Run, RunState
from ...storage.nested import flatten
from ..views.words import count, duration

EPOCHS = ("epochs", "num_epochs", "max_epochs", "n_epochs", "num_train_epochs", "total_epochs")
STEPS = ("max_steps", "total_steps", "num_steps", "train_steps", "num_train_steps", "iterations", "steps")
"""What people call the length of a training in their configs, also within a part of them."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    words: str
    share: float | None = None
    """From 0 to 1; None when nobody said how long the training is."""


def progress_of(run: Run, epoch: float | None, step: int | None) -> Progress:
    """Return how a run stands: what a running one has done of what, the state of one that ended.

    Args:
        run: the run.
        epoch: the last value of its metric "epoch".
        step: the last step of what it logged about its training.
    """
    if run.state is not RunState.RUNNING:
        return Progress(run.state.value)
    config = flatten(run.config)
    epochs, steps = _length(config, EPOCHS), _length(config, STEPS)
    if epochs and epoch is not None and epoch <= epochs:
        return Progress(f"epoch {epoch:.4g} of {epochs:g}", epoch / epochs)
    if steps and step is not None and 0 <= step <= steps:
        return Progress(f"step {count(step)} of {steps:,.0f}", step / steps)
    if step is not None:
        return Progress(f"step {count(step)}")
    return Progress(f"running {duration(run.duration)}")


def _length(config: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    for name in names:
        for key, value in config.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if key.rpartition(".")[2] == name and number and value > 0:
                return float(value)
    return None
