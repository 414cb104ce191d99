"""A twin of a PyTorch model: other module objects of the same structure, to be run without consequences.

A forward may do anything to its module: count, cache, append to lists. Run on a twin, that stays in the
twin, while the model keeps its state; with fake tensors (shapes without data) it costs neither memory nor
arithmetic, on any device.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ...storage.kinds.graph import TensorShape

Swap = Callable[[torch.Tensor], torch.Tensor]
Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""What a forward was called with: positional and keyword arguments."""
_CONTAINERS = (list, dict, set, OrderedDict)
_HOOKS = ("_forward_pre_hooks", "_forward_hooks")


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


def make_twin(model: nn.Module, swap: Swap) -> nn.Module:
    """Return a module of the same structure and attributes, with every tensor passed through `swap`."""
    return _twin(model, swap, {})


def make_fake(model: nn.Module, called: Arguments) -> tuple[Any, nn.Module, Arguments]:
    """Return a mode, and a twin of the model and its arguments as fake tensors of that mode."""
    from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: PLC0415  not loaded by `import torch`

    # Constants that are plain attributes of a module stay real; the mode takes them as they are.
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    faked: Arguments = cast("Any", pytree).tree_map_only(torch.Tensor, mode.from_tensor, called)
    return mode, make_twin(model, mode.from_tensor), faked


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


def _twin(module: nn.Module, swap: Swap, made: dict[int, nn.Module]) -> nn.Module:
    if id(module) in made:
        return made[id(module)]
    twin = made[id(module)] = type(module).__new__(type(module))
    attributes: dict[str, Any] = module.__dict__
    for key, value in attributes.items():
        # A forward may append to a list of its module: the twin has a list of its own.
        twin.__dict__[key] = copy.copy(value) if type(value) in _CONTAINERS else value
    for kind in ("_parameters", "_buffers"):
        tensors: dict[str, torch.Tensor | None] = attributes[kind]
        twin.__dict__[kind] = {key: None if t is None else swap(t) for key, t in tensors.items()}
    # What compiled the module in place calls the module itself, and a tracker is to see no twin's calls.
    twin.__dict__["_compiled_call_impl"] = None
    for kind in _HOOKS:
        hooks: OrderedDict[int, Any] = attributes[kind]
        twin.__dict__[kind] = OrderedDict((key, hook) for key, hook in hooks.items() if not _is_ours(hook))
    children: dict[str, nn.Module | None] = attributes["_modules"]
    twin.__dict__["_modules"] = {
        key: None if child is None else _twin(child, swap, made) for key, child in children.items()
    }
    return twin


def _is_ours(hook: Any) -> bool:
    return type(getattr(hook, "__self__", hook)).__module__.startswith(__package__ or "stepscope")
