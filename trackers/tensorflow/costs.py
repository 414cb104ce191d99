"""What operations cost for one sample: the arithmetic of products and convolutions, the bytes of results.

Counted as torch.utils.flop_counter does: a multiplication and an addition are two, all else is nothing.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ...storage.kinds.graph import Layer
from .reading import GraphReading

_BYTES = 4  # of a weight: Keras keeps them as float32, also where it computes with less
_GIVEN = {"Placeholder", "PlaceholderWithDefault", "IteratorGetNext", "_Arg"}


class UnknownSize(Exception):
    """A length other than the batch's is not known."""


def with_costs(layers: Iterable[Layer], reading: GraphReading) -> tuple[Layer, ...]:
    """Return layers with what their own operations compute and give, for one sample."""
    inside: dict[str, list[Any]] = {}
    for operation in reading.operations:
        inside.setdefault(reading.module_of(operation.name), []).append(operation)
    return tuple(_with_cost(layer, inside.get(layer.path, [])) for layer in layers)


def _with_cost(layer: Layer, operations: list[Any]) -> Layer:
    own = [one for one in operations if one.type not in _GIVEN and one.outputs]
    given = output_bytes(own[-1].outputs[0]) if own else 0
    memory = None if given is None else given + _BYTES * layer.parameters
    return replace(layer, flops=flops(own), memory=memory)


def flops(operations: Iterable[Any]) -> int | None:
    """Return the floating point operations of some tf.Operation, None if a size is not known."""
    try:
        return sum(_FLOPS[o.type](o) for o in operations if o.type in _FLOPS)
    except UnknownSize:
        return None


def output_bytes(tensor: Any) -> int | None:
    """Return the bytes of one sample of a tensor, None if a size is not known."""
    try:
        return _numbers(tensor) * tensor.dtype.size
    except UnknownSize:
        return None


def _numbers(tensor: Any) -> int:
    """Return how many numbers a tensor has, for a batch of one where the batch is open."""
    if tensor.shape.rank is None:
        raise UnknownSize
    return _product(*(1 if size is None and place == 0 else size for place, size in enumerate(tensor.shape)))


def _convolution(operation: Any) -> int:
    *window, inputs, _ = operation.inputs[1].shape
    return 2 * _numbers(operation.outputs[0]) * _product(*window, inputs)


def _depthwise(operation: Any) -> int:
    height, width, _, _ = operation.inputs[1].shape
    return 2 * _numbers(operation.outputs[0]) * _product(height, width)


def _transposed(operation: Any) -> int:
    *window, outputs, _ = operation.inputs[1].shape
    return 2 * _numbers(operation.inputs[2]) * _product(*window, outputs)


def _product_of_matrices(transposed: str) -> Callable[[Any], int]:
    def count(operation: Any) -> int:
        left = operation.inputs[0].shape
        inner = left[-2] if operation.get_attr(transposed) else left[-1]
        return 2 * _numbers(operation.outputs[0]) * _product(inner)

    return count


def _einsum(operation: Any) -> int:
    terms = operation.get_attr("equation").decode().partition("->")[0].split(",")
    sizes: dict[str, int | None] = {}
    for term, tensor in zip(terms, operation.inputs, strict=True):
        if "." in term or tensor.shape.rank is None:
            raise UnknownSize
        for place, (letter, size) in enumerate(zip(term, tensor.shape, strict=True)):
            sizes[letter] = 1 if size is None and place == 0 else size
    return 2 * _product(*sizes.values()) if len(terms) == 2 else 0


def _product(*sizes: int | None) -> int:
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        raise UnknownSize
    return math.prod(known)


def _repeated(_operation: Any) -> int:
    raise UnknownSize


_FLOPS: dict[str, Callable[[Any], int]] = {
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "Conv2DBackpropInput": _transposed,
    "Conv3DBackpropInputV2": _transposed,
    "DepthwiseConv2dNative": _depthwise,
    "MatMul": _product_of_matrices("transpose_a"),
    "BatchMatMul": _product_of_matrices("adj_x"),
    "BatchMatMulV2": _product_of_matrices("adj_x"),
    "BatchMatMulV3": _product_of_matrices("adj_x"),
    "Einsum": _einsum,
    # How often a loop runs is not known from outside.
    "While": _repeated,
    "StatelessWhile": _repeated,
}
