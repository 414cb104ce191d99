"""The parts that read what lies there after a step: weights, learning rate, memory of devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..media import Histogram
from .part import Part, Step, Watched

_RATE_EVERY = 10  # reading a learning rate schedule takes 200 us, a variable 10


class Weights(Part):
    """Records `weights/<path>` of the trained variables."""

    doing = "reading weights"

    def __init__(self, watched: Watched, every: int, read: Callable[[Any], Any]) -> None:
        """Record what `read` tells of each variable, every so many steps, 0 for never."""
        self._watched, self._every, self._read = watched, every, read

    def after_step(self, step: Step) -> None:
        """Add the weights when they are due."""
        if step.due(self._every):
            for variable in self._watched.variables():
                path = self._watched.path_of(variable)
                if self._watched.wanted(path):
                    step.values[f"weights/{path}"] = Histogram(self._read(variable))


class LearningRate(Part):
    """Records `learning_rate`."""

    doing = "reading the learning rate"

    def __init__(self, watched: Watched, read: Callable[[Any], Any]) -> None:
        """Record what `read` tells of the optimizer's."""
        self._optimizer, self._read = watched.optimizer, read

    def after_step(self, step: Step) -> None:
        """Add it every 10 steps."""
        if step.due(_RATE_EVERY):
            rate = getattr(self._optimizer, "learning_rate", None)
            if rate is not None:
                step.values["learning_rate"] = self._read(rate)


class Memory(Part):
    """Records `memory/<device>/...` of each device."""

    doing = "reading the memory of devices"

    def __init__(self, read: Callable[[], Mapping[str, float]], every: int) -> None:
        """Record what `read` returns, every so many steps, 0 for never."""
        self._read, self._every = read, every

    def after_step(self, step: Step) -> None:
        """Add it when it is due."""
        if step.due(self._every):
            step.values.update(self._read())
