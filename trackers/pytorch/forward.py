"""Watching the calls of a model: what it is called with, and when."""

from __future__ import annotations

import contextlib
from time import perf_counter
from typing import Any, cast

import torch
from torch import nn

from ..hooks.pace import Pace
from .clock import Clock, Span
from .twin import Arguments


class _LeftOutOfCopies:
    """A hook that is an object and no function: a copied or pickled model takes its hooks along.

    The copy's does nothing, and needs no Stepscope.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


class ForwardWatch(_LeftOutOfCopies):
    """A forward pre-hook that notes what the model is called with, and when; `end` is the hook after it.

    Inside compiled code they only ever write attributes: that adds neither a graph break nor a guard, while
    reading a counter there would compile the model anew at every step.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing seen."""
        self._clock = clock
        self.end = _ForwardEnd(self)
        self.spent = 0.0
        """Seconds that these hooks took, until somebody takes them."""
        self.reset()

    def reset(self) -> None:
        """Forget what was seen since the last step, and when that was."""
        self.pace = Pace()
        self._step_ended: Any = None
        self._begin_step()

    def _begin_step(self) -> None:
        self.called: Arguments | None = None
        self.evaluated = False
        self.samples = self.forwards = 0
        self.data: list[Span] = []
        self.forward: list[Span] = []
        self.backward: list[Span] = []
        self._begun: Any = None
        self._forward_ended: Any = None
        self._backward_ended: Any = None

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note a call; of one in eval mode that there was one."""
        if not module.training:
            self.evaluated = True
            return
        self.called = (args, kwargs)
        if not torch.compiler.is_compiling() and self._clock.runs():
            began = perf_counter()
            self._begin(args, kwargs)
            self.spent += perf_counter() - began

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.samples += batch_size(args, kwargs)
        self.forwards += 1
        if self.evaluated:
            self.evaluated = False
            self.pace.pause()
            self._step_ended = None
        self.pace.begin()
        self._begun = now = self._clock.mark()
        if self._backward_ended is not None:
            self.backward.append((self._forward_ended, self._backward_ended))
            self.data.append((self._backward_ended, now))
            self._backward_ended = None
        elif self._step_ended is not None:
            self.data.append((self._step_ended, now))
        self._step_ended = None

    def end_forward(self) -> None:
        """Note that a forward is through."""
        if self._begun is not None:
            self._forward_ended = self._clock.mark()
            self.forward.append((self._begun, self._forward_ended))
            self._begun = None

    def end_backward(self) -> None:
        """Note that the gradients of a batch are there, though the step may take more batches."""
        if self._forward_ended is not None:
            self._backward_ended = self._clock.mark()

    def end_gradients(self) -> None:
        """Note that the gradients of the step are there."""
        if self._forward_ended is not None:
            self.backward.append((self._forward_ended, self._clock.mark()))

    def end_step(self) -> tuple[float | None, int, Arguments | None]:
        """Return the seconds of the step that ends now, its samples (0 if compiled) and its last call."""
        if self.evaluated:
            self.pace.pause()
        seconds, samples, called = self.pace.end_step(), self.samples, self.called
        self._begin_step()
        self._step_ended = self._clock.mark()
        return seconds, samples, called

    def take_spent(self) -> float:
        """Return the seconds that these hooks took since the last call."""
        spent, self.spent = self.spent, 0.0
        return spent


class _ForwardEnd(_LeftOutOfCopies):
    """A forward hook that notes when the model's forward is through."""

    def __init__(self, watch: ForwardWatch) -> None:
        self._watch = watch

    def __call__(self, module: nn.Module, _args: Any, _output: Any) -> None:
        if module.training and not torch.compiler.is_compiling():
            self._watch.end_forward()


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
