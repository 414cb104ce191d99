"""The part that records gradients and updates, and the probe that takes them from code that runs eagerly."""

from __future__ import annotations

from typing import Any, cast

import keras

from ..media import Histogram
from .model import raw_value
from .part import Part, Step, Watched
from .tap import Probe, Seen

_ops: Any = cast("Any", keras).ops


class GradientProbe(Probe):
    """Keeps what the steps were asked for: the norms, or each gradient."""

    def __init__(self) -> None:
        """Begin without a wish."""
        self.wants_norms = self.wants_gradients = False
        self._norms: dict[str, Any] = {}
        self._gradients: list[tuple[Any, Any]] = []
        self._before: list[Any] = []

    def ask(self, *, norms: bool, gradients: bool) -> None:
        """Say what the next steps are to leave behind."""
        self.wants_norms, self.wants_gradients = norms, gradients

    def norms(self) -> dict[str, Any]:
        """Return, of the last step that was asked for it, two numbers.

        `gradient_norm` is that of all gradients as one vector, `update_ratio` the norm of the update over
        the norm of the weights before it.
        """
        return self._norms

    def gradients(self) -> list[tuple[Any, Any]]:
        """Return (variable, gradient) of the last step that was asked for gradients."""
        return self._gradients

    def before_apply(self, seen: Seen) -> None:
        """Keep the gradients, which never change, and copies of the weights, which will."""
        if self.wants_gradients:
            self._gradients = [
                (v, _ops.copy(g)) for v, g in zip(seen.variables, seen.gradients(), strict=True)
            ]
        if self.wants_norms:
            self._norms = {"gradient_norm": _norm(seen.gradients())}
            self._before = [_ops.copy(raw_value(variable)) for variable in seen.variables]

    def after_apply(self, seen: Seen) -> None:
        """Compare the weights with those before."""
        if self.wants_norms:
            before, self._before = self._before, []
            updates = [raw_value(new) - old for new, old in zip(seen.variables, before, strict=True)]
            self._norms["update_ratio"] = _norm(updates) / _norm(before)


class Gradients(Part):
    """Records `gradient_norm`, `update_ratio` and `gradients/<path>`."""

    doing = "reading gradients"

    def __init__(self, watched: Watched, probe: GradientProbe, norm_every: int, histogram_every: int) -> None:
        """Record every so many steps, 0 for never."""
        self._watched, self._probe = watched, probe
        self._norm_every, self._histogram_every = norm_every, histogram_every
        self._norms = self._gradients = False

    def before_step(self, step: Step) -> None:
        """Ask for what is due."""
        self._norms, self._gradients = step.due(self._norm_every), step.due(self._histogram_every)
        self._probe.ask(norms=self._norms, gradients=self._gradients)

    def after_step(self, step: Step) -> None:
        """Read it."""
        tap = self._watched.tap
        if tap is None or not tap.seen:
            return
        if self._norms:
            step.values.update(self._probe.norms())
        if self._gradients:
            for variable, gradient in self._probe.gradients():
                path = self._watched.path_of(variable)
                if self._watched.wanted(path):
                    step.values[f"gradients/{path}"] = Histogram(gradient)


def _norm(tensors: list[Any]) -> Any:
    squares = [_ops.sum(_ops.square(_ops.cast(tensor, "float32"))) for tensor in tensors]
    return _ops.sqrt(sum(squares[1:], squares[0]))
