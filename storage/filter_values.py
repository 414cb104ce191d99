"""What the names and signs of a filter are for a run."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from .filter_words import Word

Value: TypeAlias = Callable[[Any], Any]
"""From a run to what a part of the expression is for it."""

FIELDS = (
    "id", "name", "project", "group", "state", "tags", "notes", "framework", "host", "attempt",
    "created_at", "updated_at", "finished_at", "duration", "age", "config", "summary", "last",
)  # fmt: skip
"""Attributes of StoredRun that an expression may name."""
OF_METRIC = ("min", "max", "last")
"""What may be asked of a metric."""

NESTED = ("config", "summary", "last")
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "is": operator.is_,
    "is not": operator.is_not,
    "in": lambda left, right: left in right,
    "not in": lambda left, right: left not in right,
}


def field_of(name: str) -> Value:
    """Return what a field is for a run."""
    if name == "tags":
        return lambda run: list(run.tags)  # as those of the text and of a config are
    return operator.attrgetter(name)


def value_of(word: Word) -> Value:
    """Return what a name is for a run: an entry of its config, a metric, or an entry of its summary."""
    name = str(word.value)
    path = name.split(".")
    metric, which = metric_of(name)

    def value(run: Any) -> Any:
        for found in (entry_of(run.config, path), run.metric(metric, which), entry_of(run.summary, path)):
            if found is not None:
                return found
        return None

    return value


def metric_of(name: str) -> tuple[str, str]:
    """Return the metric that a name means, and which of OF_METRIC of it."""
    head, _, end = name.rpartition(".")
    return (head, end) if head and end in OF_METRIC else (name, "last")


def entry_of(mapping: Any, path: Sequence[str]) -> Any:
    """Return the entry of nested mappings; a key with dots in it is found, too."""
    if not isinstance(mapping, Mapping):
        return None
    entries = cast("Mapping[str, Any]", mapping)
    for length in range(len(path), 0, -1):
        key = ".".join(path[:length])
        if key in entries:
            return entry_of(entries[key], path[length:]) if path[length:] else entries[key]
    return None


def holds(test: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    """Return whether a comparison is true; of what cannot be compared, it is not."""
    try:
        return bool(test(left, right))
    except TypeError:
        return False
