"""What `define_metric` says: which value stands for a metric in the summary, and what it is drawn over."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from ...storage.errors import BadInput
from ...storage.metric_definitions import MetricDefinition
from ...storage.model import SYSTEM_PREFIX, Series
from ...storage.read import Reader
from ..raw import Payload

_KINDS = ("min", "max", "mean", "last", "best", "copy", "none")
_GOALS = ("minimize", "maximize")


def payload_of(definition: MetricDefinition) -> Payload:
    """Return what the journal takes: an event, which stands for itself and is no value."""
    return Payload("event", json.dumps(asdict(definition)).encode(), {"name": definition.name})


def defined(
    name: str,
    step_metric: str | None,
    summary: str | None,
    goal: str | None,
    hidden: bool,
) -> MetricDefinition:
    """Return a definition. Raises BadInput when a word is not known."""
    kinds = tuple(word.strip() for word in (summary or "").split(",") if word.strip())
    unknown = [word for word in kinds if word not in _KINDS]
    if unknown:
        raise BadInput(
            f"define_metric takes summary as words of {', '.join(_KINDS)}, but got {unknown[0]!r}."
        )
    if goal not in (None, *_GOALS):
        raise BadInput(f'define_metric takes goal as "minimize" or "maximize", but got {goal!r}.')
    if not isinstance(name, str) or not name:
        raise BadInput(f"define_metric needs the name of a metric or a pattern, but got {name!r}.")
    # The last value is that of the series anyway.
    kept = tuple(word for word in kinds if word not in ("copy", "none"))
    return MetricDefinition(name, step_metric, kept, goal or "minimize", hidden)


def summarized(reader: Reader, run_id: str, definitions: Mapping[str, MetricDefinition]) -> dict[str, float]:
    """Return what stands for the metrics of a run, of the series of rank 0 or without a rank."""
    series = [one for one in reader.series(run_id, kind="scalar") if one.context in ({}, {"rank": 0})]
    found: dict[str, float] = {}
    for definition in definitions.values():
        found.update(_results(reader, series, definition))
    return found


def _results(
    reader: Reader, series: Iterable[Series], definition: MetricDefinition
) -> Iterator[tuple[str, float]]:
    for one in series:
        if definition.applies_to(one.name) and not one.name.startswith(SYSTEM_PREFIX):
            for kind in definition.summary:
                value = _value(reader, one, kind, definition.goal)
                if value is not None and not math.isnan(value):
                    yield f"{one.name}.{kind}", value


def _value(reader: Reader, series: Series, kind: str, goal: str) -> float | None:
    if kind == "best":
        kind = "max" if goal == "maximize" else "min"
    if kind == "mean":
        points = reader.points(series, max_points=1)
        return float(points.mean[0]) if len(points.mean) else None
    return {"min": series.min_value, "max": series.max_value, "last": series.last_value}[kind]
