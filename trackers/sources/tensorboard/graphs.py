"""GraphDef and what lies beside it -> Stepscope's graphs and tables, without TensorFlow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from ....storage.errors import BadInput
from ....storage.kinds.graph import GraphData, GraphNode, Layer, TensorShape
from ...media import Graph, Table

_TORCH_OPS = ("aten::", "prim::", "onnx::", "quantized::")
_SHAPES, _LAYER_TYPE, _LAYER_PARAMETERS = "_output_shapes", "module_type", "module_parameters"
_TORCH_SCOPE = re.compile(r"(?P<type>\w+)\[(?P<name>[^\]]*)\]")
"""As torch writes a scope: `Linear[fc1]`."""
_KERAS_CLASS = "keras_class"
_STATISTICS = ("device", "node", "start_us", "duration_us", "memory_bytes")


def graph_of(graph_def: Any, name: str = "graph") -> Graph:
    """Return the graph of a GraphDef: its operations, and its scopes as layers.

    Raises:
        BadInput: it has no operations.
    """
    if not graph_def.node:
        raise BadInput("expected a graph with operations, but it has none")
    torch = any(node.op.startswith(_TORCH_OPS) for node in graph_def.node)
    nodes = tuple(_node(node) for node in graph_def.node)
    layers = tuple(_layers(graph_def.node))
    framework, source = ("torch", "torch.jit") if torch else ("tensorflow", "tf.Graph")
    return Graph(GraphData(name, framework, source, nodes, layers))


def graph_of_functions(metadata: Any) -> Graph:
    """Return the largest of the functions that a RunMetadata holds, as tf.summary.trace_export writes it.

    Raises:
        BadInput: it holds none.
    """
    graphs = [one.pre_optimization_graph for one in metadata.function_graphs]
    graphs = graphs or list(metadata.partition_graphs)
    if not graphs:
        raise BadInput("expected the graph of a traced function, but trace_export wrote none")
    return graph_of(max(graphs, key=lambda graph: len(graph.node)))


def statistics_of(metadata: Any) -> Table | None:
    """Return when each operation of a RunMetadata ran, how long, and the memory it took; None without any."""
    rows = [
        (
            device.device,
            node.node_name,
            node.all_start_micros,
            node.all_end_rel_micros or node.op_end_rel_micros,
            sum(memory.total_bytes for memory in node.memory),
        )
        for device in metadata.step_stats.dev_stats
        for node in device.node_stats
    ]
    return Table(_STATISTICS, rows) if rows else None


def keras_graph(graph_def: Any, text: str) -> Graph:
    """Return the graph of a Keras model.

    Args:
        graph_def: what TensorBoard makes of the model's JSON: an operation for each layer.
        text: the JSON.
    """
    model = json.loads(text)
    name = str(model.get("config", {}).get("name", "model"))
    inside = f"{name}/"
    nodes = tuple(_keras_node(node, inside) for node in graph_def.node)
    types = {node.node_id: node.op for node in nodes}
    layers = [Layer("", str(model.get("class_name", "Model")))]
    layers += [Layer(path, types.get(path, "scope")) for path in _with_parents(types) if path]
    return Graph(GraphData(name, "keras", "keras", nodes, tuple(layers)))


def _keras_node(node: Any, inside: str) -> GraphNode:
    path = node.name.removeprefix(inside)
    inputs = tuple(name.removeprefix(inside) for name in node.input)
    kind = node.attr[_KERAS_CLASS].s.decode("utf-8", "replace") if _KERAS_CLASS in node.attr else node.op
    return GraphNode(path, kind, path, inputs)


def _node(node: Any) -> GraphNode:
    inputs = tuple(name.lstrip("^").partition(":")[0] for name in node.input)
    shapes = tuple(_shape(shape) for shape in node.attr[_SHAPES].list.shape) if _SHAPES in node.attr else ()
    known = {key: _attribute(value) for key, value in sorted(node.attr.items()) if key != _SHAPES}
    attributes = {key: text for key, text in known.items() if text is not None}
    return GraphNode(node.name, node.op, _scope(node.name), inputs, shapes, attributes)


def _shape(shape: Any) -> TensorShape:
    return tuple(None if dim.size < 0 else int(dim.size) for dim in shape.dim)


def _attribute(value: Any) -> str | None:
    """Return a plain attribute as text; None for a tensor, a list or a function."""
    form = value.WhichOneof("value")
    if form == "s":
        return value.s.decode("utf-8", "replace")
    return str(getattr(value, form)) if form in ("i", "f", "b", "type") else None


def _layers(nodes: Iterable[Any]) -> Iterable[Layer]:
    """Yield the scopes as layers, a parent before what is in it."""
    types: dict[str, str] = {}
    parameters: dict[str, int] = {}
    paths: list[str] = []
    for node in nodes:
        scope = _scope(node.name)
        paths.append(scope)
        if _LAYER_TYPE in node.attr:
            types[scope] = node.attr[_LAYER_TYPE].s.decode("utf-8", "replace")
            parameters[scope] = int(node.attr[_LAYER_PARAMETERS].i)
    for path in _with_parents(paths):
        told = _TORCH_SCOPE.fullmatch(path.rpartition("/")[2])
        kind = types.get(path, told["type"] if told is not None else "scope")
        yield Layer(path, kind, parameters.get(path, 0), parameters.get(path, 0))


def _with_parents(paths: Iterable[str]) -> list[str]:
    """Return the paths and all above them, each once, a parent before what is in it."""
    found: dict[str, None] = {"": None}
    for path in paths:
        parts = path.split("/") if path else []
        found.update({"/".join(parts[: depth + 1]): None for depth in range(len(parts))})
    return list(found)


def _scope(name: str) -> str:
    return name.rpartition("/")[0]
