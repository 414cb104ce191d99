"""Gathering runs into groups by what is known of them. Pure: no Streamlit, no store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...storage.model import Run
from ...storage.nested import flatten
from ..views.words import NOTHING, brief

CONFIG = "config."
MOST_GROUPS = 100
"""A value that differs more often, such as a seed of 2,000 runs, groups nothing and is not offered."""
LONGEST_VALUE = 60

_FACTS: Mapping[str, Callable[[Run], str]] = {
    "group": lambda run: run.group or NOTHING,
    "project": lambda run: run.project,
    "framework": lambda run: run.framework or NOTHING,
    "state": lambda run: run.state.value,
    "tags": lambda run: ", ".join(run.tags) or NOTHING,
    "host": lambda run: run.host or NOTHING,
}


def keys(runs: Sequence[Run]) -> list[str]:
    """Return by what runs can be grouped: "group", "framework", "tags", "config.lr" ...

    What is the same for all of them is left out, and what differs more than MOST_GROUPS times. Of
    configs, the entries that most runs have come first.
    """
    facts = [key for key, fact in _FACTS.items() if len({fact(run) for run in runs}) > 1]
    configs = [flatten(run.config) for run in runs]
    often = Counter(name for config in configs for name in config)
    ordered = sorted(often, key=lambda name: (-often[name], name))
    return facts + [f"{CONFIG}{name}" for name in ordered if _tells_apart(name, configs)]


def value_of(run: Run, key: str) -> str:
    """Return the group that a run belongs to, as text: the value of a key of `keys`, or a dash."""
    if key in _FACTS:
        return brief(_FACTS[key](run), LONGEST_VALUE)
    return _words(flatten(run.config).get(key.removeprefix(CONFIG)))


def groups(runs: Sequence[Run], key: str) -> dict[str, list[Run]]:
    """Return value -> its runs, in the order given; the values ordered, numbers by size, a dash last."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(value_of(run, key), []).append(run)
    return {value: found[value] for value in sorted(found, key=_order)}


def _tells_apart(name: str, configs: Sequence[Mapping[str, Any]]) -> bool:
    found: set[str] = set()
    for config in configs:
        found.add(str(config.get(name)))
        if len(found) > MOST_GROUPS:
            return False
    return len(found) > 1


def _words(value: object) -> str:
    return (
        NOTHING
        if value is None
        else brief(f"{value:g}" if isinstance(value, float) else str(value), LONGEST_VALUE)
    )


def _order(value: str) -> tuple[int, float, str]:
    if value == NOTHING:
        return 2, 0.0, ""
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value
