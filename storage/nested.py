"""Nested mappings, such as configs, as flat ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def flatten(values: Mapping[str, Any], separator: str = ".", prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, the keys joined: {"optimizer.lr": 0.1}. A list is one value."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flatten(cast("Mapping[str, Any]", value), separator, f"{prefix}{key}{separator}")
        else:
            found[f"{prefix}{key}"] = value
    return found
