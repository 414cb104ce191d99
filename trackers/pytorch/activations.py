"""The part that records what layers return, in eager and in compiled code.

Eager, a hook copies what a layer returns at the steps that are due. Compiled, the hook becomes part of the
graph, where a look now and then would break it or compile it anew; there it writes a sample into a buffer at
every call, which costs microseconds, and the buffer is read at the steps that are due.
"""

from __future__ import annotations

import contextlib
from typing import Any, cast

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ..media import Histogram
from .part import Part, Step, Watched
from .paths import wanted_modules

_MOST_VALUES = 1 << 16
"""Values of a layer that are kept in eager code, evenly spread over what it returned."""
_SAMPLE = 1 << 12
"""The same in compiled code, of which less may be returned: then values repeat, evenly."""


class Activations(Part):
    """Records `activations/<path>` of the innermost layers, from the last forward in train mode of a step."""

    doing = "reading activations"

    def __init__(self, watched: Watched, every: int) -> None:
        """Hook the layers; `every` is not 0."""
        self._watched, self._every = watched, every
        self._probes = {
            f"activations/{path}": _Probe(module, watched.model)
            for path, module in wanted_modules(watched.model, watched.wanted)
        }
        self._look(1)

    def with_gradients(self, step: Step) -> None:
        """Record what is due, and have the hooks look at the next step if it is due then."""
        if step.due(self._every):
            found = {name: probe.take() for name, probe in self._probes.items()}
            seen = {name: Histogram(values) for name, values in found.items() if values is not None}
            step.log(seen)
            if not seen:
                self._say_unseen()
        self._look(step.number + 1)

    def close(self) -> None:
        """Remove the hooks."""
        for probe in self._probes.values():
            probe.handle.remove()

    def _look(self, number: int) -> None:
        wanted = self._watched.is_due(number, self._every)
        for probe in self._probes.values():
            probe.wanted = wanted

    def _say_unseen(self) -> None:
        self._watched.run.guard.say(
            "torch-activations-unseen",
            "TorchTracker sees no activations: the model was compiled and called before the tracker was "
            "made, or moved to another device since, or no layer that layers= names is called to train. "
            "Make the tracker after model.to(device) and before the first call.",
        )


class _Probe:
    """A forward hook of one layer. In compiled code it only writes: see ForwardWatch."""

    def __init__(self, module: nn.Module, model: nn.Module) -> None:
        self.wanted = False
        self.values: torch.Tensor | None = None
        self.written = False
        nearest = next(module.parameters(), None)
        parameter = next(model.parameters(), None) if nearest is None else nearest
        device = torch.device("cpu") if parameter is None else parameter.device
        self.sample = torch.zeros(_SAMPLE, device=device)
        self.places = torch.arange(_SAMPLE, device=device)
        self.handle = module.register_forward_hook(self)

    def __call__(self, module: nn.Module, _args: Any, output: Any) -> None:
        if not module.training:
            return
        if torch.compiler.is_compiling():
            tensor = _first_tensor(output)
            if tensor is not None and tensor.device == self.sample.device:
                flat = tensor.detach().reshape(-1)
                self.sample.copy_(flat[self.places * flat.shape[0] // _SAMPLE])
                self.written = True
        elif self.wanted:
            tensor = _first_tensor(output)
            if tensor is not None:
                flat = tensor.detach().reshape(-1)
                self.values = flat[:: max(1, -(-flat.shape[0] // _MOST_VALUES))].clone()

    def take(self) -> torch.Tensor | None:
        """Return the values of the last call since this was asked, None if there was none."""
        written, self.written = self.written, False
        values, self.values = self.values, None
        return self.sample if written else values

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


def _first_tensor(output: Any) -> torch.Tensor | None:
    if isinstance(output, torch.Tensor):
        return output
    leaves: list[Any] = cast("Any", pytree).tree_leaves(output)
    return next((leaf for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.numel()), None)
