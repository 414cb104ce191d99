"""The part that records what layers give, and the probe that takes it from code that runs eagerly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import keras

from ..hooks.layers import Wanted
from ..media import Histogram
from .model import walk_layers
from .part import Part, Step, Watched
from .tap import Probe, Seen

_layers: Any = cast("Any", keras).layers
_LOOPS = (_layers.RNN, _layers.TimeDistributed)
"""They call the layer in them once for each point in time."""


class ActivationProbe(Probe):
    """Keeps the outputs of layers at the steps that ask for them."""

    def __init__(self, layers: dict[str, Any]) -> None:
        """Look at these layers."""
        self.layers = layers
        self._outputs: dict[str, Any] = {}

    def ask(self, wanted: bool) -> None:
        """Say whether the next steps are to leave outputs behind."""
        self.wanted = wanted

    def before_apply(self, seen: Seen) -> None:
        """Keep the outputs: eager tensors do not change."""
        if self.wanted:
            self._outputs = {path: seen.outputs[path] for path in self.layers if path in seen.outputs}

    def histograms(self) -> Iterator[tuple[str, Histogram]]:
        """Yield the path of each layer with what it gave at the last step that was asked."""
        for path, output in self._outputs.items():
            yield path, Histogram(output)


class Activations(Part):
    """Records `activations/<path>` of the innermost layers."""

    doing = "reading activations"

    def __init__(self, watched: Watched, probe: ActivationProbe, every: int) -> None:
        """Record every so many steps, 0 for never."""
        self._watched, self._probe, self._every = watched, probe, every

    def before_step(self, step: Step) -> None:
        """Ask, when it is due."""
        self._probe.ask(step.due(self._every))

    def after_step(self, step: Step) -> None:
        """Read what was asked for."""
        tap = self._watched.tap
        if self._probe.wanted and tap is not None and tap.seen:
            for path, histogram in self._probe.histograms():
                step.values[f"activations/{path}"] = histogram


def innermost_layers(model: Any, wanted: Wanted) -> dict[str, Any]:
    """Return path -> layer of those wanted that compute something, and hold no layer that can be seen.

    Of a recurrent layer the cell cannot be: it is called inside of a loop, whose tensors stay there.
    """
    found: dict[str, Any] = {}
    loops: list[str] = []
    for path, layer in walk_layers(model):
        if any(path.startswith(loop) for loop in loops) or type(layer).__name__ == "InputLayer":
            continue
        is_loop = isinstance(layer, _LOOPS)
        if is_loop:
            loops.append(f"{path}/")
        if path and wanted(path) and (is_loop or not getattr(layer, "_layers", ())):
            found[path] = layer
    return found
