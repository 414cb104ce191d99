"""Anything that holds numbers -> numpy, recognised without importing its framework."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..storage.errors import BadInput


def is_torch_tensor(value: object) -> bool:
    """Whether this is a torch.Tensor; torch is not imported to find out."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor is not None and isinstance(value, tensor)


def is_tf_tensor(value: object) -> bool:
    """Whether this is a tf.Tensor or tf.Variable (or a Keras one holding it)."""
    return type(value).__module__.startswith(("tensorflow.", "keras.")) and (
        hasattr(value, "numpy") or hasattr(value, "graph")
    )


def to_array(value: Any, what: str) -> NDArray[Any]:
    """Return the numbers of an array, tensor, PIL image or nested list, on the CPU.

    The array may share the value's memory. Types that numpy lacks become float32.

    Raises:
        BadInput: these are not numbers; `what` names it in the message.
    """
    try:
        array = np.asarray(_to_numpy(value))
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"{what} needs numbers, but {type(value).__name__} gave: {error}") from error
    if array.dtype.kind in "biuf":
        return _native(array)
    if array.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        return array.astype(np.float32)
    raise BadInput(f"{what} needs real numbers, but got {type(value).__name__} of type {array.dtype}")


def _to_numpy(value: Any) -> Any:
    if is_torch_tensor(value):
        tensor = value.detach().cpu()
        if not tensor.is_floating_point() or tensor.element_size() >= 2:
            try:
                return tensor.numpy()
            except TypeError:
                pass
        return tensor.float().numpy()
    if is_tf_tensor(value):
        if not hasattr(value, "numpy"):
            raise BadInput(
                f"a symbolic tensor has no value yet ({value!r}). "
                f"Log outside of tf.function, or return the tensor from it."
            )
        return value.numpy()
    if type(value).__module__.startswith("PIL."):
        return _plain_picture(value)
    return value


def _plain_picture(picture: Any) -> Any:
    """Return a PIL image whose numbers are what one sees: no palette's indices, no other colour space."""
    if picture.mode in ("1", "L", "RGB", "RGBA", "I", "I;16", "F"):
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _native(array: NDArray[Any]) -> NDArray[Any]:
    # The journal keeps little-endian bytes; long doubles differ between machines.
    if array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("<"), copy=False)
