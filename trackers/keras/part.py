"""What the trackers of Keras and TensorFlow are made of: parts that each record one thing around a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..hooks.cost import Cost
from ..hooks.layers import Wanted
from ..hooks.output import Output
from ..hooks.pace import due_within
from ..run import Run
from .model import VariablePaths
from .tap import Tap


@dataclass(frozen=True)
class Watched:
    """What all parts of one tracker share."""

    run: Run
    out: Output
    model: Any
    """A Keras model or tf.Module; None when there is none."""
    optimizer: Any
    """The optimizer that applies, inside of one that scales the loss; None when there is none."""
    path_of: VariablePaths
    wanted: Wanted
    cost: Cost
    tap: Tap | None
    """Where probes see gradients and outputs of layers; None where nothing can be seen."""

    def variables(self) -> list[Any]:
        """Return the variables that are trained, as far as they are known."""
        if self.model is not None:
            return list(self.model.trainable_variables)
        return [] if self.tap is None else self.tap.variables


class Step:
    """A step, or as many as Keras runs at once; parts add to `values` what is logged at its end."""

    __slots__ = ("_cost", "first", "last", "seconds", "values")

    def __init__(self, cost: Cost) -> None:
        """Make the one object that serves every step of a tracker."""
        self._cost = cost
        self.first = self.last = 0
        """The steps made at once, the first step of all being 1; mostly they are one."""
        self.seconds: float | None = None
        """How long they took together, from `after_step` on, as far as it is known."""
        self.values: dict[str, Any] = {}
        """Series, without the tracker's name, -> value."""

    def due(self, every: int) -> bool:
        """Whether something that is done every so many steps is due now; less often if it costs too much."""
        return due_within(self.first, self.last, every * self._cost.factor)


class Part:
    """One thing that a tracker records. Its methods run on the training thread and wait for no device.

    An error in one is told under `doing`, and costs what this part records at this step.
    """

    doing = "recording a step"
    """Completes "while ..." in the notice of an error."""

    def before_step(self, step: Step) -> None:
        """The step begins: flags that traced code reads are to be set now."""

    def after_step(self, step: Step) -> None:
        """The step was made."""

    def close(self) -> None:
        """Remove hooks, end what goes on."""


class Parts:
    """The parts of one tracker; whoever has no method of its own costs no call."""

    def __init__(self, run: Run, parts: list[Part]) -> None:
        """Keep them in the order in which they are called."""
        self._run, self._parts = run, parts
        self._before = [(part.before_step, part) for part in parts if _has_own(part, "before_step")]
        self._after = [(part.after_step, part) for part in parts if _has_own(part, "after_step")]

    def before_step(self, step: Step) -> None:
        """Tell every part that a step begins."""
        self._call(self._before, step)

    def after_step(self, step: Step) -> None:
        """Tell every part that a step was made."""
        self._call(self._after, step)

    def close(self) -> None:
        """Close every part."""
        for part in self._parts:
            with self._run.guard(part.doing):
                part.close()

    def _call(self, methods: list[tuple[Callable[[Step], None], Part]], step: Step) -> None:
        for method, part in methods:
            with self._run.guard(part.doing):
                method(step)


def _has_own(part: Part, name: str) -> bool:
    return getattr(type(part), name) is not getattr(Part, name)
