"""Model graphs, in one form for every framework.

A graph has nodes (operations, with the data that flows between them) and layers (the tree of
modules with their parameters). Either may be missing: a module tree alone has no nodes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import zstandard

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape

TensorShape: TypeAlias = tuple[int | None, ...]
"""A tensor's shape; None where it varies, such as the batch."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One operation."""

    node_id: str
    """Unique within the graph."""
    op: str
    """As the framework names it: "aten.conv2d", "Conv2D", "Relu"."""
    module: str = ""
    """Path of the module that ran it, parts joined by "/"; "" at the top."""
    inputs: tuple[str, ...] = ()
    """node_ids in the order of the operation's arguments."""
    output_shapes: tuple[TensorShape, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Layer:
    """One module of the model's tree, in the order of definition."""

    path: str
    """Parts joined by "/"; "" is the model itself."""
    type: str
    """The class name: "Conv2d", "Dense"."""
    parameters: int = 0
    """Numbers held by this module itself, not by its children."""
    trainable: int = 0
    """How many of them are trained."""
    output_shape: TensorShape | None = None
    flops: int | None = None
    """Of a forward of one sample, without its children's; a multiply-add counts as 2."""
    memory: int | None = None
    """Bytes of its own parameters and of what it returns for one sample, unless a child returned the same."""


@dataclass(frozen=True, slots=True)
class GraphData:
    """The graph of one model."""

    name: str
    framework: str
    source: str
    """How it was found: "torch.export", "torch.fx", "torch.jit", "modules", "keras", "tf.function"."""
    nodes: tuple[GraphNode, ...] = ()
    layers: tuple[Layer, ...] = ()

    @property
    def parameters(self) -> int:
        """How many numbers the model holds."""
        return sum(layer.parameters for layer in self.layers)

    def to_json(self) -> str:
        """Return the graph as JSON; `from_json` is its inverse."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> GraphData:
        """Read what `to_json` wrote. Raises StoreDamaged when it is something else."""
        try:
            data = json.loads(text)
            nodes = tuple(_node(node) for node in data.pop("nodes"))
            layers = tuple(_layer(layer) for layer in data.pop("layers"))
            return cls(nodes=nodes, layers=layers, **data)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreDamaged(f"not a graph: {text[:80]!r}") from error


def encode(raw: RawValue) -> EncodedValue:
    """Compress the JSON text of a GraphData."""
    meta = {key: raw.meta[key] for key in ("nodes", "layers", "parameters") if key in raw.meta}
    return EncodedValue(zstandard.compress(bytes(raw.data), 3), meta)


def decode(meta: Mapping[str, Any], data: bytes) -> GraphData:
    """Return the graph."""
    try:
        text = zstandard.decompress(data).decode("utf-8")
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise StoreDamaged(f"a graph of {len(data)} bytes cannot be read: {error}") from error
    return GraphData.from_json(text)


def _node(data: dict[str, Any]) -> GraphNode:
    data["inputs"] = tuple(data["inputs"])
    data["output_shapes"] = tuple(tuple(shape) for shape in data["output_shapes"])
    return GraphNode(**data)


def _layer(data: dict[str, Any]) -> Layer:
    if data["output_shape"] is not None:
        data["output_shape"] = tuple(data["output_shape"])
    return Layer(**data)


KIND = Kind("graph", Shape.DOCUMENT, "application/json", encode, decode)
