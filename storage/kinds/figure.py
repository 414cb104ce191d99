"""Charts that a user drew: plotly's as their JSON, matplotlib's as a picture."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import zstandard
from PIL import Image

from ..errors import BadInput, StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape
from .figure_safe import harmless
from .parts import inflate


@dataclass(frozen=True, slots=True)
class FigureData:
    """One chart: a picture, or what plotly.js draws."""

    data: bytes
    """A PNG file, or plotly's JSON text."""
    media_type: str
    """"image/png" or "application/json"."""
    caption: str | None = None
    width: int | None = None
    """Pixels of a picture; None for a plotly figure."""
    height: int | None = None

    @property
    def is_picture(self) -> bool:
        """Whether it is a PNG."""
        return self.media_type == "image/png"

    def spec(self) -> dict[str, Any]:
        """Return a plotly figure as `figure_safe.harmless` has it: without what loads from elsewhere.

        Raises:
            StoreDamaged: it is no such JSON.
        """
        try:
            # A figure of another program may hold NaN, which no browser's JSON has.
            found: Any = json.loads(self.data, parse_constant=_nothing)
            return harmless(found)
        except (TypeError, ValueError) as error:
            raise StoreDamaged(f"a figure of {len(self.data)} bytes is not plotly's JSON: {error}") from error


def _nothing(_: str) -> None:
    """Stand for NaN and infinity."""


def encode(raw: RawValue) -> EncodedValue:
    """Keep a PNG, compress JSON; meta["media_type"] says which."""
    data = bytes(raw.data)
    meta = {key: raw.meta[key] for key in ("media_type", "caption") if key in raw.meta}
    if meta["media_type"] != "image/png":
        return EncodedValue(zstandard.compress(data, 3), {**meta, "bytes": len(data)})
    try:
        with Image.open(io.BytesIO(data)) as picture:
            meta["width"], meta["height"] = picture.size
    except OSError as error:
        raise BadInput(f"a figure of {len(data)} bytes is not a PNG: {error}") from error
    return EncodedValue(data, meta)


def decode(meta: Mapping[str, Any], data: bytes) -> FigureData:
    """Return the figure."""
    try:
        caption = meta.get("caption")
        if meta["media_type"] == "image/png":
            return FigureData(data, "image/png", caption, int(meta["width"]), int(meta["height"]))
        return FigureData(inflate(data, int(meta["bytes"])), "application/json", caption)
    except (zstandard.ZstdError, KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"a figure of {len(data)} bytes cannot be read: {error}") from error


KIND = Kind("figure", Shape.BLOB, "application/json", encode, decode)
