"""Hooks that look at what every layer returns, and at the gradients that come out of it, at every step.

They only sum: a sum is finite when all of its terms are, or it overflowed. On the host a sum is judged at
once; a device's is kept, to be read later. In compiled code the sum is written into a tensor of the hook's
own, as part of the graph; gradients are not seen there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ..hooks.watchdog import Statistics
from .later import is_on_host
from .paths import wanted_modules
from .replay import statistics_of

_MOST_SEEN = 20_000
"""Sums that are kept between two optimizer steps; a loop that never steps must not gather more."""


@dataclass(slots=True)
class Seen:
    """The sum of what passed a layer."""

    place: str
    """ "forward" or "backward"."""
    layer: str
    sum: torch.Tensor
    """Shape (), float32, on the layer's device."""
    statistics: Statistics | None = None
    """Of what passed; on the host alone."""


class Probes:
    """A hook on each of the innermost layers."""

    def __init__(self, model: nn.Module) -> None:
        """Hook the layers."""
        self._seen: list[Seen] = []
        self._probes = [_Probe(path, module, self._add) for path, module in wanted_modules(model, bool)]

    def take(self) -> list[Seen]:
        """Return what was seen since the last call, in its order; of the host's, what is bad."""
        seen, self._seen[:] = list(self._seen), []
        compiled = [found for probe in self._probes if (found := probe.take()) is not None]
        return compiled + seen

    def close(self) -> None:
        """Remove the hooks."""
        for probe in self._probes:
            probe.handle.remove()

    def _add(self, place: str, layer: str, tensor: torch.Tensor) -> None:
        total = tensor.sum(dtype=torch.float32)
        if len(self._seen) >= _MOST_SEEN:
            return
        if not is_on_host(total):
            self._seen.append(Seen(place, layer, total))
        elif not isfinite(total.item()) and (statistics := statistics_of(tensor)).bad:
            self._seen.append(Seen(place, layer, total, statistics))


class _Probe:
    """A forward hook of one layer. In compiled code it only writes: see ForwardWatch."""

    def __init__(self, path: str, module: nn.Module, add: Callable[[str, str, torch.Tensor], None]) -> None:
        self._path, self._add = path, add
        parameter = next(module.parameters(), None)
        self.sum = torch.zeros((), device=torch.device("cpu") if parameter is None else parameter.device)
        self.written = False
        self.handle = module.register_forward_hook(self)

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        if not module.training:
            return
        tensor = _first_float(output)
        if tensor is None:
            return
        if torch.compiler.is_compiling():
            if tensor.device == self.sum.device:
                self.sum.copy_(tensor.detach().sum(dtype=torch.float32))
                self.written = True
            return
        self._add("forward", self._path, tensor.detach())
        for given in args:
            if isinstance(given, torch.Tensor) and given.grad_fn is not None:
                cast("Any", given).register_hook(self._backward)

    def _backward(self, gradient: torch.Tensor) -> None:
        self._add("backward", self._path, gradient)

    def take(self) -> Seen | None:
        """Return what compiled code wrote since the last call."""
        written, self.written = self.written, False
        return Seen("forward", self._path, self.sum) if written else None

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


def _first_float(output: Any) -> torch.Tensor | None:
    if isinstance(output, torch.Tensor):
        return output if output.is_floating_point() else None
    leaves: list[Any] = cast("Any", pytree).tree_leaves(output)
    return next((x for x in leaves if isinstance(x, torch.Tensor) and x.is_floating_point()), None)
