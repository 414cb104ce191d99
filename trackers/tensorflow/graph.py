"""The graph of a Keras model: its layers, and the operations of the function that it traces to.

The model is traced for inference into a graph of its own; nothing is computed and no variable changes.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import re
from typing import Any, cast

import tensorflow

from ...storage.kinds.graph import GraphData, GraphNode, Layer, TensorShape
from ..keras.model import Tree, VariablePaths, layer_table, layer_tree, raw_value
from .costs import with_costs
from .reading import GraphReading, attempt

tf: Any = tensorflow  # its types say little


def capture_keras_graph(model: Any, name: str = "model") -> GraphData:
    """Return the graph of a built Keras model, with whatever detail can be had; never raises.

    Its `source` is "tf.function" with operations, or "keras" when the model could not be traced.
    """
    reading = attempt("tracing", lambda: _trace(model))
    nodes = () if reading is None else attempt("reading", reading.nodes) or ()
    layers = attempt("layers", lambda: layer_table(model, _shapes(nodes))) or ()
    if reading is not None:
        layers = attempt("costs", lambda: _with_costs(model, layers, reading)) or layers
    return GraphData(name, "keras", "tf.function" if nodes else "keras", nodes, layers)


def capture_function_graph(concrete: Any, name: str = "model") -> GraphData:
    """Return the graph of a tf.function for one signature, by its name scopes; never raises.

    Args:
        concrete: what `function.get_concrete_function(...)` returns.
        name: the graph's name.
    """
    variables = {
        id(variable.handle): variable.name.partition(":")[0] for variable in concrete.graph.variables
    }
    nodes = attempt("reading", lambda: _read(concrete, variables, _scopes).nodes()) or ()
    return GraphData(name, "tensorflow", "tf.function", nodes)


def _with_costs(model: Any, layers: tuple[Layer, ...], reading: GraphReading) -> tuple[Layer, ...]:
    found = with_costs(layers, reading)
    if all(layer.flops is not None for layer in found):
        return found
    # A layer that merges the open batch with another length hides both; traced for one sample, it does not.
    return with_costs(layers, _trace(model, batch=1))


def _trace(model: Any, batch: int | None = None) -> GraphReading:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return model(*args, **kwargs)

    def sized(spec: Any) -> Any:
        return spec if batch is None else tf.TensorSpec((batch, *spec.shape[1:]), spec.dtype)

    signature = tf.nest.map_structure(sized, _signature(model))
    concrete = tf.function(call, autograph=False).get_concrete_function(*signature)
    path_of = VariablePaths(model)
    variables = {id(raw_value(variable).handle): path_of(variable) for variable in model.variables}
    return _read(concrete, variables, _Scopes(model))


def _read(concrete: Any, variables: dict[int, str], module_of: Any) -> GraphReading:
    """Read a concrete function; `variables` are paths by the id of the handle that it captures."""
    graph = concrete.graph
    captured = {
        inner.op.name: variables[id(outer)] for outer, inner in graph.captures if id(outer) in variables
    }
    outputs = [tensor.op for tensor in tf.nest.flatten(concrete.structured_outputs) if hasattr(tensor, "op")]
    inputs = [tensor.op for tensor in graph.inputs if tensor.dtype != tf.resource]
    return GraphReading(graph, inputs, outputs, variables=captured, module_of=module_of)


def _shapes(nodes: tuple[GraphNode, ...]) -> dict[str, TensorShape]:
    """Return what each layer gives: its last operation's output."""
    shapes: dict[str, TensorShape] = {}
    for node in nodes:
        parts = node.module.split("/") if node.module else []
        for depth in range(len(parts) + 1):
            shapes.update({"/".join(parts[:depth]): shape for shape in node.output_shapes[:1]})
    return shapes


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


def _scopes(operation: str) -> str:
    return operation.rpartition("/")[0]


class _Scopes:
    """Tells in which layer of a Keras model an operation lies, by its name scope."""

    def __init__(self, model: Any) -> None:
        self._name: str = model.name
        self._tree: Tree = layer_tree(model)

    def __call__(self, operation: str) -> str:
        scopes = operation.split("/")[:-1]
        # Keras opens a scope of each name twice a call, so that the one with operations has a number.
        numbered = bool(scopes) and scopes[0] != self._name
        path = ""
        for scope in scopes[1:]:
            plain = re.sub(r"_\d+$", "", scope) if numbered else scope
            if plain not in self._tree.get(path, ()):
                break
            path = f"{path}/{plain}" if path else plain
        return path
