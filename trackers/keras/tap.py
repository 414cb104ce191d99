"""The wrappers around an optimizer's `apply` and around layers' `call`, on the instances alone.

A tap sees every step from inside: the gradients, the weights before and after, what the layers gave. Probes
take from it what they want. This one is for code that runs eagerly, with whatever backend; that of TensorFlow
(trackers/tensorflow/tap.py) is also traced into functions.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Self, TypeVar, cast

import keras

from ..guard import Guard
from .model import innermost

_tree: Any = cast("Any", keras).tree


@dataclass(frozen=True)
class Seen:
    """What a tap saw of one step."""

    variables: list[Any]
    """Those that have a gradient, as the optimizer was given them."""
    scaled: list[Any]
    """Their gradients, as the optimizer was given them."""
    scale: float | None
    """What the loss was multiplied by."""
    outputs: dict[str, Any]
    """Path of a layer -> what it gave last in this step; only layers that a probe asked for."""

    def gradients(self) -> list[Any]:
        """Return the gradients, unscaled; in traced code, call it where they are needed."""
        return self.scaled if self.scale is None else [gradient / self.scale for gradient in self.scaled]


class Probe:
    """What takes something from a tap, when its `wanted` says so.

    Both methods run at every step, eagerly, or once while a function is traced.
    """

    wanted = False
    always = False
    """Whether it looks at every step, and is to be traced outside of the branch for wishes."""
    layers: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed
    """Path -> layer whose output is to be seen."""

    def before_apply(self, seen: Seen) -> None:
        """The gradients are there, the weights are those before the step."""

    def after_apply(self, seen: Seen) -> None:
        """The weights are those after the step."""


_P = TypeVar("_P", bound=Probe)


class Tap:
    """The wrappers around one optimizer and the layers of its model; `close` takes them off again."""

    def __init__(self, optimizer: Any, guard: Guard) -> None:
        """Wrap `apply` of a Keras optimizer; of one that scales the loss, that of the optimizer inside."""
        self.optimizer = innermost(optimizer)
        self.guard = guard
        self.owner: object = None
        """Who asks. A new tracker of the same optimizer takes the tap over: nothing is traced anew."""
        self.on_call: Callable[[float, float], None] | None = None
        """Called after each `apply` from Python, with when it began (time.perf_counter) and its seconds."""
        self.variables: list[Any] = []
        """Those that came by with a gradient last."""
        self.seen = False
        """Whether a gradient ever came by: called, or traced into a function."""
        self.calls = 0
        """How often `apply` was called from Python, and not from inside a traced function."""
        self.stale = True
        """Whether there is a probe that functions traced before know nothing of."""
        self._probes: dict[Hashable, Probe] = {}
        self._restores: dict[str, Callable[[], None]] = {}
        self._heard = threading.local()  # replicas of a strategy are traced each in a thread of its own
        self._apply = self.optimizer.apply
        self.optimizer.apply = self._tapped

    @classmethod
    def on(cls, optimizer: Any, guard: Guard) -> Self | None:
        """Return the tap that is on an optimizer, or a new one; None where there can be none."""
        there = getattr(innermost(optimizer).apply, "__self__", None)
        if isinstance(there, cls):
            there.guard = guard
            return there
        return cls(optimizer, guard)

    def probe(self, key: Hashable, make: Callable[[], _P]) -> _P:
        """Return the probe of this key, made now if there is none."""
        if key not in self._probes:
            made = self._probes[key] = make()
            self.stale = True
            for path, layer in made.layers.items():
                self._wrap(path, layer)
        return cast("_P", self._probes[key])

    def close(self) -> None:
        """Give the optimizer and the layers their own methods back; functions keep their assignments."""
        if self.optimizer.apply == self._tapped:
            del self.optimizer.apply
        for restore in self._restores.values():
            restore()
        self._restores.clear()
        self._probes.clear()

    def is_eager(self) -> bool:
        """Whether Python runs this at every step, and not once for a function."""
        return True

    def is_training(self) -> bool:
        """Whether a layer that is called now is called by a training step."""
        return any(probe.wanted for probe in self._probes.values())

    def run_probes(self, seen: Seen, method: str) -> None:
        """Let every probe see."""
        for always in (True, False):
            self.run_some(seen, method, always=always)

    def run_some(self, seen: Seen, method: str, *, always: bool) -> None:
        """Let those see that look at every step, or the others."""
        for probe in self._probes.values():
            if probe.always is always:
                getattr(probe, method)(seen)

    def reachable(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """Return the outputs that can be used where `apply` is called."""
        return outputs

    def _wrap(self, path: str, layer: Any) -> None:
        if path in self._restores:
            return
        own, call = own_call(layer), layer.call

        @functools.wraps(call)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            if path in self._restores and self.is_training():
                with self.guard("reading a layer's output"):
                    self._outputs()[path] = _tree.flatten(output)[0]
            return output

        def restore() -> None:
            if own_call(layer) is tapped:
                set_call(layer, own)

        set_call(layer, tapped)
        self._restores[path] = restore

    def _outputs(self) -> dict[str, Any]:
        return self._heard.__dict__.setdefault("outputs", {})

    def _tapped(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> Any:
        # Either may be a generator, which can be read only once.
        gradients = list(grads)
        variables = None if trainable_variables is None else list(trainable_variables)
        seen: Seen | None = None
        with self.guard("recording gradients"):
            seen = self._see(gradients, variables)
            self.run_probes(seen, "before_apply")
        began = time.perf_counter()
        result = self._apply(gradients, variables)
        seconds = time.perf_counter() - began
        if seen is not None:
            with self.guard("recording gradients"):
                self.run_probes(seen, "after_apply")
        if self.on_call is not None and self.is_eager():
            self.on_call(began, seconds)
        return result

    def _see(self, gradients: list[Any], variables: list[Any] | None) -> Seen:
        known: list[Any] = self.optimizer._trainable_variables if variables is None else variables
        pairs = [(v, g) for v, g in zip(known, gradients, strict=False) if g is not None]
        self.variables = [variable for variable, _ in pairs]
        self.seen, self.stale = True, False
        self.calls += self.is_eager()
        outputs, self._heard.outputs = self._outputs(), {}
        scale: float | None = getattr(self.optimizer, "loss_scale_factor", None) or None
        return Seen(self.variables, [gradient for _, gradient in pairs], scale, self.reachable(outputs))


def own_call(layer: Any) -> Any:
    """Return the `call` that the instance has in place of its class's, None if it has none."""
    return cast("dict[str, Any]", vars(layer)).get("call")


def set_call(layer: Any, call: Any) -> None:
    """Give an instance a `call` of its own, or that of its class back when it is None."""
    # Past Keras' own __setattr__, which looks at everything for layers and variables to track.
    attributes = cast("dict[str, Any]", vars(layer))
    if call is None:
        del attributes["call"]
    else:
        attributes["call"] = call
