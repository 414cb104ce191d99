"""What a tracker is made of: parts that each record one thing around the optimizer's step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Any

from ..hooks.cost import Cost
from ..hooks.layers import Wanted
from ..hooks.output import Output
from ..hooks.pace import due
from ..run import Run
from .paths import Parameters

if TYPE_CHECKING:
    from torch import nn


class Watched:
    """What all parts of one tracker share: the model, where they write, which layers are wanted."""

    def __init__(
        self, run: Run, out: Output, model: nn.Module, called: nn.Module, wanted: Wanted, cost: Cost
    ) -> None:
        """Hold them.

        `model` is the user's own module, under whatever wraps it; `called` is the one whose calls tell when a
        forward begins and ends, without being traced if that can be had.
        """
        self.run = run
        self.out = out
        self.model = model
        self.called = called
        self.wanted = wanted
        self.cost = cost
        self.parameters = Parameters(model, wanted)

    def is_due(self, number: int, every: int) -> bool:
        """Whether something is due at a step; less often if the tracker costs too much."""
        return due(number, every * self.cost.factor)


class Step:
    """One optimizer step while it is made; parts add to `values` what is logged at its end."""

    __slots__ = ("_cost", "_log", "called", "now", "number", "optimizer", "samples", "seconds", "values")

    def __init__(self, cost: Cost, log: Callable[[Mapping[str, Any], int], None]) -> None:
        """Make the one object that serves every step of a tracker."""
        self._cost, self._log = cost, log
        self.number = 0
        """The step being made: the first is 1."""
        self.now = 0.0
        """When the step ended: a time of time.perf_counter(), from `after_step` on."""
        self.optimizer: Any = None
        self.values: dict[str, Any] = {}
        """Series, without the tracker's name, -> value, recorded after the step.

        At a step at which nothing is due, that is some steps later: they are floats and snapshots only.
        """
        self.called: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        """What the model was called with last; None when no call was seen, as before a closure."""
        self.seconds: float | None = None
        """How long the step took, from `after_step` on, as far as it is known."""
        self.samples = 0
        """How many samples it took, 0 when that is not known."""

    def due(self, every: int) -> bool:
        """Whether something that is done every so many steps is due now; less often if it costs too much."""
        return due(self.number, every * self._cost.factor)

    def log(self, values: Mapping[str, Any]) -> None:
        """Record values now: those that may have changed at the end of the step."""
        if values:
            self._log(values, self.number)


class Part:
    """One thing that a tracker records. Its methods run on the training thread: they never wait for a device.

    An error in one is told under `doing`, and costs what this part records at this step.
    """

    doing = "recording a step"
    """Completes "while ..." in the notice of an error."""
    periods: tuple[int, ...] = ()
    """Every how many steps something may be due, 0 for never; only then it is called. Empty: each step."""

    def before_step(self, step: Step) -> None:
        """The weights are about to change. With a closure, the gradients are not yet there."""

    def with_gradients(self, step: Step) -> None:
        """The gradients are complete, unscaled and clipped; with a closure, the weights are new already."""

    def after_step(self, step: Step) -> None:
        """The weights have changed."""

    def close(self) -> None:
        """Remove hooks, end what goes on."""


Calls = list[tuple[Callable[[Step], None], Part]]


@dataclass(frozen=True, slots=True)
class StepCalls:
    """Which methods of which parts are called at a step."""

    before: Calls
    gradients: Calls
    after: Calls
    due: bool
    """Whether it is a step at which more is recorded than at every other."""


class Schedule:
    """Which methods of which parts are called at a step: no other costs anything."""

    def __init__(self, parts: list[Part]) -> None:
        """Take the parts, in the order in which they are called."""
        self._always = _calls([part for part in parts if not part.periods], due=False)
        self._due = _calls([part for part in parts if not part.periods or any(part.periods)], due=True)
        self._every = gcd(*(period for part in parts for period in part.periods))

    def at(self, number: int, factor: int) -> StepCalls:
        """Return what is called at a step."""
        every = self._every * factor
        return self._due if number == 1 or (every and not number % every) else self._always


def _calls(parts: list[Part], *, due: bool) -> StepCalls:
    def own(name: str) -> Calls:
        having = [part for part in parts if getattr(type(part), name) is not getattr(Part, name)]
        return [(getattr(part, name), part) for part in having]

    return StepCalls(own("before_step"), own("with_gradients"), own("after_step"), due)
