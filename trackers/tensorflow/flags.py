"""Wishes that traced code reads: bits of one variable, so that a step without any costs one branch."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow
from tensorflow.python.ops import resource_variable_ops  # tf.Variable is the class above it

from ..keras.model import raw_value

tf: Any = tensorflow  # its types say little
_Variable: Any = resource_variable_ops.ResourceVariable


class Wishes:
    """What the steps that follow are asked for."""

    def __init__(self, strategy: Any) -> None:
        """Make the variable, on every device of a tf.distribute strategy."""
        self._strategy = strategy
        self._alone = strategy.num_replicas_in_sync == 1
        with tf.init_scope(), strategy.scope():
            self._variable = tf.Variable(0, trainable=False, name="wishes", dtype=tf.int32)
        self._bits = 0
        self._asked = 0
        self._values: dict[int, Any] = {}

    def flag(self) -> Flag:
        """Return a wish of its own."""
        self._bits += 1
        return Flag(self, 1 << (self._bits - 1))

    def set(self, bit: int, wanted: bool) -> None:
        """Turn a wish on or off."""
        asked = self._asked | bit if wanted else self._asked & ~bit
        if asked != self._asked:
            self._asked = asked
            self._assign(asked)

    def has(self, bit: int) -> bool:
        """Whether the wish was made."""
        return bool(self._asked & bit)

    def when_any(self, body: Callable[[], None]) -> None:
        """Run `body`, or trace it to run, when there is any wish."""
        if tf.executing_eagerly():
            if self._asked:
                body()
        else:
            run_when(self._variable > 0, body)

    def when(self, bit: int, body: Callable[[], None]) -> None:
        """Run `body`, or trace it to run, when the wish was made; in a function, inside of `when_any`."""
        if tf.executing_eagerly():
            if self.has(bit):
                body()
            return

        def run() -> bool:
            body()
            return True

        tf.cond(tf.bitwise.bitwise_and(self._variable, bit) > 0, run, lambda: False)

    def _assign(self, value: int) -> None:
        if not self._alone:
            with self._strategy.scope():
                self._variable.assign(value)
            return
        if value not in self._values:
            self._values[value] = tf.constant(value)
        # A fifth of the time of Variable.assign, which matters at every tenth step.
        tf.raw_ops.AssignVariableOp(resource=self._variable.handle, value=self._values[value])


def run_when(test: Any, body: Callable[[], None]) -> None:
    """Trace `body` to run when a boolean scalar is true; nearly for nothing when it is not.

    TensorFlow walks through each operation of a branch that it does not take, at every step. So the branch
    is one operation: the call of a function that must stay one.
    """

    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def run() -> Any:
        body()
        return tf.constant(True)

    tf.cond(test, run, lambda: False)


class Flag:
    """One wish."""

    __slots__ = ("_bit", "_wishes")

    def __init__(self, wishes: Wishes, bit: int) -> None:
        """Name the bit; `Wishes.flag` makes them."""
        self._wishes, self._bit = wishes, bit

    def __bool__(self) -> bool:
        """Whether it is wanted."""
        return self._wishes.has(self._bit)

    def set(self, wanted: bool) -> None:
        """Turn it on or off for the steps that follow."""
        self._wishes.set(self._bit, wanted)

    def when(self, body: Callable[[], None]) -> None:
        """Run `body` now if wanted; in a function that is traced, trace it to run when wanted."""
        self._wishes.when(self._bit, body)


def shadow(strategy: Any, shape: tuple[int, ...], *, aggregation: Any = None, name: str) -> Any:
    """Return a variable that traced code assigns to, one on each device of a strategy.

    Args:
        strategy: that of the optimizer.
        shape: of the float32 numbers that it holds.
        aggregation: how a reader sees what the devices left; by default it sees that of the first.
        name: what TensorFlow calls it.
    """
    kept: dict[str, Any] = {"trainable": False, "name": name}
    if strategy.num_replicas_in_sync > 1:
        kept["synchronization"] = tf.VariableSynchronization.ON_READ
        kept["aggregation"] = aggregation or tf.VariableAggregation.ONLY_FIRST_REPLICA
    with tf.init_scope(), strategy.scope():
        return tf.Variable(tf.zeros(shape), **kept)


def read(strategy: Any, variable: Any) -> Any:
    """Return what a shadow holds now: where there are several, their sum or the first."""
    if strategy.num_replicas_in_sync == 1:
        return value_of(variable)
    with strategy.scope():
        return variable.read_value()


def value_of(variable: Any) -> Any:
    """Return what a variable holds now, as a tensor that does not change; all else as it is."""
    raw = raw_value(variable)
    if type(raw) is not _Variable:
        return tf.convert_to_tensor(raw) if isinstance(raw, tf.Variable) else raw  # of a strategy
    # A third of the time of Variable.read_value.
    return tf.raw_ops.ReadVariableOp(resource=raw.handle, dtype=raw.dtype)


def number_of(variable: Any) -> Any:
    """Return the number that a variable holds: a float where the host has it, a tensor on a device."""
    value = value_of(variable)
    return float(value) if hasattr(value, "numpy") and is_on_host(value) else value


def is_on_host(tensor: Any) -> bool:
    """Whether the host does the work on a tensor, so that reading it waits for nobody."""
    return "CPU" in str(tensor.device).upper()
