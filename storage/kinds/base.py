"""What every kind of data tells about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Shape(StrEnum):
    """The few physical forms that storage knows; a new kind is always one of them."""

    NUMBER = "number"
    """A float64 in a chunked series of points."""
    ARRAY = "array"
    """A few hundred numbers, kept in the row."""
    BLOB = "blob"
    """Bytes of a well-known media type, kept by their digest."""
    DOCUMENT = "document"
    """Text or JSON."""


@dataclass(frozen=True, slots=True)
class RawValue:
    """A value as the training thread copied it: bytes, with the facts needed to encode them."""

    meta: Mapping[str, Any]
    """Always JSON-able. Arrays carry `dtype` (numpy's str form) and `shape`."""
    data: memoryview | bytes = b""

    def array(self) -> NDArray[Any]:
        """Return the bytes as the array they were copied from."""
        flat = np.frombuffer(self.data, dtype=np.dtype(self.meta["dtype"]))
        return flat.reshape(self.meta["shape"])


@dataclass(frozen=True, slots=True)
class EncodedValue:
    """A value in its lasting form."""

    data: bytes
    meta: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of data: how it is encoded for the store and decoded for a view."""

    name: str
    shape: Shape
    media_type: str
    encode: Callable[[RawValue], EncodedValue]
    """Runs on the writer's thread, or in whoever recovers a journal. Raises BadInput."""
    decode: Callable[[Mapping[str, Any], bytes], Any]
    """(meta, data) as `encode` left them -> the kind's data class. Raises StoreDamaged."""
