"""The part that records weights: the distribution of each, and how far a step moves all of them."""

from __future__ import annotations

from typing import Any, cast

import torch

from ..media import Histogram
from .norms import quotient, total_norm
from .part import Part, Step, Watched
from .paths import Named, local_part

RATIO_NORMS = 10
"""Gradient norms between two update ratios: these take three times as long, and change more slowly."""
_MOST_COPIED = 1 << 24
"""Weights that are copied to see how far they move; of larger models every so many rows stand for all."""


class Weights(Part):
    """Records `weights/<path>` of the trained parameters after the step, and `update_ratio`.

    The ratio needs the weights before the step: a copy, held while the optimizer steps, of 16 million
    numbers at most.
    """

    doing = "reading weights"

    def __init__(self, watched: Watched, ratio_every: int, histogram_every: int) -> None:
        """Record every so many steps, 0 for never."""
        self._watched = watched
        self.periods = (ratio_every, histogram_every)
        self._ratio_every, self._histogram_every = ratio_every, histogram_every
        self._before: list[torch.Tensor] | None = None

    def before_step(self, step: Step) -> None:
        """Keep the weights when the ratio is due."""
        self._before = None
        if step.due(self._ratio_every):
            self._before = self._copied(step)

    def after_step(self, step: Step) -> None:
        """Add what is due."""
        before, self._before = self._before, None
        if before:
            after = self._copied(step)
            moved = [new - old for new, old in zip(after, before, strict=True)]
            step.values["update_ratio"] = quotient(total_norm(moved), total_norm(after))
        if step.due(self._histogram_every):
            for named in self._trained(step):
                if named.wanted:
                    step.values[named.weights] = Histogram(local_part(named.parameter.detach()))

    def _trained(self, step: Step) -> list[Named]:
        return [named for named in self._watched.parameters.at(step.number) if named.parameter.requires_grad]

    @torch.no_grad()
    def _copied(self, step: Step) -> list[torch.Tensor]:
        """Return one vector for each device and type: to copy them one by one takes three times as long."""
        weights = [local_part(named.parameter) for named in self._trained(step)]
        stride = -(-sum([tensor.numel() for tensor in weights]) // _MOST_COPIED)
        if stride > 1:
            weights = [tensor[::stride] if tensor.dim() else tensor for tensor in weights]
        alike: dict[Any, list[torch.Tensor]] = {}
        for tensor in weights:
            alike.setdefault((tensor.device, tensor.dtype), []).append(tensor)
        return [_as_vector(tensors) for tensors in alike.values()]


def _as_vector(tensors: list[torch.Tensor]) -> torch.Tensor:
    # Of one tensor alone, what flattens several returns the tensor itself, which the optimizer changes.
    if len(tensors) == 1:
        return tensors[0].reshape(-1).clone()
    flatten: Any = cast("Any", torch)._utils._flatten_dense_tensors
    return flatten(tensors)
