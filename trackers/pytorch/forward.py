"""Watching the calls of a model: what it is called with, and when."""

from __future__ import annotations

import contextlib
from time import perf_counter
from typing import Any, cast

import torch
from torch import nn

from .clock import Clock
from .twin import Arguments

Batch = tuple[Any, Any, Any]
"""Marks of a clock: when the forward of a batch began and ended, and when its gradients were there."""


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
        self._mark, self._stands = clock.mark, clock.stands
        self.end = _ForwardEnd(self, clock)
        self.spent = 0.0
        """Seconds that these hooks took, until somebody takes them."""
        self.reset()

    def reset(self) -> None:
        """Forget what was seen since the last step, and when that was."""
        self.evaluated = False
        """Whether the model was called in eval mode since the last step or training call."""
        self.since: float | None = None
        """When the step began that is under way, by the host's clock; None when that is not known."""
        self.step_ended: Any = None
        """The mark of the last step's end; None when something else than training came after it."""
        self.begin_step()

    def begin_step(self) -> None:
        """Forget the calls of the step that is through."""
        self.called: Arguments | None = None
        self.samples = 0
        self.begun: Any = None
        """When the newest forward began, and below, when it ended and when its gradients were there."""
        self.ended: Any = None
        self.backward_ended: Any = None
        self.earlier: list[Batch] = []
        """The batches before the newest one, of a step that takes several."""

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note a call; of one in eval mode that there was one."""
        if not module.training:
            self.evaluated = True
            return
        self.called = (args, kwargs)
        if torch.compiler.is_compiling():
            return
        now = perf_counter()
        if self._stands is not None and self._stands():
            return
        # Next to every call is the only one of a step that follows another.
        if self.evaluated or self.since is None or self.begun is not None:
            self._begin_apart(now)
        self.begun = self._mark()
        self.samples += batch_size(args, kwargs)
        self.spent += perf_counter() - now

    def _begin_apart(self, now: float) -> None:
        if self.evaluated:
            self.evaluated = False
            self.since = self.step_ended = None
        if self.since is None:
            self.since = now
        if self.begun is not None:
            self.earlier.append((self.begun, self.ended, self.backward_ended))
            self.ended = self.backward_ended = None

    def end_step(self, mark: Any, now: float) -> float | None:
        """Return the seconds of the step that ends now; None when its beginning was not seen."""
        since = None if self.evaluated else self.since
        self.evaluated = False
        self.since, self.step_ended = now, mark
        self.begin_step()
        return None if since is None else now - since


class _ForwardEnd(_LeftOutOfCopies):
    """A forward hook that notes when the model's forward is through."""

    def __init__(self, watch: ForwardWatch, clock: Clock) -> None:
        self._watch, self._mark = watch, clock.mark

    def __call__(self, module: nn.Module, _args: Any, _output: Any) -> None:
        if module.training and not torch.compiler.is_compiling() and self._watch.begun is not None:
            self._watch.ended = self._mark()


def batch_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Return the first dimension of the first tensor in what a model is called with, 0 if there is none."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        if isinstance(value, torch.Tensor) and value.dim():
            return value.size(0)
        if isinstance(value, dict):
            value = tuple(cast("dict[str, Any]", value).values())
        if isinstance(value, (list, tuple)) and (found := batch_size(tuple(cast("Any", value)), {})):
            return found
    return 0
