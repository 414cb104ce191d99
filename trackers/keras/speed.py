"""Samples of `fit`, and how many per second, from the number of samples that Keras averaged the loss over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..hooks.samples import Samples

_EXACT = 1 << 24
"""Keras counts in float32: up to here, it knows each number."""


class Speed:
    """Counts samples and seconds; Keras counts the samples anew in every epoch."""

    def __init__(self, read: Callable[[Any], Any], samples: Samples) -> None:
        """Begin without a model; `read` tells what a variable of the backend holds."""
        self._read, self._loss, self._sure = read, None, False
        self.samples = samples
        self._counted, self._seconds = 0, 0.0

    def count_of(self, model: Any) -> None:
        """Look at the metric that Keras keeps of the loss; a custom train step may have none."""
        means = [metric for metric in model.metrics if metric.name == "loss" and hasattr(metric, "count")]
        self._loss = means[0] if means else None
        # A train step of one's own may give the metric a batch as if that were one sample.
        self._sure = model.train_step.__module__.startswith("keras.")

    def restart(self) -> None:
        """Begin an epoch: Keras has forgotten what was not taken."""
        if self.samples.pending:
            self.samples.add(0)
        self._counted, self._seconds = 0, 0.0

    def add(self, seconds: float | None) -> None:
        """Add a step, or some, of so many seconds."""
        self._seconds += seconds or 0.0
        self.samples.pending = True

    def take(self) -> dict[str, float]:
        """Return samples_per_second since the last call, and all samples so far, if they can be known."""
        if self._loss is None:
            self.samples.add(0)
            return {}
        counted, seconds = read_count(self._loss.count, self._read), self._seconds
        samples, self._counted, self._seconds = counted - self._counted, counted, 0.0
        self.samples.add(samples if self._sure and counted < _EXACT else 0)
        speed = {"samples_per_second": samples / seconds} if samples > 0 and seconds else {}
        return speed | self.samples.now()


def read_count(variable: Any, read: Callable[[Any], Any]) -> int:
    """Return a Keras variable that counts; `read` tells what it holds."""
    return int(np.asarray(read(variable)))  # np.array would ask for a copy, which variables cannot promise
