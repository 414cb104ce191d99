"""The columns of the table of runs: facts, entries of configs, last, least and greatest values of metrics.

A column is named as a filter names it: "state", "config.lr", "validation/loss.min". Pure: no Streamlit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...storage.model import SYSTEM_PREFIX, Run
from ...storage.nested import flatten
from ...storage.run_metrics import RunMetrics
from ..views.words import brief, valid
from .metric_groups import ABOUT_TRAINING, section_of
from .progress import progress_of

CONFIG = "config."
METRIC_COLUMNS = 4
CONFIG_COLUMNS = 5
"""How many of them are there when nobody chose."""
MOST_OFFERED = 600
LONGEST = 200
EXACT = 2**53
"""Above it, a browser's numbers no longer hold every whole number; seeds are often larger."""
_ENDS = (".min", ".max", ".last")
_PIXELS_A_LETTER = 7.5


@dataclass(frozen=True, slots=True)
class Column:
    """One column, with a value for each run that a browser can show."""

    key: str
    title: str
    kind: str
    """"state" ([state, words, share or None]), "time" and "duration" (seconds), "number", "tags" or "text".
    """
    values: list[Any]
    width: int = 110
    """Pixels."""


@dataclass(frozen=True)
class Listing:
    """Some runs with what is known of them."""

    runs: Sequence[Run]
    metrics: RunMetrics
    """Of the same runs, in the same order."""
    alerts: Mapping[str, int]
    """Run -> how many alerts, of those that have any."""

    @cached_property
    def configs(self) -> list[dict[str, Any]]:
        """The configs, flat."""
        return [flatten(run.config) for run in self.runs]

    @cached_property
    def steps(self) -> list[int | None]:
        """The newest step that each run logged about its training."""
        values = self.metrics.values
        ours = np.array([not name.name.startswith(SYSTEM_PREFIX) for name in values.names], np.bool_)
        kept = ours[values.name] if len(values.names) else np.zeros(0, np.bool_)
        newest = np.full(len(self.runs), np.iinfo(np.int64).min)
        np.maximum.at(newest, values.run[kept], values.step[kept])
        return [None if step == np.iinfo(np.int64).min else step for step in newest.tolist()]

    @cached_property
    def facts(self) -> dict[str, tuple[str, str, Callable[[], list[Any]]]]:
        """Key -> title, kind and values of what is known of every run."""
        runs = self.runs
        return {
            "state": ("State", "state", self._states),
            "created_at": ("Started", "time", lambda: [run.created_at for run in runs]),
            "duration": ("Duration", "duration", lambda: [run.duration for run in runs]),
            "project": ("Project", "text", lambda: _texts(run.project for run in runs)),
            "framework": ("Framework", "text", lambda: _texts(run.framework or "" for run in runs)),
            "group": ("Group", "text", lambda: _texts(run.group or "" for run in runs)),
            "tags": ("Tags", "tags", lambda: [_texts(run.tags) for run in runs]),
            "host": ("Host", "text", lambda: _texts(run.host for run in runs)),
            "notes": ("Notes", "text", lambda: _texts(run.notes for run in runs)),
            "alerts": ("Alerts", "number", lambda: [self.alerts.get(run.run_id) for run in runs]),
            "lost": ("Not stored", "number", lambda: [sum(run.dropped.values()) or None for run in runs]),
            "id": ("Id", "text", lambda: [run.run_id for run in runs]),
        }

    @cached_property
    def offered(self) -> list[str]:
        """The keys of all columns that there are, at most MOST_OFFERED."""
        configs = [f"{CONFIG}{name}" for name in _often(self.configs)]
        metrics = [f"{name}{end}" for name in self._metric_names() for end in ("", ".min", ".max")]
        return [*self.facts, *configs, *metrics][:MOST_OFFERED]

    @cached_property
    def usual(self) -> list[str]:
        """The columns that are shown when nobody chose: what tells these runs apart."""
        told = [key for key, (_, _, values) in self.facts.items() if _tells_apart(key, values)]
        times = ("state", "created_at", "duration")
        differing = [
            name
            for name in _often(self.configs)
            if len({str(config.get(name)) for config in self.configs}) > 1 or len(self.runs) == 1
        ]
        achieved = [name for name in self._metric_names() if not _is_about(name)]
        return [
            *times,
            *achieved[:METRIC_COLUMNS],
            *(f"{CONFIG}{name}" for name in differing[:CONFIG_COLUMNS]),
            *(key for key in told if key not in times),
        ]

    def column(self, key: str) -> Column:
        """Return a column; one that no run has is empty. Made once, for whoever asks again."""
        if key not in self._columns:
            self._columns[key] = self._column(key)
        return self._columns[key]

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {}

    def _column(self, key: str) -> Column:
        facts = self.facts
        if key in facts:
            title, kind, values = facts[key]
            return _sized(Column(key, title, kind, values()))
        found = [config.get(key.removeprefix(CONFIG)) for config in self.configs]
        if not key.startswith(CONFIG) and all(value is None for value in found):
            return self._metric(key)
        return _sized(_of_values(key, key.removeprefix(CONFIG), found))

    def _metric(self, key: str) -> Column:
        end = next((end for end in _ENDS if key.endswith(end)), "")
        name = key.removesuffix(end)
        values = [_told(value) for value in self.metrics.column(name, end[1:] or "last")]
        return _sized(Column(key, f"{name} {end[1:]}".strip(), "number", values))

    def _metric_names(self) -> list[str]:
        """Return metrics as they are understood, those that most runs have first."""
        found: Counter[str] = Counter()
        amounts = np.bincount(self.metrics.values.name, minlength=len(self.metrics.values.names)).tolist()
        for name, amount in zip(self.metrics.understood, amounts, strict=True):
            if name:
                found[name] = max(found[name], amount)
        return sorted(found, key=lambda name: (_is_about(name), -found[name], _order(name)))

    def _states(self) -> list[list[Any]]:
        epochs = self.metrics.column("epoch")
        found = [progress_of(*one) for one in zip(self.runs, epochs, self.steps, strict=True)]
        return [
            [run.state.value, one.words if run.archived_at is None else f"{one.words}, archived", one.share]
            for run, one in zip(self.runs, found, strict=True)
        ]


def _is_about(name: str) -> bool:
    """Return whether a metric says how a run went on rather than what it achieved."""
    metric = name.partition("/")[2] if name.partition("/")[0] in ("train", "validation", "test") else name
    return section_of(metric) == "system" or metric.partition("/")[0] in ABOUT_TRAINING


def _order(name: str) -> tuple[int, int, str]:
    split, _, metric = name.rpartition("/")
    first = ("loss", "accuracy")
    return (
        first.index(metric) if metric in first else len(first),
        ("validation", "train", "").index(split) if split in ("validation", "train", "") else 3,
        name,
    )


def _often(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    often = Counter(name for config in configs for name in config)
    return sorted(often, key=lambda name: (-often[name], name))


def _tells_apart(key: str, values: Callable[[], list[Any]]) -> bool:
    if key in ("alerts", "lost", "tags"):
        return any(values())
    return key in ("project", "framework", "group") and len(set(values())) > 1


def _of_values(key: str, title: str, values: Sequence[Any]) -> Column:
    """Return values of one type, as a table sorts them: numbers, or else text."""
    if all(value is None or _is_number(value) for value in values):
        return Column(key, title, "number", [_told(value) for value in values])
    return Column(key, title, "text", _texts("" if value is None else str(value) for value in values))


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= EXACT)


def _told(value: float | None) -> float | str | None:
    """Return a number as JSON holds it: what is not finite becomes a word."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"


def _texts(values: Any) -> list[str]:
    return [brief(valid(value), LONGEST) for value in values]


def _sized(column: Column) -> Column:
    letters = len(column.title)
    if column.kind == "text":
        letters = max([letters, *map(len, column.values)])
    width = min(260, max(84, round(letters * _PIXELS_A_LETTER) + 26))
    return Column(column.key, column.title, column.kind, column.values, width)
