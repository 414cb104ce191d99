"""Watching the calls of a model: what it is called with, and when."""

from __future__ import annotations

import contextlib
from typing import Any, cast

import torch
from torch import nn

from ..hooks.pace import Pace
from .twin import Arguments


class ForwardWatch:
    """A forward pre-hook that notes what the model is called with, and when.

    Inside compiled code it only ever writes attributes: that adds neither a graph break nor a guard, while
    reading a counter there would compile the model anew at every step. It is an object and no function
    because a copied or pickled model takes its hooks along: the copy's does nothing and needs no Stepscope.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.reset()

    def reset(self) -> None:
        """Forget what was seen since the last step, and when that was."""
        self.called: Arguments | None = None
        self.evaluated = False
        self.samples = 0
        self.pace = Pace()

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note a call; of one in eval mode that there was one."""
        if not module.training:
            self.evaluated = True
            return
        self.called = (args, kwargs)
        if not torch.compiler.is_compiling():
            self.samples += batch_size(args, kwargs)
            self._begin()

    def _begin(self) -> None:
        if self.evaluated:
            self.evaluated = False
            self.pace.pause()
        self.pace.begin()

    def end_step(self) -> tuple[float | None, int, Arguments | None]:
        """Return the seconds of the step that ends now, its samples (0 if compiled) and its last call."""
        if self.evaluated:
            self.pace.pause()
        seconds = self.pace.end_step()
        samples, called = self.samples, self.called
        self.samples, self.called, self.evaluated = 0, None, False
        return seconds, samples, called

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave nothing of this in a copy."""
        return getattr, (contextlib.nullcontext(), "__exit__")


def batch_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Return the first dimension of the first tensor in what a model is called with, 0 if there is none."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        if isinstance(value, torch.Tensor) and value.dim():
            return value.shape[0]
        if isinstance(value, dict):
            value = tuple(cast("dict[str, Any]", value).values())
        if isinstance(value, (list, tuple)) and (found := batch_size(tuple(cast("Any", value)), {})):
            return found
    return 0
