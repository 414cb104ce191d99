"""Calling a model once more, aside, to find the layer that made its numbers bad.

It runs on a twin (see twin.py), with the weights and inputs of the step that went bad and before the
optimizer changes them: eager also where training is compiled, and with every layer looked at, in the
forward and then in the backward pass. It costs about two steps, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ..hooks.watchdog import Finding, Statistics
from .aside import random_kept
from .paths import local_part, module_path
from .twin import Arguments, make_twin, named_modules, own_arguments


def can_replay(model: nn.Module) -> bool:
    """Whether one process can call the model alone: it has all weights, and waits for no other."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return True
    sharded = any(hasattr(p, "to_local") or hasattr(p, "_is_flat_param") for p in model.parameters())
    return not sharded and not any(isinstance(m, nn.SyncBatchNorm) for m in model.modules())


def replay(model: nn.Module, called: Arguments, step: int) -> Finding | None:
    """Call the model as it was called at a step, and its backward; None when all of it is finite."""
    parameter = next(iter(model.parameters()), None)
    device = "cpu" if parameter is None else parameter.device.type
    # Training may have run under autocast, which has ended by now.
    for context in (nullcontext(), torch.autocast(device)):
        with context:
            finding = _Replay(model, step).run(called)
        if finding is not None:
            return finding
    return None


class _Replay:
    def __init__(self, model: nn.Module, step: int) -> None:
        self._step = step
        self._first: Finding | None = None
        self._minus: Finding | None = None  # minus infinity is how masks are written: the last to be blamed
        self._open: list[str] = []
        self._behind: dict[int, tuple[torch.Tensor, str]] = {}
        """What layers returned, and the layer around the outermost of them that returned it."""
        # Weights of the twin share memory with the model's; gradients of theirs go nowhere.
        leaves = {id(p): p.detach().requires_grad_(p.requires_grad) for p in model.parameters()}
        self._twin = make_twin(model, lambda t: leaves[id(t)] if id(t) in leaves else t.detach().clone())
        self._leaves = [leaf for leaf in leaves.values() if leaf.requires_grad]
        for path, module in named_modules(self._twin):
            _Eyes(self, module_path(path)).watch(module)

    def run(self, called: Arguments) -> Finding | None:
        args, kwargs = own_arguments(called)
        with random_kept(self._twin), torch.enable_grad():
            output = self._twin(*args, **kwargs)
            if self._first is None and (self._minus is None or _first_bad(output) is None):
                self._go_back(output)
        return self._first or self._minus

    def _go_back(self, output: Any) -> None:
        ends = [tensor for tensor in _floats(output) if tensor.requires_grad]
        if ends and self._leaves:
            ones = [torch.ones_like(end) for end in ends]
            torch.autograd.grad(ends, self._leaves, ones, allow_unused=True)

    def enter(self, path: str, given: Any) -> None:
        if (bad := _first_bad(given)) is not None:
            if self._open:
                self.note("forward", self._open[-1], bad, f"It gave them to {path}.")
            else:
                self.note("input", "", bad)
        self._open.append(path)

    def leave(self, path: str, output: Any, module: nn.Module) -> None:
        self._open.pop()
        for tensor in _floats(output):
            self._look_behind(tensor)
        if (bad := _first_bad(output)) is None:
            return
        weights = _first_bad(list(module.parameters(recurse=False)))
        if weights is not None:
            self.note("weights", path, weights, "They went bad after the forward pass of the step before.")
        else:
            self.note("forward", path, bad)

    def _look_behind(self, output: torch.Tensor) -> None:
        """Blame what a layer does by itself behind the layers in it, and not the layer that is given that."""
        if not output.requires_grad:
            return

        def look(gradient: torch.Tensor) -> None:
            if (bad := _first_bad(gradient)) is not None:
                self.note("backward", self._behind[id(output)][1], bad)

        if id(output) not in self._behind:
            cast("Any", output).register_hook(look)
        self._behind[id(output)] = output, self._open[-1] if self._open else ""

    def note(self, place: str, path: str, bad: torch.Tensor, *notes: str) -> None:
        if self._first is not None:
            return
        finding = Finding(self._step, place, path, statistics_of(bad), notes)
        if bool((torch.isnan(bad) | (bad == torch.inf)).any()):
            self._first = finding
        elif self._minus is None:
            self._minus = finding


class _Eyes:
    """Hooks of one layer of the twin."""

    def __init__(self, replay: _Replay, path: str) -> None:
        self._replay, self._path = replay, path

    def watch(self, module: nn.Module) -> None:
        module.register_forward_pre_hook(self._before, with_kwargs=True)
        module.register_forward_hook(self._after)
        for parameter in module.parameters(recurse=False):
            if parameter.requires_grad:
                cast("Any", parameter).register_hook(self._gradient)

    def _before(self, _module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
        self._replay.enter(self._path, (args, kwargs))
        return cast("Any", pytree).tree_map_only(torch.Tensor, self._own, (args, kwargs))

    def _own(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a view of an input whose gradient is that of this layer, not of all that take the input."""
        if not tensor.requires_grad:
            return tensor
        own = tensor.view_as(tensor)
        cast("Any", own).register_hook(self._gradient)
        return own

    def _after(self, module: nn.Module, _args: Any, output: Any) -> None:
        self._replay.leave(self._path, output, module)

    def _gradient(self, gradient: torch.Tensor) -> None:
        if (bad := _first_bad(gradient)) is not None:
            self._replay.note("backward", self._path, bad)


def is_bad(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds NaN or infinity; waits for its device."""
    return not bool(torch.isfinite(tensor).all())


def statistics_of(tensor: torch.Tensor) -> Statistics:
    """Count what a tensor holds where it lies; waits for its device."""
    tensor = tensor.detach()
    finite = tensor[torch.isfinite(tensor)].float()
    nan = int(torch.isnan(tensor).sum())
    size, ends = tensor.numel(), (finite.numel(),)
    bad = size - ends[0]
    if not finite.numel():
        return Statistics(size, nan, bad - nan)
    low, high = torch.aminmax(finite)
    return Statistics(size, nan, bad - nan, float(low), float(high), float(finite.mean()))


def _first_bad(value: Any) -> torch.Tensor | None:
    return next((tensor for tensor in _floats(value) if is_bad(tensor)), None)


def _floats(value: Any) -> Iterator[torch.Tensor]:
    leaves: list[Any] = cast("Any", pytree).tree_leaves(value)
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
            yield local_part(leaf)
