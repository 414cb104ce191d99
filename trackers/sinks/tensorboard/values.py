"""Stepscope's values as TensorBoard's protos: one function for each kind. Pure: nothing is written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....storage.kinds.graph import GraphData, GraphNode, Layer, TensorShape
from ....storage.kinds.histogram import HistogramData
from .media import markdown_of, mesh_parts, picture_of, pr_curve_rows
from .protos import (
    audio_metadata,
    graph_pb2,
    histogram_metadata,
    image_metadata,
    node_def_pb2,
    pr_curve_metadata,
    summary_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    text_metadata,
    types_pb2,
)

_PRODUCER = 22
"""The GraphDef version that torch's own writer gives, and that TensorBoard's page reads."""
_UNSAFE = re.compile(r"[^\w./\\>-]+")


JOINED = frozenset({"image", "video", "figure", "audio", "text", "table"})
"""Kinds of which TensorBoard shows several values of one step, if they are one value."""
_PICTURES = ("image", "video", "figure")
_CAPTIONED = 2
"""Strings of a sound: the file and its caption."""


@dataclass(frozen=True, slots=True)
class Strings:
    """A value of one of the JOINED kinds as TensorBoard keeps it."""

    head: tuple[bytes, ...]
    """What stands once before the values of a step: of pictures, width and height."""
    parts: tuple[bytes, ...]
    original: bool
    """Whether the first part is what the store keeps, to the byte."""


def strings_of(kind: str, value: Any) -> Strings:
    """Return a value of one of the JOINED kinds. Raises what `picture_of` does."""
    if kind in _PICTURES:
        picture = picture_of(value)
        head = (str(picture.width).encode(), str(picture.height).encode())
        return Strings(head, (picture.data,), picture.data == value.data)
    if kind == "audio":
        return Strings((), (value.data, (value.caption or "").encode("utf-8", "replace")), original=True)
    return Strings((), (markdown_of(value).encode("utf-8", "replace"),), original=kind == "text")


def joined(kind: str, tag: str, values: Sequence[Strings]) -> Any:
    """Return the Summary.Value of all values of one step, of one of the JOINED kinds."""
    parts = [*values[0].head, *(part for value in values for part in value.parts)]
    if kind in _PICTURES:
        shape: tuple[int, ...] = (len(parts),)
    elif kind == "audio":
        shape = (len(values), _CAPTIONED)
    else:
        # A vector is shown as a table.
        shape = () if len(values) == 1 else (len(values),)
    return summary_pb2.Summary.Value(tag=tag, tensor=_strings(parts, shape))


def place_in_joined(values: Sequence[Strings], index: int) -> int:
    """Return where the first part of one of the values lies among all strings of `joined`."""
    return len(values[0].head) + index * len(values[0].parts)


def array_values(kind: str, tag: str, value: Any) -> list[Any]:
    """Return the Summary.Values of a histogram, a PR curve or a mesh: of that, one for each of its arrays.

    Only those of a mesh have metadata: one may lack an array that the next one has.
    """
    if kind == "mesh":
        return [
            summary_pb2.Summary.Value(tag=part.tag, tensor=tensor(part.array), metadata=part.metadata)
            for part in mesh_parts(tag, value)
        ]
    rows = histogram_buckets(value) if kind == "histogram" else pr_curve_rows(value)
    return [summary_pb2.Summary.Value(tag=tag, tensor=tensor(rows))]


def metadata(kind: str, value: Any) -> Any:
    """Return the SummaryMetadata that tells TensorBoard's plugins what the tensors of a tag are.

    Args:
        kind: one of JOINED, "histogram" or "pr_curve".
        value: the first one of the series.
    """
    made: Any = _METADATA[kind](value)
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


def tensor(array: NDArray[Any]) -> Any:
    """Return numbers as a TensorProto: float64 or float32."""
    double = array.dtype == np.float64
    return tensor_pb2.TensorProto(
        dtype=types_pb2.DT_DOUBLE if double else types_pb2.DT_FLOAT,
        tensor_shape=_shape(array.shape),
        tensor_content=array.astype("<f8" if double else "<f4").tobytes(),
    )


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


def _like_images(_: Any) -> Any:
    return image_metadata.create_summary_metadata(None, None)


def _like_text(_: Any) -> Any:
    return text_metadata.create_summary_metadata(None, None)


_METADATA: dict[str, Callable[[Any], Any]] = {
    "histogram": lambda _: histogram_metadata.create_summary_metadata(None, None),
    "image": _like_images,
    "video": _like_images,
    "figure": _like_images,
    "audio": lambda _: audio_metadata.create_summary_metadata(
        None, None, encoding=audio_metadata.Encoding.Value("WAV")
    ),
    "text": _like_text,
    "table": _like_text,
    "pr_curve": lambda value: pr_curve_metadata.create_summary_metadata(None, None, len(value.tp)),
}
# Sounds go without: TensorBoard then drops the captions by itself, which it would else take for sounds.
_DATA_CLASSES: dict[str, int] = {
    "histogram": summary_pb2.DATA_CLASS_TENSOR,
    "image": summary_pb2.DATA_CLASS_BLOB_SEQUENCE,
    "video": summary_pb2.DATA_CLASS_BLOB_SEQUENCE,
    "figure": summary_pb2.DATA_CLASS_BLOB_SEQUENCE,
    "text": summary_pb2.DATA_CLASS_TENSOR,
    "table": summary_pb2.DATA_CLASS_TENSOR,
    "pr_curve": summary_pb2.DATA_CLASS_TENSOR,
}
