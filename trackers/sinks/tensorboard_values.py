"""Stepscope's values as TensorBoard's protos: one function for each kind. Pure: nothing is written here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.kinds.audio import AudioData
from ...storage.kinds.graph import GraphData, GraphNode, Layer, TensorShape
from ...storage.kinds.histogram import HistogramData
from ...storage.kinds.image import ImageData
from ...storage.kinds.text import TextData
from .tensorboard_protos import (
    audio_metadata,
    graph_pb2,
    histogram_metadata,
    image_metadata,
    node_def_pb2,
    summary_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    text_metadata,
    types_pb2,
)

_PRODUCER = 22
"""The GraphDef version that torch's own writer gives, and that TensorBoard's page reads."""
_UNSAFE = re.compile(r"[^\w./\\>-]+")


def summary_value(kind: str, tag: str, value: Any, described: bool) -> Any:
    """Return a Summary.Value.

    Args:
        kind: "histogram", "image", "audio" or "text".
        tag: the series' name in TensorBoard.
        value: the kind's data class.
        described: whether an earlier value of the tag has told TensorBoard the kind; only the first
            one's metadata counts.
    """
    message = summary_pb2.Summary.Value(tag=tag, tensor=_TENSORS[kind](value))
    if not described:
        message.metadata.CopyFrom(metadata(kind))
    return message


def metadata(kind: str) -> Any:
    """Return the SummaryMetadata that tells TensorBoard's plugins what the tensors of a tag are."""
    made: Any = _METADATA[kind]()
    if kind in _DATA_CLASSES:
        made.data_class = _DATA_CLASSES[kind]
    return made


def histogram_buckets(value: HistogramData) -> NDArray[np.float64]:
    """Return the buckets as TensorBoard takes them: float64 (k, 3), columns left, right, count.

    An empty histogram has one bucket of nothing, like those that TensorFlow writes.
    """
    if not len(value.counts):
        return np.zeros((1, 3))
    return np.stack([value.edges[:-1], value.edges[1:], value.counts], axis=1)


def graph_def(graph: GraphData) -> Any:
    """Return a GraphDef whose scopes are the modules; the layers alone where no operations are known."""
    layers = {layer.path: layer for layer in graph.layers}
    nodes = graph.nodes or tuple(_node_of(layer) for layer in graph.layers if layer.path)
    names = _scoped_names(nodes)
    made = [_node_def(node, names, layers.get(node.module)) for node in nodes]
    return graph_pb2.GraphDef(node=made, versions={"producer": _PRODUCER})


def _histogram_tensor(value: HistogramData) -> Any:
    buckets = histogram_buckets(value)
    content = buckets.astype("<f8").tobytes()
    return tensor_pb2.TensorProto(
        dtype=types_pb2.DT_DOUBLE, tensor_shape=_shape(buckets.shape), tensor_content=content
    )


def _image_tensor(value: ImageData) -> Any:
    parts = [str(value.width).encode(), str(value.height).encode(), value.data]
    return _strings(parts, (3,))


def _audio_tensor(value: AudioData) -> Any:
    return _strings([value.data, (value.caption or "").encode()], (1, 2))


def _text_tensor(value: TextData) -> Any:
    # A vector would be shown as a table of one cell.
    return _strings([value.text.encode()], ())


def _strings(parts: list[bytes], shape: tuple[int, ...]) -> Any:
    return tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=_shape(shape), string_val=parts)


def _shape(shape: TensorShape) -> Any:
    sizes = [{"size": -1 if size is None else size} for size in shape]
    return tensor_shape_pb2.TensorShapeProto(dim=sizes)


def _node_of(layer: Layer) -> GraphNode:
    shapes = () if layer.output_shape is None else (layer.output_shape,)
    return GraphNode(layer.path, layer.type, module=layer.path, output_shapes=shapes)


def _scoped_names(nodes: tuple[GraphNode, ...]) -> dict[str, str]:
    """Return node_id -> a unique name; TensorBoard makes the parts before "/" into nested boxes."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for node in nodes:
        inside = not node.module or node.node_id == node.module or node.node_id.startswith(f"{node.module}/")
        wanted = node.node_id if inside else f"{node.module}/{node.node_id}"
        # ":" and "^" in front have a meaning in the inputs of a GraphDef.
        name = plain = _UNSAFE.sub("_", wanted).strip("/") or "node"
        again = 1
        while name in taken:
            again += 1
            name = f"{plain}_{again}"
        taken.add(name)
        names[node.node_id] = name
    return names


def _node_def(node: GraphNode, names: dict[str, str], layer: Layer | None) -> Any:
    made = node_def_pb2.NodeDef(name=names[node.node_id], op=node.op)
    made.input.extend(names[source] for source in node.inputs if source in names)
    if node.output_shapes:
        shapes = [_shape(shape) for shape in node.output_shapes]
        made.attr["_output_shapes"].list.shape.extend(shapes)
    for key, text in node.attributes.items():
        made.attr[key].s = text.encode()
    if layer is not None:
        made.attr["module_type"].s = layer.type.encode()
        made.attr["module_parameters"].i = layer.parameters
    return made


_TENSORS: dict[str, Callable[[Any], Any]] = {
    "histogram": _histogram_tensor,
    "image": _image_tensor,
    "audio": _audio_tensor,
    "text": _text_tensor,
}
_METADATA: dict[str, Callable[[], Any]] = {
    "histogram": lambda: histogram_metadata.create_summary_metadata(None, None),
    "image": lambda: image_metadata.create_summary_metadata(None, None),
    "audio": lambda: audio_metadata.create_summary_metadata(
        None, None, encoding=audio_metadata.Encoding.Value("WAV")
    ),
    "text": lambda: text_metadata.create_summary_metadata(None, None),
}
# Sounds go without: TensorBoard then drops the captions by itself, which it would else take for sounds.
_DATA_CLASSES: dict[str, int] = {
    "histogram": summary_pb2.DATA_CLASS_TENSOR,
    "image": summary_pb2.DATA_CLASS_BLOB_SEQUENCE,
    "text": summary_pb2.DATA_CLASS_TENSOR,
}
