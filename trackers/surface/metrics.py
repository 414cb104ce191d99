"""What `define_metric` says: which value stands for a metric in the summary, and what it is drawn over."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase

from ...storage.errors import BadInput
from ...storage.model import SYSTEM_PREFIX, Series
from ...storage.read import Reader
from ..raw import Payload

_KINDS = ("min", "max", "mean", "last", "best", "copy", "none")
_GOALS = ("minimize", "maximize")


@dataclass(frozen=True, slots=True)
class Definition:
    """What was said of one metric, or of all whose names match a pattern."""

    name: str
    step_metric: str | None
    summary: tuple[str, ...]
    goal: str
    hidden: bool

    def payload(self) -> Payload:
        """Return what the journal takes: an event, which stands for itself and is no value."""
        return Payload("event", json.dumps(asdict(self)).encode(), {"name": self.name})

    def results(self, reader: Reader, series: Iterable[Series]) -> Iterator[tuple[str, float]]:
        """Yield `<metric>.<kind>` and its value for each matching series that has values."""
        for one in series:
            if fnmatchcase(one.name, self.name) and not one.name.startswith(SYSTEM_PREFIX):
                for kind in self.summary:
                    value = _value(reader, one, kind, self.goal)
                    if value is not None and not math.isnan(value):
                        yield f"{one.name}.{kind}", value


def defined(
    name: str,
    step_metric: str | None,
    summary: str | None,
    goal: str | None,
    hidden: bool,
) -> Definition:
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
    return Definition(name, step_metric, kept, goal or "minimize", hidden)


def summarized(reader: Reader, run_id: str, definitions: Mapping[str, Definition]) -> dict[str, float]:
    """Return what stands for the metrics of a run, of the series of rank 0 or without a rank."""
    series = [one for one in reader.series(run_id, kind="scalar") if one.context in ({}, {"rank": 0})]
    found: dict[str, float] = {}
    for definition in definitions.values():
        found.update(definition.results(reader, series))
    return found


def _value(reader: Reader, series: Series, kind: str, goal: str) -> float | None:
    if kind == "best":
        kind = "max" if goal == "maximize" else "min"
    if kind == "mean":
        points = reader.points(series, max_points=1)
        return float(points.mean[0]) if len(points.mean) else None
    return {"min": series.min_value, "max": series.max_value, "last": series.last_value}[kind]
