"""Rules by which a run finds out for itself that something is wrong, and alerts.

They look at the numbers that the writer's thread has just stored, a batch at a time with numpy: a log call
knows nothing of them. Each context of a name, such as a rank, is watched by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..storage.errors import BadInput
from ..storage.journal_read import SeriesDefinition
from ..storage.model import Context, label_of
from .alerts import LEVELS, Alerts
from .names import check_name

Extremes: TypeAlias = Mapping[str, tuple[float, float]]
"""Label of a series -> the smallest and the largest value of the attempts before."""

MOST_RULES = 100
_MOST_ALERTS = 50
"""Of one rule: a value that swings around a bound says nothing new."""
_MODES = ("min", "max")


class Due(NamedTuple):
    """An alert that a rule gives."""

    title: str
    text: str
    level: str
    step: int
    time: float
    context: Context


@dataclass(slots=True)
class _Watched:
    """What a rule knows of one series."""

    active: bool = False
    """Whether the condition holds: then the alert was given."""
    best: float = math.nan
    best_step: int | None = None


@dataclass(slots=True)
class Rule:
    """One condition on the values of a name."""

    name: str
    what: str
    """The title of its alerts, without the name: "is NaN"."""
    level: str
    is_nan: bool = False
    above: float | None = None
    below: float | None = None
    no_progress_for: int | None = None
    mode: str = "min"
    given: int = 0
    watched: dict[str, _Watched] = field(default_factory=dict[str, _Watched])

    def look_at(
        self, label: str, step: NDArray[np.int64], value: NDArray[np.float64], extremes: Extremes
    ) -> Iterator[int]:
        """Yield the places at which the condition begins to hold."""
        seen = self.watched.get(label)
        if seen is None:
            seen = self.watched[label] = self._begin(label, step, extremes)
        holds = self._holds(seen, step, value)
        begins = holds & ~np.concatenate([[seen.active], holds[:-1]])
        seen.active = bool(holds[-1])
        for place in np.flatnonzero(begins).tolist():
            self.given += 1
            if self.given <= _MOST_ALERTS:
                yield place

    def _begin(self, label: str, step: NDArray[np.int64], extremes: Extremes) -> _Watched:
        low, high = extremes.get(label, (math.nan, math.nan))
        best = low if self.mode == "min" else high
        return _Watched(best=best, best_step=int(step[0]))

    def _holds(
        self, seen: _Watched, step: NDArray[np.int64], value: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        if self.is_nan:
            return np.isnan(value)
        if self.above is not None:
            return value > self.above
        if self.below is not None:
            return value < self.below
        return self._stands_still(seen, step, value)

    def _stands_still(
        self, seen: _Watched, step: NDArray[np.int64], value: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        sign = 1.0 if self.mode == "min" else -1.0
        signed = np.where(np.isnan(value), np.inf, value * sign)
        before = math.inf if math.isnan(seen.best) else seen.best * sign
        best = np.minimum.accumulate(np.concatenate([[before], signed]))
        better = best[1:] < best[:-1]
        # The step of the newest best value, at each point.
        first = step[0] if seen.best_step is None else seen.best_step
        places = np.maximum.accumulate(np.where(better, np.arange(len(step)), -1))
        since = np.where(places < 0, first, step[np.maximum(places, 0)])
        seen.best = float(best[-1]) * sign
        seen.best_step = int(since[-1])
        return (step - since) >= (self.no_progress_for or 0)


class Rules:
    """The rules of a run, in the process that logs."""

    def __init__(self, alerts: Alerts, extremes: Extremes) -> None:
        """Begin without any; `extremes` are those of the attempts before."""
        self.alerts = alerts
        self._extremes = extremes
        self._rules: list[Rule] = []
        self._due: list[Due] = []

    def add(self, rule: Rule) -> None:
        """Watch from now on; a rule that is there already stays as it is. Raises BadInput: too many."""
        if any((one.name, one.what, one.level) == (rule.name, rule.what, rule.level) for one in self._rules):
            return
        if len(self._rules) >= MOST_RULES:
            raise BadInput(f"a run has at most {MOST_RULES} rules for alerts, and this is one more")
        self._rules = [*self._rules, rule]  # a new list: the writer's thread may be reading the old one

    def look_at(self, slots: NDArray[np.void], definitions: Mapping[int, SeriesDefinition]) -> None:
        """Look at new points, in the order of logging."""
        rules = self._rules
        names = {rule.name for rule in rules}
        for number, definition in definitions.items() if rules else ():
            if definition.name not in names or definition.kind != "scalar":
                continue
            mine = slots[slots["series"] == number]
            if len(mine):
                for rule in rules:
                    if rule.name == definition.name:
                        self._due += _due(rule, definition, mine, self._extremes)

    def take_due(self) -> Sequence[Due]:
        """Return the alerts that are due, once."""
        due, self._due = self._due, []
        return due

    def put_back(self, due: Sequence[Due]) -> None:
        """Keep alerts for the next time."""
        self._due = [*due, *self._due]


def make_rule(
    name: str,
    *,
    is_nan: bool,
    above: float | None,
    below: float | None,
    no_progress_for: int | None,
    mode: str,
    level: str,
) -> Rule:
    """Return the rule that alert_when was asked for. Raises BadInput."""
    check_name(name, 0)
    asked = [is_nan, above is not None, below is not None, no_progress_for is not None]
    if sum(asked) != 1:
        raise BadInput(
            f"a rule has one condition, but {name!r} got {sum(asked)}. Give one of is_nan=True, above=, "
            f"below= and no_progress_for=, and call alert_when once for each."
        )
    if mode not in _MODES:
        raise BadInput(f'a rule has the mode "min" or "max", but {name!r} got {mode!r:.80}')
    if level not in LEVELS:
        raise BadInput(f'an alert has the level "info", "warning" or "error", but got {level!r:.80}.')
    if no_progress_for is not None and not (isinstance(no_progress_for, int) and no_progress_for > 0):
        raise BadInput(f"no_progress_for is a number of steps, but {name!r} got {no_progress_for!r:.80}")
    bounds = [_number(name, bound) for bound in (above, below)]
    if is_nan:
        what = "is NaN"
    elif no_progress_for is not None:
        what = f"has not become {'smaller' if mode == 'min' else 'larger'} for {no_progress_for} steps"
    else:
        what = f"is above {above:g}" if above is not None else f"is below {below:g}"
    return Rule(name, what, level, is_nan, bounds[0], bounds[1], no_progress_for, mode)


def _number(name: str, bound: Any) -> float | None:
    if bound is None:
        return None
    try:
        return float(bound)
    except (TypeError, ValueError):
        raise BadInput(f"a bound is a number, but {name!r} got {bound!r:.80}") from None


def _due(
    rule: Rule, definition: SeriesDefinition, points: NDArray[np.void], extremes: Extremes
) -> Iterator[Due]:
    step, value = np.ascontiguousarray(points["step"]), np.ascontiguousarray(points["value"])
    label = label_of(definition.name, definition.context)
    for place in rule.look_at(label, step, value, extremes):
        text = f"At step {step[place]} its value was {value[place]:g}."
        seen = rule.watched[label]
        if rule.no_progress_for and not math.isnan(seen.best) and (seen.best_step or 0) <= step[place]:
            text = f"{text} The best one was {seen.best:g}, at step {seen.best_step}."
        time = float(points["time"][place])
        yield Due(f"{label} {rule.what}", text, rule.level, int(step[place]), time, definition.context)
