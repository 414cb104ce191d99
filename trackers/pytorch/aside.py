"""Copies of what a module and its arguments hold, and random numbers that go on as if nothing had been.

A forward that runs aside may append to a memory, count in an object, or keep what it saw in a dict: on
copies, all of that is lost with them, and the training never meets it.
"""

from __future__ import annotations

import copy
import io
import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    MethodType,
    ModuleType,
    NoneType,
    SimpleNamespace,
)
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from ...storage.errors import BadInput

_MOST_COPIED = 10_000
"""Containers and objects that are copied; an attribute may hold half of the program."""
_MOST_ITEMS = 10_000
"""Of a container; what longer ones hold is shared, though the container is a copy."""
_MOST_BYTES = 1 << 24
_NUMBERS = (int, float, complex, torch.dtype, torch.device)
_SHARED = (*_NUMBERS, str, bytes, NoneType, type, Enum, ModuleType, BuiltinFunctionType)
_CONTAINERS = (list, dict, set, OrderedDict, defaultdict, deque)
_RANDOM = (random.Random, np.random.Generator, np.random.RandomState)


class Copies:
    """Makes one copy of each thing, so that what was one stays one."""

    def __init__(self, tensor: Callable[[torch.Tensor], Any], module: Callable[[nn.Module], Any]) -> None:
        """Hand tensors and modules to these functions, whatever holds them."""
        self._tensor, self._module = tensor, module
        self._made: dict[int, tuple[Any, Any]] = {}
        self._left = _MOST_COPIED

    def of(self, value: Any) -> Any:
        """Return a copy of a value with all that it holds, as far as things can be copied.

        Raises:
            BadInput: an iterator is among it, of which the copy would take what is the training's.
        """
        if isinstance(value, _SHARED):
            return value
        if isinstance(value, nn.Module):
            return self._module(value)
        if id(value) not in self._made:
            # The value is kept too: another one must not get its id.
            self._made[id(value)] = value, value
            self._made[id(value)] = value, self._copy(value)
        return self._made[id(value)][1]

    def _copy(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, torch.Generator):
            return value.clone_state()
        if isinstance(value, _RANDOM):
            return copy.deepcopy(value)
        if isinstance(value, (MethodType, partial, FunctionType)):
            return self._bound_anew(cast("Any", value))
        if isinstance(value, tuple):
            items = tuple(self.of(item) for item in cast("tuple[Any, ...]", value))
            return getattr(cast("Any", value), "_make", tuple)(items)
        if isinstance(value, Iterator) and not isinstance(value, io.IOBase):
            raise BadInput(
                "the model takes from an iterator, so it is not called once more beside the training"
            )
        return self._copy_object(value)

    def _bound_anew(self, call: Any) -> Any:
        """Return something that calls the copies of the modules that `call` does."""
        if isinstance(call, MethodType):
            return MethodType(call.__func__, self.of(call.__self__))
        if isinstance(call, partial):
            return partial(self.of(call.func), *self.of(call.args), **self.of(call.keywords))
        cells = [cell.cell_contents for cell in call.__closure__ or () if _is_filled(cell)]
        if len(cells) < len(call.__closure__ or ()) or not any(_calls(held) for held in cells):
            return call
        closure = tuple(CellType(self.of(held) if _calls(held) else held) for held in cells)
        made = FunctionType(call.__code__, call.__globals__, call.__name__, call.__defaults__, closure)
        made.__kwdefaults__ = call.__kwdefaults__
        return made

    def _copy_object(self, value: Any) -> Any:
        kind: Any = cast("Any", type)(value)
        if self._left <= 0 or not _can_copy(value):
            return value
        self._left -= 1
        try:
            made = copy.copy(value)
        except Exception:  # a lock, a handle of a library: nothing that a copy of the model could change
            return value
        self._made[id(value)] = value, made
        if kind in _CONTAINERS:
            self._fill(made)
        elif not hasattr(kind, "__copy__"):
            own: dict[str, Any] = getattr(made, "__dict__", {})
            own.update({key: self.of(held) for key, held in own.items()})
        return made

    def _fill(self, container: Any) -> None:
        if len(container) > _MOST_ITEMS or type(container) is set:
            return
        keys: list[Any] = list(container) if hasattr(container, "keys") else list(range(len(container)))
        for key in keys:
            container[key] = self.of(container[key])


@contextmanager
def random_kept(model: nn.Module) -> Generator[None]:
    """Put back the random state of Python, numpy, torch and the model's GPUs, whatever runs inside."""
    devices = {p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"}
    python, of_numpy = random.getstate(), np.random.get_state(legacy=False)
    try:
        with cast("Any", torch.random).fork_rng(sorted(devices)):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(of_numpy)


def _is_filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _calls(held: Any) -> bool:
    return isinstance(held, (nn.Module, MethodType, partial, FunctionType))


def _can_copy(value: Any) -> bool:
    """Whether a copy is one that nobody notices: no lock, no connection that the copy's end would close."""
    kind: Any = cast("Any", type)(value)
    if hasattr(kind, "__del__") or getattr(value, "nbytes", 0) > _MOST_BYTES:
        return False
    if kind in (*_CONTAINERS, SimpleNamespace) or hasattr(kind, "__copy__"):
        return True
    # What says by itself how it is stored may open or count something when it is made anew.
    ways = ("__reduce_ex__", "__reduce__", "__getstate__")
    return all(getattr(kind, name, None) is getattr(object, name, None) for name in ways)
