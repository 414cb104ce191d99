"""The graph of a TensorFlow 1 program: placeholders, variables and the loss, without what trains them."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow

from ...storage.kinds.graph import GraphData, GraphNode, Layer
from .costs import with_costs
from .reading import GraphReading, attempt, shape_of

tf: Any = tensorflow  # its types say little

_SOURCES = {
    "Placeholder",
    "_Arg",
    "PlaceholderV2",
    "PlaceholderWithDefault",
    "IteratorGetNext",
    "OneShotIterator",
}
_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}
_LAYER_TYPES = {
    "Conv2D": "Conv2D",
    "Conv3D": "Conv3D",
    "DepthwiseConv2dNative": "DepthwiseConv2D",
    "MatMul": "Dense",
    "FusedBatchNorm": "BatchNormalization",
    "FusedBatchNormV3": "BatchNormalization",
    "ResourceGather": "Embedding",
    "GatherV2": "Embedding",
    "MaxPool": "MaxPooling2D",
    "AvgPool": "AveragePooling2D",
}
"""What an operation says about the layer that it stands in; Keras' names."""


def capture_static_graph(graph: Any, outputs: Iterable[Any] = (), name: str = "model") -> GraphData:
    """Return what lies between the placeholders (or iterators) of a tf.Graph and some outputs; never raises.

    Args:
        graph: a tf.Graph, finished or not.
        outputs: tensors, such as the loss. Left out, it is everything that no gradient or optimizer made.
        name: the graph's name.
    """
    ends = [tensor.op for tensor in outputs]
    reading = attempt("reading", lambda: _read(graph, ends))
    nodes = () if reading is None else attempt("nodes", reading.nodes) or ()
    layers: tuple[Layer, ...] = ()
    if reading is not None:
        layers = attempt("layers", lambda: with_costs(_layers(graph, reading), reading)) or ()
    return GraphData(name, "tensorflow", "tf.Graph", nodes, layers)


def capture_graph_def(graph_def: Any, name: str = "model") -> GraphData:
    """Return the graph of a GraphDef, with shapes if TensorFlow can still load it; never raises."""

    def load() -> Any:
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(graph_def, name="")
        return graph

    graph = attempt("loading", load)
    if graph is not None:
        return capture_static_graph(graph, name=name)
    return GraphData(name, "tensorflow", "tf.Graph", tuple(_plain_node(node) for node in graph_def.node))


def forward_outputs(graph: Any, outputs: Iterable[Any]) -> dict[str, Any]:
    """Return scope -> the floating point tensor that it gives, in the order of a forward to some outputs."""
    found: dict[str, Any] = {}
    for operation in _read(graph, [tensor.op for tensor in outputs]).operations:
        for tensor in operation.outputs[:1]:
            if tensor.dtype.is_floating and operation.type not in _SOURCES:
                found.pop(_scope(operation.name), None)
                found[_scope(operation.name)] = tensor
    return found


def given_inputs(graph: Any, outputs: Iterable[Any]) -> dict[str, Any]:
    """Return operation -> the floating point tensor that it brings in from outside, to some outputs."""
    operations = _read(graph, [tensor.op for tensor in outputs]).operations
    tensors = [
        tensor for operation in operations if operation.type in _SOURCES for tensor in operation.outputs
    ]
    return {tensor.name.removesuffix(":0"): tensor for tensor in tensors if tensor.dtype.is_floating}


def _read(graph: Any, ends: list[Any]) -> GraphReading:
    operations = graph.get_operations()
    variables = {o.name: o.name for o in operations if o.type in _VARIABLES}
    sources = [o for o in operations if o.type in _SOURCES and all(t.dtype != tf.resource for t in o.outputs)]
    ends = ends or _last(operations)
    return GraphReading(graph, sources, ends, variables=variables, module_of=_scope)


def _last(operations: list[Any]) -> list[Any]:
    """Return what no other operation but those of training reads."""
    forward = [o for o in operations if not _trains(o)]
    read = {tensor.op.name for o in forward for tensor in o.inputs}
    return [o for o in forward if o.name not in read and o.type not in _VARIABLES]


def _trains(operation: Any) -> bool:
    """Whether an operation was made by an optimizer, a saver or a summary."""
    scope = operation.name.partition("/")[0]
    return (
        scope.startswith(("gradients", "save", "train", "report_uninitialized", "stepscope"))
        or "Apply" in operation.type
        or operation.type.endswith("Summary")
        or not operation.outputs
    )


def _scope(operation: str) -> str:
    return operation.rpartition("/")[0]


def _layers(graph: Any, reading: GraphReading) -> Iterator[Layer]:
    """Yield the scopes as layers: variables give parameters, operations give type, shape and cost."""
    trained = {v.op.name for v in graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES)}
    read = reading.variables_read()
    variables: dict[str, list[Any]] = {}
    for operation in graph.get_operations():
        if operation.type in _VARIABLES and operation.name in read:
            variables.setdefault(_scope(operation.name), []).append(operation)
    operations: dict[str, list[Any]] = {}
    for operation in reading.operations:
        operations.setdefault(_scope(operation.name), []).append(operation)
    for path in _with_parents([*variables, *operations]):
        inside = [o for o in operations.get(path, []) if o.type not in _SOURCES]
        yield _layer(path, inside, variables.get(path, []), trained)


def _layer(path: str, operations: list[Any], variables: list[Any], trained: set[str]) -> Layer:
    sizes = {variable.name: _size(variable) for variable in variables}
    given = operations[-1].outputs[0] if operations and operations[-1].outputs else None
    types = [_LAYER_TYPES[o.type] for o in operations if o.type in _LAYER_TYPES]
    return Layer(
        path,
        types[0] if types else "scope",
        sum(sizes.values()),
        sum(size for name, size in sizes.items() if name in trained),
        None if given is None else shape_of(given),
    )


def _size(variable: Any) -> int:
    shape = tf.TensorShape(variable.get_attr("shape"))
    return shape.num_elements() or 0


def _with_parents(paths: Iterable[str]) -> list[str]:
    """Return the paths and all above them, each once, a parent before what is in it."""
    found: dict[str, None] = {"": None}
    for path in paths:
        parts = path.split("/") if path else []
        found.update({"/".join(parts[: depth + 1]): None for depth in range(len(parts))})
    return list(found)


def _plain_node(node: Any) -> GraphNode:
    inputs = tuple(name.lstrip("^").partition(":")[0] for name in node.input)
    return GraphNode(node.name, node.op, _scope(node.name), inputs)
