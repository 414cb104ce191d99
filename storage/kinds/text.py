"""Text in markdown. Viewers never render HTML that lies in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape


@dataclass(frozen=True, slots=True)
class TextData:
    """One text."""

    text: str


def encode(raw: RawValue) -> EncodedValue:
    """Keep the UTF-8 bytes as they are."""
    return EncodedValue(bytes(raw.data), {"bytes": len(raw.data)})


def decode(meta: Mapping[str, Any], data: bytes) -> TextData:
    """Return the text."""
    try:
        return TextData(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise StoreDamaged(f"a text of {len(data)} bytes is not UTF-8: {error}") from error


KIND = Kind("text", Shape.DOCUMENT, "text/markdown", encode, decode)
