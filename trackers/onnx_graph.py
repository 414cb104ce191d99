"""Graphs of ONNX files."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..storage.kinds.graph import GraphData, GraphNode, TensorShape


def read_onnx_graph(path: Any) -> GraphData:
    """Return the graph of an ONNX file, with the layers that its nodes' names tell.

    Raises:
        ImportError: the onnx package is missing.
        OSError: the file cannot be read.
    """
    graph: Any = import_module("onnx").load(path, load_external_data=False).graph
    known = (*graph.input, *graph.output, *graph.value_info)
    shapes = {info.name: _shape(info.type.tensor_type) for info in known}
    weights = {tensor.name for tensor in graph.initializer}
    inputs: list[str] = [info.name for info in graph.input if info.name not in weights]
    made_by = {name: name for name in inputs}
    made_by.update(
        {output: _id(node, number) for number, node in enumerate(graph.node) for output in node.output}
    )
    nodes = [GraphNode(name, "input", output_shapes=(shapes[name],)) for name in inputs]
    for number, node in enumerate(graph.node):
        sources = tuple(made_by[name] for name in node.input if name in made_by)
        outputs = tuple(shapes[name] for name in node.output if name in shapes)
        nodes.append(GraphNode(_id(node, number), node.op_type, inputs=sources, output_shapes=outputs))
    return GraphData(graph.name or "model", "onnx", "onnx", tuple(nodes), ())


def _id(node: Any, number: int) -> str:
    return node.name or f"{node.op_type}_{number}"


def _shape(tensor: Any) -> TensorShape:
    return tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim)
