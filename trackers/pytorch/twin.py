"""A twin of a PyTorch model: other module objects of the same structure, to be run without consequences.

A forward may do anything to its module: count, cache, append to lists. Run on a twin, that stays in the
twin, while the model keeps its state; with fake tensors (shapes without data) it costs neither memory nor
arithmetic, on any device. Hooks that users put on layers are left out of it: most write what they see into
something of the program's, where a second call, or a tensor without data, would be found.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ...storage.kinds.graph import TensorShape
from .aside import Copies

Swap = Callable[[torch.Tensor], torch.Tensor]
Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""What a forward was called with: positional and keyword arguments."""
_TENSORS = ("_parameters", "_buffers")
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def unwrap(model: nn.Module) -> nn.Module:
    """Return the user's own module under torch.compile, DataParallel, DistributedDataParallel and FSDP."""
    return layers_of_wrapping(model)[-1]


def layers_of_wrapping(model: nn.Module) -> list[nn.Module]:
    """Return a model and what it wraps, down to the user's own module."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    found = [model]
    while True:
        children: dict[str, nn.Module] = model.__dict__["_modules"]
        inside = "module" if isinstance(model, parallel) else "_orig_mod"
        inner = children.get(inside, children.get("_fsdp_wrapped_module"))
        if inner is None:
            return found
        found.append(inner)
        model = inner


def is_sharded(model: nn.Module) -> bool:
    """Whether FSDP leaves each process a part of the model's parameters."""
    wrapped = any("_fsdp_wrapped_module" in path for path, _ in named_modules(model))
    return wrapped or any(hasattr(parameter, "to_local") for parameter in model.parameters())


def make_twin(model: nn.Module, swap: Swap, *, hooks: bool = False) -> nn.Module:
    """Return a module of the same structure and attributes, with every tensor passed through `swap`.

    With `hooks`, those that users put on its layers are its own too: what it returns is what the model would.
    """
    return _Twins(model, swap, swap, hooks=hooks).of(model)


def make_fake(model: nn.Module, called: Arguments) -> tuple[Any, nn.Module, Arguments]:
    """Return a mode, and a twin of the model and its arguments as fake tensors of that mode."""
    from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: PLC0415  not loaded by `import torch`

    # Constants that are plain attributes of a module stay real; the mode takes them as they are.
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    twins = _Twins(model, mode.from_tensor, lambda constant: constant)
    return mode, twins.of(model), _own(called, mode.from_tensor, twins.of)


def own_arguments(called: Arguments) -> Arguments:
    """Return copies of what a forward was called with: it may change them in place."""
    return _own(called, lambda tensor: tensor.detach().clone(), lambda module: module)


def _own(called: Arguments, swap: Swap, module: Callable[[nn.Module], nn.Module]) -> Arguments:
    # Lists and dicts, and what libraries told torch to be such, are taken apart; the rest is copied.
    return cast("Any", pytree).tree_map(Copies(swap, module).of, called)


def named_modules(model: nn.Module) -> Iterable[tuple[str, nn.Module]]:
    """Yield (path, module) of a model's tree, itself first with the path ""."""
    return cast("Iterable[tuple[str, nn.Module]]", model.named_modules())


def shapes_of(value: Any) -> tuple[TensorShape, ...]:
    """Return the shape of each tensor in what a module returned; a symbolic size becomes None."""
    leaves: list[Any] = cast("Any", pytree).tree_leaves(value)
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    return tuple(
        tuple(n if isinstance(n, int) else None for n in cast("Any", tensor.shape)) for tensor in tensors
    )


class _Twins:
    """The twins of a model's modules, and of those that they hold without having registered them."""

    def __init__(self, model: nn.Module, swap: Swap, constants: Swap, *, hooks: bool = False) -> None:
        self._swap, self._hooks = swap, hooks
        self._copies = Copies(constants, self.of)
        self._made: dict[int, nn.Module] = {}
        modules = [module for _, module in named_modules(model)]
        for module in modules:  # all of them first: an attribute may hold any of them
            self._made[id(module)] = type(module).__new__(type(module))
        for module in modules:
            self._fill(module, swap)

    def of(self, module: nn.Module) -> nn.Module:
        if id(module) not in self._made:
            self._made[id(module)] = type(module).__new__(type(module))
            # Such as a teacher that is held in a list: its weights are not trained, and may be many.
            self._fill(module, lambda t: t.detach() if isinstance(t, nn.Parameter) else self._swap(t))
        return self._made[id(module)]

    def _fill(self, module: nn.Module, swap: Swap) -> None:
        attributes, own = module.__dict__, self._made[id(module)].__dict__
        apart = {"_modules", *_TENSORS, *_HOOKS}
        own.update(
            {key: value if key in apart else self._copies.of(value) for key, value in attributes.items()}
        )
        for kind in _TENSORS:
            tensors: dict[str, torch.Tensor | None] = attributes[kind]
            own[kind] = {key: None if t is None else swap(t) for key, t in tensors.items()}
        # What compiled the module in place calls the module itself, and a tracker is to see no twin's calls.
        own["_compiled_call_impl"] = None
        for kind in _HOOKS:
            hooks: OrderedDict[int, Any] = attributes[kind]
            own[kind] = OrderedDict((key, hook) for key, hook in hooks.items() if self._is_wanted(hook))
        children: dict[str, nn.Module | None] = attributes["_modules"]
        own["_modules"] = {key: None if child is None else self.of(child) for key, child in children.items()}

    def _is_wanted(self, hook: Any) -> bool:
        """Whether a hook is part of the model: torch's own (weight_norm, pruning) are, a tracker's never."""
        while isinstance(hook, partial):
            hook = cast("Any", hook).func
        by = str(getattr(getattr(hook, "__self__", hook), "__module__", ""))
        ours = by.startswith(__package__ or "stepscope")
        return not ours and (self._hooks or by.split(".")[0] == "torch")
