"""The part that records gradients: their norm, and the distribution of each."""

from __future__ import annotations

import torch

from ..media import Histogram
from .norms import total_norm
from .part import Part, Step, Watched
from .paths import local_part


class Gradients(Part):
    """Records `gradient_norm` and `gradients/<path>`, of the gradients that the optimizer is given."""

    doing = "reading gradients"

    def __init__(self, watched: Watched, norm_every: int, histogram_every: int) -> None:
        """Record every so many steps, 0 for never."""
        self._watched = watched
        self.periods = (norm_every, histogram_every)
        self._norm_every, self._histogram_every = norm_every, histogram_every

    def with_gradients(self, step: Step) -> None:
        """Read the gradients when they are due."""
        with_norm, with_histograms = step.due(self._norm_every), step.due(self._histogram_every)
        if not (with_norm or with_histograms):
            return
        scale: torch.Tensor | None = getattr(step.optimizer, "grad_scale", None)
        found = [
            (named, _plain(gradient, scale))
            for named in self._watched.parameters.at(step.number)
            if (gradient := named.parameter.grad) is not None
        ]
        if with_norm and found:
            step.values["gradient_norm"] = total_norm([gradient for _, gradient in found])
        if with_histograms:
            # At once: an optimizer may change the gradients while it steps.
            step.log({named.gradients: Histogram(gradient) for named, gradient in found if named.wanted})


def _plain(gradient: torch.Tensor, scale: torch.Tensor | None) -> torch.Tensor:
    gradient = local_part(gradient)
    if gradient.layout is not torch.strided:
        gradient = gradient.coalesce().values()
    # An optimizer that unscales by itself (fused, under a GradScaler) is given scaled gradients.
    return gradient if scale is None else gradient / scale
