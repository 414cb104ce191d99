"""Several named arrays as one run of bytes: what a mesh or an embedding is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from ..errors import StoreDamaged
from .base import EncodedValue

_LEVEL = 3
_PLAIN = "biuf"


def join(arrays: Mapping[str, NDArray[Any]]) -> tuple[list[dict[str, Any]], bytes]:
    """Return what each array is called and looks like (JSON-able), and the bytes of all in that order."""
    parts = [
        {"name": name, "dtype": array.dtype.str, "shape": list(array.shape)} for name, array in arrays.items()
    ]
    return parts, b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())


def split(parts: Iterable[Mapping[str, Any]], data: bytes | memoryview) -> dict[str, NDArray[Any]]:
    """Return the arrays that `join` took. Raises ValueError, KeyError or TypeError when the bytes differ."""
    arrays: dict[str, NDArray[Any]] = {}
    offset = 0
    for part in parts:
        dtype, shape = np.dtype(part["dtype"]), [int(size) for size in part["shape"]]
        if dtype.kind not in _PLAIN or min(shape, default=1) < 0:
            raise ValueError(f"a part of type {dtype} and shape {shape}")
        size = dtype.itemsize * int(np.prod(shape, dtype=object))
        if offset + size > len(data):
            raise ValueError(f"{len(data)} bytes, but {part['name']!r} ends at {offset + size}")
        arrays[part["name"]] = np.frombuffer(data[offset : offset + size], dtype).reshape(shape)
        offset += size
    if offset != len(data):
        raise ValueError(f"{len(data)} bytes, but the parts have {offset}")
    return arrays


def pack(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> EncodedValue:
    """Return the arrays compressed, the facts beside them in the meta."""
    parts, data = join(arrays)
    return EncodedValue(zstandard.compress(data, _LEVEL), {**facts, "parts": parts, "bytes": len(data)})


def unpack(what: str, meta: Mapping[str, Any], data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays that `pack` took; `what` names the value in the error.

    Raises:
        StoreDamaged: these are not such bytes.
    """
    try:
        return split(meta["parts"], inflate(data, int(meta["bytes"])))
    except (zstandard.ZstdError, KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"{what} of {len(data)} bytes cannot be read: {error}") from error


def inflate(data: bytes, size: int) -> bytes:
    """Return what was compressed to `size` bytes. Raises ValueError or ZstdError when it is another size."""
    # What a frame claims is looked at before it is believed: a hostile one would take all memory.
    claimed = zstandard.frame_content_size(data)
    if claimed != size:
        raise ValueError(f"{claimed} bytes are compressed in it, but {size} were stored")
    return zstandard.decompress(data)
