"""Hyperparameters of a trial with the metrics that it reached, as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape


@dataclass(frozen=True, slots=True)
class HParamsData:
    """What a trial was set to, and what came of it."""

    values: Mapping[str, Any]
    """Name -> None, a boolean, a number, a text, or a list of these."""
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])


def encode(raw: RawValue) -> EncodedValue:
    """Keep the JSON text `{"values": {...}, "metrics": {...}}`."""
    return EncodedValue(bytes(raw.data), {"values": raw.meta["values"], "metrics": raw.meta["metrics"]})


def decode(meta: Mapping[str, Any], data: bytes) -> HParamsData:
    """Return values and metrics."""
    try:
        found = json.loads(data)
        metrics = {str(name): float(value) for name, value in found["metrics"].items()}
        return HParamsData(dict(found["values"]), metrics)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"hyperparameters of {len(data)} bytes cannot be read: {error!r}") from error


KIND = Kind("hparams", Shape.DOCUMENT, "application/json", encode, decode)
