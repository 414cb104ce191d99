"""Gradients and updates of a Keras optimizer, seen from outside of the function that computes them.

One flat shadow variable holds the weights before a step while its update is measured, and then its gradients;
it needs four bytes for each trained weight.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow

from ..keras.gradients import GradientProbe
from ..keras.model import raw_value
from ..keras.tap import Seen
from .flags import number_of, read, shadow
from .tap import TensorFlowTap

tf: Any = tensorflow  # its types say little


class TracedGradientProbe(GradientProbe):
    """Keeps norms and gradients in shadow variables when it is traced, as they are when it runs eagerly."""

    def __init__(self, tap: TensorFlowTap, variables: Iterable[Any]) -> None:
        """Make the shadow of the variables that are known; made while tracing, it costs a second tracing."""
        super().__init__()
        self._tap = tap
        self._norm_flag, self._gradient_flag = tap.wishes.flag(), tap.wishes.flag()
        self._norm = shadow(tap.strategy, (), name="gradient_norm")
        self._ratio = shadow(tap.strategy, (), name="update_ratio")
        self._flats: dict[tuple[int, ...], _Flat] = {}
        known = list(variables)
        if known:
            self._flat_of(known)

    def ask(self, *, norms: bool, gradients: bool) -> None:
        """Say what the next steps are to leave behind."""
        super().ask(norms=norms, gradients=gradients)
        self._norm_flag.set(norms)
        # A replica knows its own part of the gradients: their norm is taken from the sum.
        self._gradient_flag.set(gradients or (norms and self._tap.has_replicas))

    def norms(self) -> dict[str, Any]:
        """Return `gradient_norm` and `update_ratio` of the last step that was asked for them."""
        if self._tap.calls:
            return super().norms()
        if not self._tap.has_replicas:
            return {"gradient_norm": number_of(self._norm), "update_ratio": number_of(self._ratio)}
        norm = tf.linalg.global_norm([flat.value() for flat in self._traced()])
        return {"gradient_norm": norm, "update_ratio": read(self._tap.strategy, self._ratio)}

    def gradients(self) -> list[tuple[Any, Any]]:
        """Return (variable, gradient) of the last step that was asked for gradients."""
        if self._tap.calls:
            return super().gradients()
        return [pair for flat in self._traced() for pair in flat.gradients()]

    def before_apply(self, seen: Seen) -> None:
        """Keep the weights, when their update is asked for."""
        if tf.executing_eagerly():
            if self.wants_norms or self.wants_gradients:
                super().before_apply(replace(seen, scaled=dense(seen.scaled)))
            return
        flat = self._flat_of(seen.variables)
        flat.traced = True
        self._norm_flag.when(lambda: flat.assign(map(raw_value, seen.variables)))

    def after_apply(self, seen: Seen) -> None:
        """Take the norms, and then the gradients in the place of the weights."""
        if tf.executing_eagerly():
            super().after_apply(seen)
            return
        flat = self._flat_of(seen.variables)

        def assign_norms() -> None:
            old, new = flat.shadow.read_value(), flatten(map(raw_value, seen.variables))
            self._ratio.assign(tf.norm(new - old) / tf.norm(old))
            self._norm.assign(tf.linalg.global_norm(dense(seen.gradients())))

        self._norm_flag.when(assign_norms)
        self._gradient_flag.when(lambda: flat.assign(seen.gradients()))

    def _flat_of(self, variables: Sequence[Any]) -> _Flat:
        key = tuple(id(variable) for variable in variables)
        if key not in self._flats:
            self._flats[key] = _Flat(self._tap.strategy, variables)
        return self._flats[key]

    def _traced(self) -> list[_Flat]:
        return [flat for flat in self._flats.values() if flat.traced]


class _Flat:
    """The shadow of some variables, one behind the other."""

    def __init__(self, strategy: Any, variables: Sequence[Any]) -> None:
        self.traced = False
        self._strategy = strategy
        self._variables = list(variables)
        self._shapes = [tuple(variable.shape) for variable in variables]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        total = tf.VariableAggregation.SUM
        self.shadow = shadow(strategy, (sum(self._sizes),), aggregation=total, name="gradients")

    def assign(self, tensors: Iterable[Any]) -> None:
        self.shadow.assign(flatten(tensors))

    def value(self) -> Any:
        """Return the sum over all replicas."""
        return read(self._strategy, self.shadow)

    def gradients(self) -> list[tuple[Any, Any]]:
        value = self.value()
        if "CPU" in str(value.device):
            numbers = value.numpy()
            parts = np.split(numbers, np.cumsum(self._sizes)[:-1])
        else:
            parts = tf.split(value, self._sizes)  # on the device, which is not waited for
        return list(zip(self._variables, parts, strict=True))


def flatten(tensors: Iterable[Any]) -> Any:
    """Return the numbers of all tensors one behind the other, float32 (n,); sparse ones become dense."""
    return tf.concat([tf.reshape(one, [-1]) for one in dense(tensors)], 0)


def dense(tensors: Iterable[Any]) -> list[Any]:
    """Return the tensors as float32; sparse ones become dense, what they say of one row summed up."""
    return [tf.cast(tf.convert_to_tensor(one), tf.float32) for one in tensors]
