"""What a run said of its metrics with `define_metric`: what stands for them, what they are drawn over.

Kept as events, one for each call; of two about one name or pattern, the later one counts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .errors import StoreDamaged
from .events import events_of
from .model import SYSTEM_PREFIX
from .read import Reader

METRICS = SYSTEM_PREFIX + "metrics"
"""The series of these events."""


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """What was said of one metric, or of all whose names match a pattern."""

    name: str
    step_metric: str | None
    """The metric that is its x-axis, such as "epoch"."""
    summary: tuple[str, ...]
    """What the summary holds, as `<metric>.<word>`: "min", "max", "mean", "last", "best"."""
    goal: str
    """"minimize" or "maximize"."""
    hidden: bool
    """Whether charts may leave it out."""
    display_name: str = ""
    """What people are to see in place of its name; "" for the name."""
    description: str = ""
    """In Markdown."""

    def applies_to(self, metric: str) -> bool:
        """Whether this is said of a metric."""
        return fnmatchcase(metric, self.name)


def metric_definitions(reader: Reader, run_id: str) -> dict[str, MetricDefinition]:
    """Return the definitions of a run by name or pattern, in the order they came. Raises StoreError."""
    return definitions_of(reader, [run_id]).get(run_id, {})


def definitions_of(reader: Reader, run_ids: Sequence[str]) -> dict[str, dict[str, MetricDefinition]]:
    """Return run -> its definitions (see metric_definitions), of runs that have any. Raises StoreError."""
    found: dict[str, dict[str, MetricDefinition]] = {}
    for event in events_of(reader, run_ids, METRICS):
        made = _definition(event.text)
        found.setdefault(event.run_id, {})[made.name] = made
    return found


def _definition(text: str) -> MetricDefinition:
    try:
        facts: dict[str, Any] = json.loads(text)
        return MetricDefinition(
            name=facts["name"],
            step_metric=facts["step_metric"],
            summary=tuple(facts["summary"]),
            goal=facts["goal"],
            hidden=facts["hidden"],
            # Runs that were stored before these were known lack them.
            display_name=facts.get("display_name", ""),
            description=facts.get("description", ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(
            f"a metric's definition of {len(text)} characters cannot be read: {error!r}"
        ) from error
