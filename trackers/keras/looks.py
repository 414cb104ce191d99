"""What a tracker of Keras or TensorFlow looks at, and the parts that do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..hooks.layers import Wanted, check_histograms, wanted_layers
from ..hooks.pace import check_every
from .activations import Activations, innermost_layers
from .backend import activation_probe, gradient_probe, memory_reader, reading, watchdog
from .gradients import Gradients
from .part import Part, Watched
from .state import LearningRate, Memory, Weights


@dataclass(frozen=True)
class Looks:
    """How often to look at what, in steps; 0 for never."""

    norm_every: int
    weights_every: int
    gradients_every: int
    activations_every: int
    memory_every: int
    wanted: Wanted
    """Whether histograms of a path are wanted."""
    watchdog: bool
    name: str | None
    """Of the tracker, if it has one."""

    @property
    def inside(self) -> bool:
        """Whether any look is at what happens inside of a step."""
        return bool(self.norm_every or self.gradients_every or self.activations_every or self.watchdog)

    @property
    def longest_every(self) -> int:
        """The longest period."""
        histograms = max(self.weights_every, self.gradients_every, self.activations_every)
        return max(self.norm_every, histograms, self.memory_every)

    def parts(self, watched: Watched) -> list[Part]:
        """Return the parts that look; a tap gets the probes that they need."""
        read = reading()
        parts: list[Part] = [LearningRate(watched, read.number)]
        tap = watched.tap
        if tap is not None and (self.norm_every or self.gradients_every):
            probe = gradient_probe(tap, [] if watched.model is None else watched.variables())
            parts.append(Gradients(watched, probe, self.norm_every, self.gradients_every))
        if tap is not None and self.activations_every:
            layers = innermost_layers(watched.model, self.wanted)
            if layers:
                parts.append(Activations(watched, activation_probe(tap, layers), self.activations_every))
        if tap is not None and self.watchdog:
            parts += watchdog(watched, tap, self.name)
        if self.weights_every:
            parts.append(Weights(watched, self.weights_every, read.tensor))
        memory = memory_reader() if self.memory_every else None
        if memory is not None:
            parts.append(Memory(memory, self.memory_every))
        return parts


def make_looks(
    *,
    histogram_every: int,
    gradient_norm_every: int,
    histograms: str | Sequence[str],
    layers: str | Sequence[str],
    memory_every: int,
    watchdog: bool,
    name: str | None,
    rank: int,
) -> Looks:
    """Return what the arguments of a tracker ask for, in the process of that rank.

    Raises:
        BadInput: an argument is wrong.
    """
    check_every(
        histogram_every=histogram_every, gradient_norm_every=gradient_norm_every, memory_every=memory_every
    )
    kinds = check_histograms(histograms)
    if rank:
        kinds = frozenset[str]()  # what rank 0 records of the model holds for all
    return Looks(
        norm_every=gradient_norm_every,
        weights_every=histogram_every * ("weights" in kinds),
        gradients_every=histogram_every * ("gradients" in kinds),
        activations_every=histogram_every * ("activations" in kinds),
        memory_every=memory_every,
        wanted=wanted_layers(layers),
        watchdog=watchdog,
        name=name,
    )
