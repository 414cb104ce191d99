"""The part that records weights: the distribution of each."""

from __future__ import annotations

from ..media import Histogram
from .part import Part, Step, Watched
from .paths import local_part


class Weights(Part):
    """Records `weights/<path>` of the trained parameters, after the step."""

    doing = "reading weights"

    def __init__(self, watched: Watched, histogram_every: int) -> None:
        """Record every so many steps, 0 for never."""
        self._watched, self._every = watched, histogram_every

    def after_step(self, step: Step) -> None:
        """Add the weights when they are due."""
        if step.due(self._every):
            for named in self._watched.parameters.at(step.number):
                if named.wanted and named.parameter.requires_grad:
                    step.values[named.weights] = Histogram(local_part(named.parameter.detach()))
