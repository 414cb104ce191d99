"""The graph of a Keras model: its layers, and the operations of the function that it traces to.

The model is traced for inference into a graph of its own; nothing is computed and no variable changes.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import tensorflow

from ...storage.kinds.graph import GraphData, GraphNode, TensorShape
from ..keras.model import VariablePaths, layer_table, layer_tree, raw_value

tf: Any = tensorflow  # its types say little

_log = logging.getLogger("stepscope")
_T = TypeVar("_T")

# What only asks for the shape of data does not carry it on.
_NOT_DATA = {"Shape", "ShapeN", "Size", "Rank", "NoOp"}
_DULL_ATTRIBUTES = {"T", "dtype", "Tshape", "Tidx", "Tindices", "use_cudnn_on_gpu", "explicit_paddings"}


def capture_keras_graph(model: Any, name: str = "model") -> GraphData:
    """Return the graph of a built Keras model, with whatever detail can be had; never raises.

    Its `source` is "tf.function" with operations, or "keras" when the model could not be traced.
    """
    nodes = _attempt("tracing", lambda: _trace(model)) or ()
    shapes: dict[str, TensorShape] = {}
    for node in nodes:  # the last operation of a layer gives what the layer gives
        parts = node.module.split("/") if node.module else []
        for depth in range(len(parts) + 1):
            shapes.update({"/".join(parts[:depth]): shape for shape in node.output_shapes[:1]})
    layers = _attempt("layers", lambda: layer_table(model, shapes)) or ()
    return GraphData(name, "keras", "tf.function" if nodes else "keras", nodes, layers)


def capture_function_graph(concrete: Any, name: str = "model") -> GraphData:
    """Return the graph of a tf.function for one signature, by its name scopes; never raises.

    Args:
        concrete: what `function.get_concrete_function(...)` returns.
        name: the graph's name.
    """
    nodes = _attempt("reading", lambda: _read(None, concrete)) or ()
    return GraphData(name, "tensorflow", "tf.function", nodes)


def _attempt(what: str, work: Callable[[], _T]) -> _T | None:
    try:
        return work()
    except Exception as error:  # a model may raise anything when it is traced anew; less detail is kept
        _log.debug("the model's graph: %s did not work: %s", what, error)
        return None


def _trace(model: Any) -> tuple[GraphNode, ...]:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return model(*args, **kwargs)

    return _read(model, tf.function(call, autograph=False).get_concrete_function(*_signature(model)))


def _read(model: Any, concrete: Any) -> tuple[GraphNode, ...]:
    outputs = [tensor for tensor in tf.nest.flatten(concrete.structured_outputs) if hasattr(tensor, "op")]
    return _Reading(model, concrete.graph, outputs).nodes()


def _signature(model: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of the model's call, as specifications."""
    inputs = getattr(model, "_inputs_struct", None)  # as the model was made, a dict or list if it takes one
    if inputs is not None:
        return (tf.nest.map_structure(_spec_of, inputs),), {}
    shapes: dict[str, Any] = dict(model._build_shapes_dict)
    if len(shapes) == 1:
        return (_specs(next(iter(shapes.values()))),), {}
    return (), {key.removesuffix("_shape"): _specs(shape) for key, shape in shapes.items()}


def _spec_of(tensor: Any) -> Any:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _specs(shape: Any) -> Any:
    if isinstance(shape, dict):
        shapes = cast("dict[str, Any]", shape)
        return {key: _specs(value) for key, value in shapes.items()}
    if all(size is None or isinstance(size, int) for size in shape):
        return tf.TensorSpec((None, *shape[1:]), tf.float32)
    return [_specs(value) for value in shape]


class _Reading:
    """Turns the operations through which the inputs flow into nodes."""

    def __init__(self, model: Any, graph: Any, outputs: Iterable[Any]) -> None:
        self._model = model
        self._graph = graph
        self._outputs = [_through_identity(tensor.op) for tensor in outputs]
        self._tree = None if model is None else layer_tree(model)
        self._variables = self._captured_variables()
        self._data: set[str] = set()
        self._read: dict[str, tuple[str, ...]] = {}  # operation -> the variables that it is computed from

    def nodes(self) -> tuple[GraphNode, ...]:
        operations = self._graph.get_operations()  # in an order in which inputs come first
        given = {tensor.op.name for tensor in self._graph.inputs if tensor.dtype != tf.resource}
        for operation in operations:
            self._look(operation, given)
        wanted = {operation.name for operation in self._outputs}
        for operation in reversed(operations):
            if operation.name in wanted:
                wanted.update(tensor.op.name for tensor in operation.inputs)
        kept = [o for o in operations if o.name in self._data and o.name in wanted]
        ends = tuple(dict.fromkeys(operation.name for operation in self._outputs))
        return *(self._node(o, given) for o in kept), GraphNode("output", "output", inputs=ends)

    def _look(self, operation: Any, given: set[str]) -> None:
        name, before = operation.name, [tensor.op.name for tensor in operation.inputs]
        if name in given or (operation.type not in _NOT_DATA and any(b in self._data for b in before)):
            self._data.add(name)
        found = [v for b in before if b not in self._data for v in self._read.get(b, ())]
        own = [self._variables[name]] if name in self._variables else []
        self._read[name] = tuple(dict.fromkeys(own + found))

    def _node(self, operation: Any, given: set[str]) -> GraphNode:
        inputs = (tensor.op.name for tensor in operation.inputs)
        return GraphNode(
            node_id=operation.name,
            op="input" if operation.name in given else operation.type,
            module=self._module(operation.name),
            inputs=tuple(i for i in inputs if i in self._data),
            output_shapes=tuple(_shape(tensor) for tensor in operation.outputs),
            attributes=self._attributes(operation),
        )

    def _attributes(self, operation: Any) -> dict[str, str]:
        read = self._read[operation.name]
        attributes = {"parameters": ", ".join(read)} if read else {}
        for key, value in operation.node_def.attr.items():
            if key not in _DULL_ATTRIBUTES and not key.startswith("_"):
                attributes.update(_plain(key, value))
        return attributes

    def _captured_variables(self) -> dict[str, str]:
        """Return placeholder -> path of the variable that it stands for."""
        path_of, captures = VariablePaths(self._model), self._graph.captures
        variables = self._graph.variables if self._model is None else self._model.variables
        handles = {id(raw_value(v).handle): path_of(v) for v in variables}
        return {inner.op.name: handles[id(outer)] for outer, inner in captures if id(outer) in handles}

    def _module(self, name: str) -> str:
        """Return the path of the layer in whose name scope an operation lies."""
        scopes = name.split("/")[:-1]
        if self._tree is None:
            return "/".join(scopes)
        # Keras opens a scope of each name twice a call, so that the one with operations has a number.
        numbered = bool(scopes) and scopes[0] != self._model.name
        path = ""
        for scope in scopes[1:]:
            plain = re.sub(r"_\d+$", "", scope) if numbered else scope
            if plain not in self._tree.get(path, ()):
                break
            path = f"{path}/{plain}" if path else plain
        return path


def _through_identity(operation: Any) -> Any:
    while operation.type == "Identity":
        operation = operation.inputs[0].op
    return operation


def _shape(tensor: Any) -> TensorShape:
    return tuple(tensor.shape) if tensor.shape.rank is not None else ()


def _plain(key: str, value: Any) -> dict[str, str]:
    kind = value.WhichOneof("value")
    if kind in ("i", "f", "b"):
        return {key: str(getattr(value, kind))}
    if kind == "s":
        return {key: value.s.decode("utf-8", "replace")} if value.s else {}
    if kind == "list" and value.list.i:
        return {key: str(list(value.list.i))}
    return {}
