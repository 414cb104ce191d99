"""What a TensorFlow 1 graph tells of its training: what trains it, with what gradients, at which rate."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow
from numpy.typing import NDArray

from ..hooks.watchdog import Finding
from .bad_numbers import Suspect, first_finding, table_when_bad, values_of
from .static_graph import forward_outputs, given_inputs

tf: Any = tensorflow  # its types say little

_APPLY = ("ResourceApply", "ResourceSparseApply", "Apply", "SparseApply")
_GRADIENT_ARGUMENTS, _RATE_ARGUMENTS = ("grad", "delta"), ("lr", "alpha")


@dataclass(frozen=True)
class Applied:
    """One operation of an optimizer that changes a variable."""

    path: str
    """Of the variable."""
    gradient: Any
    rate: Any
    """The learning rate's tensor; None if the operation has none."""


def find_applied(graph: Any) -> list[Applied]:
    """Return what the optimizers of tf.compat.v1.train apply, in the order of the graph."""
    found: list[Applied] = []
    for operation in graph.get_operations():
        if operation.type.startswith(_APPLY):
            names = [argument.name for argument in operation.op_def.input_arg]
            given = dict(zip(names, operation.inputs, strict=True))
            gradient = next((given[name] for name in _GRADIENT_ARGUMENTS if name in given), None)
            rate = next((given[name] for name in _RATE_ARGUMENTS if name in given), None)
            if gradient is not None:
                found.append(Applied(given["var"].op.name, gradient, rate))
    return found


class SessionGraph:
    """What a hook adds to a graph, and what it fetches of it."""

    def __init__(
        self,
        graph: Any,
        scalars: Mapping[str, Any],
        gradients: Sequence[tuple[Any, Any]] | None,
        *,
        with_update: bool,
        with_alarms: bool,
    ) -> None:
        """Add operations to the graph, which must be the default one.

        Args:
            graph: a tf.Graph that is not finalized.
            scalars: series -> tensor or its name.
            gradients: pairs of gradient and variable; None to find them.
            with_update: whether to add copies of the weights, to tell how much a step changed them.
            with_alarms: whether to add what looks for NaN and infinity.
        """
        self.graph = graph
        self.global_step = tf.compat.v1.train.get_global_step(graph)
        self.scalars = {
            name: graph.as_graph_element(one, allow_operation=False) for name, one in scalars.items()
        }
        applied = find_applied(graph)
        if gradients is not None:
            applied = [Applied(v.op.name, g, None) for g, v in gradients if g is not None]
        self.gradients = {one.path: values_of(one.gradient) for one in applied}
        self.training = Training(graph, self.gradients.values(), self.global_step)
        self._rates = _named_rates(applied)
        self._variables = {v.op.name: v for v in tf.compat.v1.trainable_variables()}
        self.remember: Any = None
        self.update_ratio: Any = None
        self.alarms: Any = None
        self._suspects: list[Suspect] = []
        with tf.name_scope("stepscope"):
            self.weights = {path: variable.read_value() for path, variable in self._variables.items()}
            self._norm = _norm(self.gradients.values()) if self.gradients else None
            if with_update and self.weights:
                self._add_update()
            if with_alarms and self.gradients:
                self._add_alarms()

    def wanted(self, *, norm: bool, rate: bool) -> dict[str, Any]:
        """Return what a step is to fetch, by what it is."""
        fetches: dict[str, Any] = {"scalars": self.scalars}
        if self.global_step is not None:
            fetches["step"] = self.global_step
        if self.alarms is not None:
            fetches["alarms"] = self.alarms
        if norm and self._norm is not None:
            fetches["norm"] = self._norm
        if rate and self._rates:
            fetches["rates"] = self._rates
        return fetches

    def finding(self, table: NDArray[Any], step: int) -> Finding | None:
        """Return where numbers went bad first, None if none did; `table` is what `alarms` gave."""
        return first_finding(self._suspects, table, step, loss_is_seen=True)

    def _add_update(self) -> None:
        # In no collection: nobody need initialize or save them, for they are written before they are read.
        before = {
            path: tf.compat.v1.Variable(
                tf.zeros(variable.shape, variable.dtype.base_dtype),
                trainable=False,
                collections=[],
                use_resource=True,
                name="before",
            )
            for path, variable in self._variables.items()
        }
        self.remember = tf.group(*(before[path].assign(one) for path, one in self.weights.items()))
        changes = [one - before[path].read_value() for path, one in self.weights.items()]
        self.update_ratio = _norm(changes) / _norm(self.weights.values())

    def _add_alarms(self) -> None:
        forward = forward_outputs(self.graph, self.scalars.values())
        given = given_inputs(self.graph, self.scalars.values())
        self._suspects = [Suspect("input", name, one) for name, one in given.items()]
        self._suspects += [Suspect("forward", scope, one) for scope, one in forward.items()]
        self._suspects += [Suspect("backward", path, one) for path, one in reversed(self.gradients.items())]
        alarms = [one for one in (*self.scalars.values(), *self.gradients.values()) if one.dtype.is_floating]
        self.alarms = table_when_bad([one.tensor for one in self._suspects], alarms)


def _named_rates(applied: Iterable[Applied]) -> dict[str, Any]:
    rates = list({one.rate.name: one.rate for one in applied if one.rate is not None}.values())
    if len(rates) == 1:
        return {"learning_rate": rates[0]}
    return {f"learning_rate/{number}": rate for number, rate in enumerate(rates)}


def _norm(tensors: Iterable[Any]) -> Any:
    return tf.linalg.global_norm([tf.cast(one, tf.float32) for one in tensors])


class Training:
    """Tells which calls of a session train: those that need an operation that changes what is trained."""

    def __init__(self, graph: Any, applied: Iterable[Any], global_step: Any) -> None:
        """Look for the optimizers' operations, and for those that count up the global step."""
        self._graph = graph
        self._makers = {o.name for o in graph.get_operations() if o.type.startswith(_APPLY)}
        self._makers |= {tensor.op.name for tensor in applied}
        if global_step is not None:
            self._makers |= set(_counters(graph, global_step))
        self._known: dict[tuple[str, ...], bool] = {}

    def trains(self, fetches: Any) -> bool:
        """Whether what is fetched needs one of them; looked up once for each set of fetches."""
        operations = list(self._operations(fetches))
        key = tuple(operation.name for operation in operations)
        if key not in self._known:
            self._known[key] = any(o.name in self._makers for o in _needed(operations))
        return self._known[key]

    def _operations(self, fetches: Any) -> Iterator[Any]:
        for one in tf.nest.flatten(fetches, expand_composites=True):
            element = self._graph.as_graph_element(one)
            yield getattr(element, "op", element)


def _counters(graph: Any, global_step: Any) -> Iterator[str]:
    for operation in graph.get_operations():
        adds = operation.type in ("AssignAddVariableOp", "AssignAdd")
        if adds and operation.inputs[0].op.name == global_step.op.name:
            yield operation.name


def _needed(operations: Iterable[Any]) -> Iterator[Any]:
    """Yield operations and all that they need."""
    open_, seen = list(operations), set[str]()
    while open_:
        operation = open_.pop()
        if operation.name not in seen:
            seen.add(operation.name)
            yield operation
            open_ += [tensor.op for tensor in operation.inputs]
            open_ += operation.control_inputs
