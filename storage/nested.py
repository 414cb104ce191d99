"""Nested mappings, such as configs: as JSON text, and as flat ones."""

from __future__ import annotations

import itertools
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
    """Return nested mappings as one, the keys joined: {"optimizer.lr": 0.1}. A list is one value.

    Of {"a": {"b": 1}, "a.b": 2}, both are kept: the later one as "a.b (2)".
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = {f"{prefix}{key}": value}
        if isinstance(value, Mapping) and value:
            inner = flatten(cast("Mapping[str, Any]", value), separator, f"{prefix}{key}{separator}")
        for name, one in inner.items():
            found[free_name(name, found)] = one
    return found


def free_name(name: str, taken: Mapping[str, Any]) -> str:
    """Return the name, numbered when it is taken: "loss (2)"."""
    if name not in taken:
        return name
    names = (f"{name} ({number})" for number in itertools.count(2))
    return next(one for one in names if one not in taken)
