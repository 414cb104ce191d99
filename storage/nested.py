"""Nested mappings, such as configs: as JSON text, and as flat ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast


def mapping_of(text: str) -> dict[str, Any]:
    """Return the mapping that a stored text holds; an empty one where it is damaged, which `verify` names."""
    try:
        found: object = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def flatten(values: Mapping[str, Any], separator: str = ".", prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, the keys joined: {"optimizer.lr": 0.1}. A list is one value."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flatten(cast("Mapping[str, Any]", value), separator, f"{prefix}{key}{separator}")
        else:
            found[f"{prefix}{key}"] = value
    return found
