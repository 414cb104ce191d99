"""The layers of a graph as they are compared with those of another. Pure.

A unit is a layer that computes, with all that is inside it where frameworks build it differently (attention,
recurrent layers). Modules that only hold others are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...storage.kinds.graph import GraphData, Layer, TensorShape
from .layer_kinds import ACTIVATIONS, CONTAINERS, MOVES_DATA, WHOLE, kind_of


@dataclass(frozen=True, slots=True)
class Unit:
    """A layer as it is compared."""

    path: str
    type: str
    """As its framework names it."""
    kind: str
    """The same word for all frameworks."""
    shape: TensorShape | None
    """Of its output, the batch first; None when it is not known."""
    parameters: int
    trainable: int
    flops: int | None
    """Of a forward of one sample; None when it is not known."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def minor(self) -> bool:
        """Whether code often does the same without a layer."""
        return not self.parameters and (self.kind in ACTIVATIONS or self.kind in MOVES_DATA)


def units(data: GraphData) -> list[Unit]:
    """Return the layers that are compared, in the order in which data pass them where that is known."""
    kinds = {layer.path: kind_of(layer.type, data.framework) for layer in data.layers}
    parents = {layer.path.rpartition("/")[0] for layer in data.layers if layer.path}
    wholes = {path for path, kind in kinds.items() if kind in WHOLE and path in parents}
    found: dict[str, Unit] = {}
    for layer in data.layers:
        whole = next((path for path in _above(layer.path) if path in wholes and path in found), None)
        if whole is not None:
            found[whole] = _with_inner(found[whole], layer)
        elif layer.path in wholes or _computes(layer, kinds[layer.path], layer.path in parents):
            found[layer.path] = _unit(layer, kinds[layer.path])
    return _in_order(list(found.values()), data)


def flops_of(data: GraphData) -> int | None:
    """Return what a forward of one sample costs; None when it is not known of any layer."""
    known = [layer.flops for layer in data.layers if layer.flops is not None]
    return sum(known) if known else None


def _computes(layer: Layer, kind: str, holds_others: bool) -> bool:
    return bool(layer.parameters) or not (holds_others or kind in CONTAINERS)


def _unit(layer: Layer, kind: str) -> Unit:
    return Unit(
        layer.path, layer.type, kind, layer.output_shape, layer.parameters, layer.trainable, layer.flops
    )


def _with_inner(unit: Unit, layer: Layer) -> Unit:
    flops = unit.flops if layer.flops is None else (unit.flops or 0) + layer.flops
    return replace(
        unit,
        parameters=unit.parameters + layer.parameters,
        trainable=unit.trainable + layer.trainable,
        flops=flops,
    )


def _above(path: str) -> Iterator[str]:
    """Yield the paths around a path, the nearest first."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _in_order(found: list[Unit], data: GraphData) -> list[Unit]:
    """Sort units by the first operation of each; one without any stays behind the one before it."""
    first: dict[str, int] = {}
    for place, node in enumerate(data.nodes):
        for path in (node.module, *_above(node.module)):
            first.setdefault(path, place)
    at, places = -1, list[int]()
    for unit in found:
        at = first.get(unit.path, at)
        places.append(at)
    return [found[place] for place in np.argsort(places, kind="stable").tolist()]
