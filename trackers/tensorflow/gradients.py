"""Gradients of a TensorFlow optimizer, seen from outside of the graph that computes them.

The optimizer's `apply` is wrapped on the instance. Called from Python, the wrapper just keeps the gradients.
While a tf.function is traced it adds assignments to shadow variables, each behind a flag: without a wish they
cost one branch a step, and they work under XLA (jit_compile=True), which takes no call back into Python.

Shadows need memory of the size of the trained weights. A function that was traced before is not changed.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow

from ..guard import Guard
from ..hooks.pace import due_within
from ..keras.model import innermost, raw_value
from ..media import Histogram

tf: Any = tensorflow  # its types say little

_Pairs = Sequence[tuple[Any, Any]]
_Gradients = dict[int, tuple[Any, Any]]


class GradientTap:
    """The wrapper around one optimizer; `close` takes it off again.

    Wishes are for the steps that follow: ask, let a step run, then read. Reading costs nothing until a value
    is looked at: what is handed out are variables and tensors.
    """

    def __init__(self, optimizer: Any, guard: Guard, *, keeps: bool = True) -> None:
        """Wrap `apply` of a Keras optimizer; of one that scales the loss, that of the optimizer inside.

        Without `keeps` there are no shadows: the norm can be asked for, gradients cannot.
        """
        self.keeps = keeps
        self.owner: object = None
        """Who asks. A new tracker of the same optimizer takes the tap over: nothing is traced anew."""
        self.on_call: Callable[[], None] | None = None
        """Called after each `apply` from Python."""
        self.optimizer = innermost(optimizer)
        self.seen = False
        """Whether a gradient ever came by: called, or traced into a function."""
        self.calls = 0
        """How often `apply` was called from Python, and not from inside a traced function."""
        self.guard = guard
        self._apply = self.optimizer.apply
        self._asked = (False, False)
        self._on, self._off = tf.constant(True), tf.constant(False)
        self._wants_gradients = _variable(False, "wants_gradients")
        self._wants_norm = _variable(False, "wants_norm")
        self._shadow_norm = _variable(float("nan"), "gradient_norm")
        self._shadows: _Gradients = {}
        self._kept: _Gradients = {}
        self._kept_norm: Any = None
        self.optimizer.apply = self._tapped

    def close(self) -> None:
        """Give the optimizer its own `apply` back; functions traced meanwhile keep the assignments."""
        if self.optimizer.apply == self._tapped:
            del self.optimizer.apply

    def prepare(self, variables: Iterable[Any]) -> None:
        """Make the shadows of variables; made while a function is traced, they cost a second tracing."""
        with tf.init_scope():
            for variable in variables if self.keeps else ():
                if id(variable) not in self._shadows:
                    self._shadows[id(variable)] = (variable, _shadow(variable))

    def ask(self, *, gradients: bool, norm: bool) -> None:
        """Say what the next steps are to leave behind."""
        if gradients != self._asked[0]:
            self._set(self._wants_gradients, gradients)
        if norm != self._asked[1]:
            self._set(self._wants_norm, norm)
        self._asked = (gradients, norm)

    def _set(self, flag: Any, value: bool) -> None:
        # A fifth of the time of Variable.assign, which matters at every tenth step.
        tf.raw_ops.AssignVariableOp(resource=flag.handle, value=self._on if value else self._off)

    @property
    def asked(self) -> tuple[bool, bool]:
        """What the last steps were asked for: (gradients, norm)."""
        return self._asked

    def gradients(self) -> list[tuple[Any, Any]]:
        """Return (variable, gradient) of the last step that was asked for gradients."""
        return list((self._kept if self.calls else self._shadows).values())

    def norm(self) -> Any:
        """Return the norm of all gradients as one vector, at the last step that was asked for it."""
        return self._kept_norm if self.calls else self._shadow_norm

    @tf.autograph.experimental.do_not_convert
    def _tapped(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> Any:
        # Either may be a generator, which can be read only once.
        gradients = list(grads)
        variables = None if trainable_variables is None else list(trainable_variables)
        with self.guard("recording gradients"):
            known = self.optimizer._trainable_variables if variables is None else variables
            self._record([(v, g) for v, g in zip(known, gradients, strict=False) if g is not None])
        result = self._apply(gradients, variables)
        if self.on_call is not None and tf.executing_eagerly():
            self.on_call()
        return result

    def _record(self, pairs: _Pairs) -> None:
        if tf.distribute.has_strategy():
            self.guard.say("tf-strategy", "gradients are not recorded under a tf.distribute strategy.")
            return
        self.seen = True
        scale = getattr(self.optimizer, "loss_scale_factor", None)
        if scale:
            pairs = [(variable, gradient / scale) for variable, gradient in pairs]
        if tf.executing_eagerly():
            self.calls += 1
            self._keep(pairs)
        else:
            self._trace(pairs)

    def _keep(self, pairs: _Pairs) -> None:
        wants_gradients, wants_norm = self._asked
        if wants_gradients:
            self._kept = {id(variable): (variable, _dense(gradient)) for variable, gradient in pairs}
        if wants_norm:
            self._kept_norm = _norm(pairs)

    def _trace(self, pairs: _Pairs) -> None:
        self.prepare([variable for variable, _ in pairs])

        def assign_gradients() -> bool:
            for variable, gradient in pairs:
                shadow = self._shadows[id(variable)][1]
                shadow.assign(tf.cast(_dense(gradient), shadow.dtype))
            return True

        def assign_norm() -> bool:
            self._shadow_norm.assign(_norm(pairs))
            return True

        if self.keeps:
            tf.cond(self._wants_gradients, assign_gradients, lambda: False)
        tf.cond(self._wants_norm, assign_norm, lambda: False)


class GradientWatch:
    """Asks a tap at the steps that are due, and names what it gives."""

    def __init__(
        self,
        optimizer: Any,
        guard: Guard,
        path_of: Callable[[Any], str],
        *,
        histogram_every: int,
        norm_every: int,
        variables: Iterable[Any] = (),
    ) -> None:
        """Tap the optimizer, or take over the tap that it has; `variables` are those known to be trained."""
        self.tap = _tap_of(optimizer, guard, keeps=histogram_every > 0)
        self.tap.owner, self.tap.guard = self, guard
        self.tap.prepare(variables)
        self._path_of = path_of
        self._every = (histogram_every, norm_every)

    def before(self, first: int, last: int) -> None:
        """Prepare for the steps from `first` to `last`, which run without a chance to ask in between."""
        histograms, norm = self._every
        self.tap.ask(gradients=due_within(first, last, histograms), norm=due_within(first, last, norm))

    def after(self) -> dict[str, Any]:
        """Return what is due of the steps that ran: `gradient_norm`, and `gradients/<path>`."""
        gradients, norm = self.tap.asked
        values: dict[str, Any] = {}
        if not self.tap.seen:
            return values
        if norm and self.tap.norm() is not None:
            values["gradient_norm"] = self.tap.norm()
        if gradients:
            pairs = self.tap.gradients()
            values |= {f"gradients/{self._path_of(v)}": Histogram(_dense(gradient)) for v, gradient in pairs}
        return values

    def close(self) -> bool:
        """Take the tap off, unless another tracker took it over; whether a traced function held it."""
        if self.tap.owner is not self:
            return False
        self.tap.close()
        return self.tap.seen and not self.tap.calls


def _tap_of(optimizer: Any, guard: Guard, *, keeps: bool) -> GradientTap:
    there = getattr(innermost(optimizer).apply, "__self__", None)
    if isinstance(there, GradientTap):
        if there.keeps or not keeps:
            return there
        there.close()
    return GradientTap(optimizer, guard, keeps=keeps)


def _norm(pairs: _Pairs) -> Any:
    return tf.linalg.global_norm([tf.cast(gradient, tf.float32) for _, gradient in pairs])


def _dense(gradient: Any) -> Any:
    return tf.convert_to_tensor(gradient)


def _shadow(variable: Any) -> Any:
    held = raw_value(variable)
    with tf.device(held.device):
        return _variable(tf.zeros(held.shape, held.dtype), "gradient")


def _variable(value: Any, name: str) -> Any:
    return tf.Variable(value, trainable=False, name=name)
