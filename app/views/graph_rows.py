"""The layers of a graph with what they hold and cost added up, and their paths. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ...storage.kinds.graph import GraphData, TensorShape

DEEPEST = 40
"""Levels; of a path that goes deeper, the rest is one name."""


@dataclass(frozen=True, slots=True)
class Row:
    """One layer with all that is inside it."""

    path: str
    type: str
    output: TensorShape | None
    parameters: int
    trainable: int
    share: float
    """Of the model's parameters, 0 to 1."""
    flops: int | None = None
    """Of a forward of one sample; None when it is not known of anything inside."""
    memory: int | None = None
    """Bytes of parameters and of outputs for one sample."""


def rows(data: GraphData) -> list[Row]:
    """Return the layers in the order of definition, with what they hold and cost added up."""
    total = max(data.parameters, 1)
    parameters, trainable, flops, memory = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for layer in data.layers:
        for path in (*upwards(layer.path), ""):
            parameters[path] += layer.parameters
            trainable[path] += layer.trainable
            # A counter without an entry tells what is not known from a zero.
            flops.update({path: layer.flops} if layer.flops is not None else {})
            memory.update({path: layer.memory} if layer.memory is not None else {})
    return [
        Row(
            layer.path,
            layer.type,
            layer.output_shape,
            parameters[layer.path],
            trainable[layer.path],
            parameters[layer.path] / total,
            flops.get(layer.path),
            memory.get(layer.path),
        )
        for layer in data.layers
    ]


def name_of(path: str) -> str:
    """Return the last part of a path."""
    parent = parent_of(path)
    return path[len(parent) + 1 :] if parent else path


def parent_of(path: str) -> str:
    """Return the path around a path; "" for one at the top."""
    return "/".join(path.split("/", DEEPEST - 1)[:-1])


def upwards(path: str) -> Iterator[str]:
    """Yield a path and those around it, not the model itself."""
    while path:
        yield path
        path = parent_of(path)
