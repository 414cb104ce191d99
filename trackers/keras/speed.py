"""Samples per second of `fit`, from the number of samples that Keras averaged the loss over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Speed:
    """Counts samples and seconds; Keras counts the samples anew in every epoch."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        """Begin without a model; `read` tells what a variable of the backend holds."""
        self._read, self._loss = read, None
        self.restart()

    def count_of(self, model: Any) -> None:
        """Look at the metric that Keras keeps of the loss; a custom train step may have none."""
        means = [metric for metric in model.metrics if metric.name == "loss" and hasattr(metric, "count")]
        self._loss = means[0] if means else None

    def restart(self) -> None:
        """Begin an epoch."""
        self._counted, self._seconds = 0, 0.0

    def add(self, seconds: float | None) -> None:
        """Add a step, or some, of so many seconds."""
        self._seconds += seconds or 0.0

    def take(self) -> dict[str, float]:
        """Return samples_per_second since the last call, if it can be known."""
        if self._loss is None:
            return {}
        counted, seconds = read_count(self._loss.count, self._read), self._seconds
        samples, self._counted, self._seconds = counted - self._counted, counted, 0.0
        return {"samples_per_second": samples / seconds} if samples > 0 and seconds else {}


def read_count(variable: Any, read: Callable[[Any], Any]) -> int:
    """Return a Keras variable that counts; `read` tells what it holds."""
    return int(np.asarray(read(variable)))  # np.array would ask for a copy, which variables cannot promise
