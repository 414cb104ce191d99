"""Hyperparameters with the metrics that they gave, as users wrap them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...storage.errors import BadInput
from ...storage.nested import flatten
from ..arrays import to_array
from ..raw import Payload
from .base import Loggable
from .table import plain_cell


class HParams(Loggable):
    """What a trial was set to, and the metrics that it reached."""

    kind = "hparams"

    def __init__(self, values: Mapping[str, Any], metrics: Mapping[str, Any] | None = None) -> None:
        """Wrap names with values (nested ones are joined by "."), and names of metrics with numbers."""
        self.values = values
        self.metrics = metrics

    def payload(self) -> Payload:
        """Return both as JSON. Raises BadInput when these are no mappings, or a metric is no number."""
        values, metrics = _mapping("values", self.values), _mapping("metrics", self.metrics or {})
        plain = {str(name): plain_cell(value) for name, value in flatten(values).items()}
        numbers = {str(name): _number(name, value) for name, value in metrics.items()}
        text = json.dumps({"values": plain, "metrics": numbers})
        return Payload(self.kind, text.encode(), {"values": len(plain), "metrics": len(numbers)})


def _mapping(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadInput(f"hyperparameters need {what} as a mapping, but got {type(value).__name__}")
    return value  # pyright: ignore[reportUnknownVariableType]


def _number(name: object, value: Any) -> float:
    array = to_array(value, f"the metric {name!r}")
    if array.size != 1:
        raise BadInput(f"the metric {name!r} needs one number, but got shape {array.shape}")
    return float(array.reshape(()))
