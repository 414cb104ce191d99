"""Graphs in the further forms in which TensorBoard shows them, beside the graph of a run. Pure.

The conceptual graph is that of the layers. TensorBoard knows it as the configuration of a Keras model, so
that is the form here, for models of any framework.
"""

from __future__ import annotations

import json
from typing import Any

from ....storage.kinds.graph import GraphData, GraphNode
from .protos import config_pb2, graph_metadata, summary_pb2, tensor_pb2, types_pb2
from .values import graph_def

_INPUTS = frozenset({"placeholder", "Placeholder", "InputLayer"})


def graph_in_metadata(graph: GraphData) -> Any:
    """Return the RunMetadata that holds the graph: how TensorBoard keeps graphs that have a tag."""
    return config_pb2.RunMetadata(function_graphs=[{"pre_optimization_graph": graph_def(graph)}])


def conceptual_graph(graph: GraphData) -> bytes:
    """Return the layers, and which of them gets its input from which, as a Keras model's JSON."""
    parents = {layer.path.rpartition("/")[0] for layer in graph.layers}
    leaves = {layer.path: layer.type for layer in graph.layers if layer.path and layer.path not in parents}
    # TensorBoard fails at a model without layers.
    leaves = leaves or {node.node_id: node.op for node in graph.nodes} or {"model": "Model"}
    inputs = _inputs_of_layers(graph, leaves)
    entries = {node.node_id: "Input" for node in graph.nodes if _is_input(node, leaves)}
    layers = [_layer(name, kind, inputs.get(name, [])) for name, kind in {**entries, **leaves}.items()]
    # TensorBoard takes the name for the outermost box.
    return json.dumps({"config": {"name": graph.name or "model", "layers": layers}}).encode()


def conceptual_value(tag: str, graph: GraphData) -> Any:
    """Return the Summary.Value by which event files bring the conceptual graph."""
    plugin = {"plugin_name": graph_metadata.PLUGIN_NAME_KERAS_MODEL, "content": b"1"}
    described = summary_pb2.SummaryMetadata(
        plugin_data=plugin, data_class=summary_pb2.DATA_CLASS_BLOB_SEQUENCE
    )
    content = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, tensor_shape={"dim": [{"size": 1}]}, string_val=[conceptual_graph(graph)]
    )
    return summary_pb2.Summary.Value(tag=tag, metadata=described, tensor=content)


def _layer(name: str, kind: str, inputs: list[str]) -> dict[str, Any]:
    history = [{"config": {"keras_history": [source, 0, 0]}} for source in inputs]
    return {
        # TensorBoard fails at letters beyond ASCII here.
        "class_name": kind.encode("ascii", "replace").decode(),
        "config": {"name": name},
        "inbound_nodes": [{"args": history}],
    }


def _inputs_of_layers(graph: GraphData, leaves: dict[str, str]) -> dict[str, list[str]]:
    """Return layer -> the layers and inputs of the model whose data reach it with no layer between."""
    # Nodes follow those that they take data from; where they do not, an edge is left out.
    reached: dict[str, dict[str, None]] = {}
    inputs: dict[str, dict[str, None]] = {}
    for node in graph.nodes:
        layer = _leaf_of(node, leaves)
        sources = {name: None for source in node.inputs for name in reached.get(source, {})}
        if layer is not None:
            inputs.setdefault(layer, {}).update((name, None) for name in sources if name != layer)
            reached[node.node_id] = {layer: None}
        else:
            reached[node.node_id] = {node.node_id: None} if _is_input(node, leaves) else sources
    return {layer: list(names) for layer, names in inputs.items()}


def _is_input(node: GraphNode, leaves: dict[str, str]) -> bool:
    return node.op in _INPUTS and not node.inputs and _leaf_of(node, leaves) is None


def _leaf_of(node: GraphNode, leaves: dict[str, str]) -> str | None:
    """Return the layer that a node is, or is inside of."""
    return next((path for path in (node.module, node.node_id) if path in leaves), None)
