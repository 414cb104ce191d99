"""TensorProto -> numpy, for the messages of TensorFlow and of the tensorboard package alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....storage.errors import BadInput

_STRING, _BFLOAT16 = 7, 14
_TYPES: dict[int, tuple[str, str]] = {
    1: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    3: ("<i4", "int_val"),
    4: ("|u1", "int_val"),
    5: ("<i2", "int_val"),
    6: ("|i1", "int_val"),
    9: ("<i8", "int64_val"),
    10: ("|b1", "bool_val"),
    14: ("<u2", "half_val"),
    17: ("<u2", "int_val"),
    19: ("<f2", "half_val"),
    22: ("<u4", "uint32_val"),
    23: ("<u8", "uint64_val"),
}
"""DataType -> how numpy calls it, and the field that holds its values one by one; bfloat16 by its bits."""
MOST_NUMBERS = 1 << 28


def ndarray_of(tensor: Any) -> NDArray[Any]:
    """Return a tensor's values; those of strings as objects of type bytes, bfloat16 as float32.

    Raises:
        BadInput: its type is none that is known, or its values do not fit its shape.
    """
    shape = tuple(int(dim.size) for dim in tensor.tensor_shape.dim)
    size = int(np.prod(shape, dtype=object)) if shape else 1
    if min(shape, default=0) < 0 or size > MOST_NUMBERS:
        raise BadInput(f"expected a tensor of up to {MOST_NUMBERS:,} values, but its shape is {shape}")
    if tensor.dtype == _STRING:
        words = np.empty(len(tensor.string_val), object)
        words[:] = list(tensor.string_val)
        return _shaped(words, shape, size)
    if tensor.dtype not in _TYPES:
        raise BadInput(f"expected a tensor of numbers or strings, but its DataType is {tensor.dtype}")
    return _numbers(tensor, shape, size)


def _numbers(tensor: Any, shape: tuple[int, ...], size: int) -> NDArray[Any]:
    dtype, field = _TYPES[tensor.dtype]
    if tensor.tensor_content:
        if len(tensor.tensor_content) % np.dtype(dtype).itemsize:
            raise BadInput(f"expected {size} values, but got {len(tensor.tensor_content)} bytes")
        values = np.frombuffer(tensor.tensor_content, dtype)
    elif field == "half_val":
        values = np.array(list(tensor.half_val), np.uint16).view(dtype)
    else:
        values = np.array(list(getattr(tensor, field)), dtype)
    if tensor.dtype == _BFLOAT16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return _shaped(values, shape, size)


def _shaped(values: NDArray[Any], shape: tuple[int, ...], size: int) -> NDArray[Any]:
    """Return values in their shape; the last one stands for all that are not written, as in TensorFlow."""
    if len(values) > size:
        raise BadInput(f"expected {size} values for the shape {shape}, but got {len(values)}")
    if len(values) < size:
        if not len(values) and values.dtype == object:
            raise BadInput(f"expected {size} strings for the shape {shape}, but got none")
        last = values[-1:] if len(values) else np.zeros(1, values.dtype)
        values = np.concatenate([values, np.repeat(last, size - len(values))])
    return values.reshape(shape)
