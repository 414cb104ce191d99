"""Runs as trials: what they were set to, and what came of it, as columns. Pure: no Streamlit, no store.

A column of numbers stays one; words are places on an axis of their own. What a run does not have is NaN.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.kinds.hparams import HParamsData
from ...storage.model import SYSTEM_PREFIX, LastValues, Run, without_rank_0
from ...storage.name_rules import Naming
from ...storage.nested import flatten
from ..views.words import brief
from .metric_groups import ABOUT_TRAINING

MOST_WORDS = 30
"""A setting with more different words than these, such as a folder, tells runs apart but explains nothing."""
LONGEST_WORD = 60
FEW = 8
"""Up to so many different numbers, each has a mark of its own on an axis."""
DECADES = 2
"""Positive numbers that span so many powers of ten lie on a logarithmic axis ..."""
MIDDLE_DECADES = 1.2
"""... when those in the middle, without a tenth at each end, span so many."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """One value of each of n runs."""

    name: str
    numbers: _Floats
    """Shape (n,): the number; of words, their place in `words`; NaN where the run has none."""
    words: tuple[str, ...] = ()
    """What the places stand for; empty for a column of numbers."""

    @property
    def log(self) -> bool:
        """Whether the numbers are best seen on a logarithmic axis: 0.1 to 0.001, or 16, 32, 64."""
        known = np.unique(self.numbers[np.isfinite(self.numbers)])
        if self.words or not len(known) or known[0] <= 0:
            return False
        if 3 <= len(known) <= FEW and (known[1:] >= 1.9 * known[:-1]).all():
            return True
        # One tiny number among many between 0 and 1 is no reason to squeeze the others together.
        low, high = np.quantile(np.log10(known), (0.1, 0.9)).tolist()
        return bool(known[-1] >= 10.0**DECADES * known[0]) and high - low >= MIDDLE_DECADES

    @property
    def places(self) -> _Floats:
        """Where the values lie on an axis, shape (n,): logarithms where it is logarithmic."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log10(self.numbers) if self.log else self.numbers

    def text(self, row: int) -> str | None:
        """Return a value as people read it; None where there is none."""
        value = float(self.numbers[row])
        if not math.isfinite(value):
            return None
        return self.words[int(value)] if self.words else f"{value:.6g}"

    def cell(self, row: int) -> float | str | None:
        """Return a value as a table holds it."""
        value = float(self.numbers[row])
        return self.text(row) if self.words else value if math.isfinite(value) else None

    def take(self, rows: NDArray[np.intp]) -> Column:
        """Return the column of some of the runs."""
        return Column(self.name, self.numbers[rows], self.words)


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric was in each of n runs, all of the shape (n,), NaN where a run has none."""

    name: str
    last: _Floats
    min: _Floats
    max: _Floats
    logged_as: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Trials:
    """n runs with their settings and metrics."""

    runs: tuple[Run, ...]
    parameters: Mapping[str, Column]
    """Settings in which the runs differ, those that most of them have first."""
    same: Mapping[str, str]
    """Settings that are the same for all runs that have them."""
    crowded: tuple[str, ...]
    """Settings with so many different words that no axis holds them."""
    metrics: Mapping[str, Metric]
    """The metrics of most runs first, those of a validation before others."""


def trials_of(
    runs: Sequence[Run], values: LastValues, said: Mapping[str, HParamsData], naming: Naming
) -> Trials:
    """Gather what is known of runs.

    Args:
        runs: in the order of the rows.
        values: the scalars of all of them, in the same order.
        said: run -> what it logged of its hyperparameters, which wins over its config.
        naming: how the store's names are understood.
    """
    settings = [_settings(run, said.get(run.run_id)) for run in runs]
    often = Counter(name for one in settings for name in one)
    parameters: dict[str, Column] = {}
    same: dict[str, str] = {}
    crowded: list[str] = []
    for name in sorted(often, key=lambda name: (-often[name], name)):
        given = [one.get(name) for one in settings]
        distinct = {_word(value) for value in given if value is not None}
        column = column_of(name, given)
        if len(distinct) == 1 and None not in given:
            same[name] = distinct.pop()
        elif len(column.words) > MOST_WORDS:
            crowded.append(name)
        elif distinct:
            parameters[name] = column
    return Trials(tuple(runs), parameters, same, tuple(crowded), _metrics(runs, values, said, naming))


def column_of(name: str, values: Sequence[object]) -> Column:
    """Return values as a column: of numbers if all are, else of words."""
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return Column(name, np.array([_number(value) for value in values]))
    words = sorted({_word(value) for value in given})
    place = {word: at for at, word in enumerate(words)}
    places = [math.nan if value is None else float(place[_word(value)]) for value in values]
    return Column(name, np.array(places), tuple(words))


def _settings(run: Run, said: HParamsData | None) -> dict[str, Any]:
    found = flatten(run.config)
    return found if said is None else {**found, **said.values}


def _number(value: Any) -> float:
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _word(value: object) -> str:
    return brief(str(value), LONGEST_WORD) or '""'


def _metrics(
    runs: Sequence[Run], values: LastValues, said: Mapping[str, HParamsData], naming: Naming
) -> dict[str, Metric]:
    found = _logged(values, naming)
    for row, run in enumerate(runs):
        trial = said.get(run.run_id)
        told = {} if trial is None else dict(trial.metrics)
        told |= {f"summary {name}": value for name, value in run.summary.items() if _is_number(value)}
        for name, value in told.items():
            metric = found.setdefault(name, _nowhere(name, len(runs)))
            if math.isnan(metric.last[row]):
                metric.last[row] = metric.min[row] = metric.max[row] = _number(value)
    order = sorted(found, key=lambda name: _order(found[name]))
    return {name: found[name] for name in order if np.isfinite([found[name].last, found[name].min]).any()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _nowhere(name: str, rows: int) -> Metric:
    return Metric(name, np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan))


def _logged(values: LastValues, naming: Naming) -> dict[str, Metric]:
    """Return the scalars of the runs by metric and split; an epoch's value wins over a batch's."""
    names = [naming.parse(one.name, one.context) for one in values.names]
    order = np.argsort(values.name, kind="stable")
    starts = np.searchsorted(values.name[order], np.arange(len(names) + 1)).tolist()
    found: dict[str, Metric] = {}
    # The epoch's come last, so that they stay.
    for place in sorted(range(len(names)), key=lambda place: names[place].granularity == "epoch"):
        parsed, logged = names[place], values.names[place]
        if logged.name.startswith(SYSTEM_PREFIX) or set(without_rank_0(logged.context)) - {"split"}:
            continue
        name = " · ".join(part for part in (parsed.metric, parsed.split, parsed.source) if part)
        known = found.setdefault(name, _nowhere(name, len(values.run_ids)))
        chosen = order[starts[place] : starts[place + 1]]
        rows = values.run[chosen]
        for into, of in ((known.last, values.value), (known.min, values.min), (known.max, values.max)):
            into[rows] = of[chosen]
        found[name] = Metric(name, known.last, known.min, known.max, known.logged_as | {logged.name})
    return found


_FIRST = ("loss", "accuracy")


def _order(metric: Metric) -> tuple[Any, ...]:
    base, _, split = metric.name.partition(" · ")
    about = base.partition("/")[0] in ABOUT_TRAINING
    many = int(np.isfinite(metric.last).sum())
    known = _FIRST.index(base) if base in _FIRST else len(_FIRST)
    return about, metric.name.startswith("summary "), split != "validation", known, -many, metric.name


def values_of(metric: Metric, which: str) -> _Floats:
    """Return the values that a word chooses ("last", "min" or "max"), shape (n,), NaN for infinities too."""
    values: _Floats = {"last": metric.last, "min": metric.min, "max": metric.max}[which]
    return np.where(np.isfinite(values), values, np.nan)


def within(columns: Iterable[tuple[Column, tuple[float, float]]], rows: int) -> NDArray[np.bool_]:
    """Return which of n runs lie between the ends chosen on some axes, shape (n,).

    Args:
        columns: with the ends, both included, in the places of the axis (see Column.places).
        rows: n.
    """
    kept = np.ones(rows, np.bool_)
    for column, (low, high) in columns:
        places = column.places
        kept &= (places >= low) & (places <= high)
    return kept
