"""Every run and series of the store by the names that TensorBoard has for them.

TensorBoard asks for the list of everything again and again. It is kept, and of a store that has changed, only
the runs that have are read anew.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...storage.metric_definitions import MetricDefinition, definitions_of
from ...storage.model import Run, RunState, Series
from ...storage.name_rules import Naming
from ...storage.read import Reader
from ...trackers.sinks.tensorboard.names import Place, places, run_id_of, run_name

RUNNING_SECONDS = 5.0
"""How long a run is believed to be running: one that is silent is found to be killed by the clock alone."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A series as TensorBoard knows it."""

    run: str
    """The name of its run or sub-run."""
    tag: str
    series: Series
    display_name: str = ""
    description: str = ""
    """In Markdown."""


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run with all of its series."""

    run: Run
    name: str
    of_kind: Mapping[str, Mapping[str, tuple[Shown, ...]]]
    """kind -> tag -> the series of that tag: in the run itself, or in its sub-runs."""
    names: tuple[str, ...]
    """Of the run and of its sub-runs."""

    def all(self) -> Iterator[Shown]:
        """Yield the series."""
        for of_tag in self.of_kind.values():
            for shown in of_tag.values():
                yield from shown


class Catalogue:
    """The runs that are not archived, as they are now. Thread-safe."""

    def __init__(self, reader: Reader) -> None:
        """Take the store. Nothing is read yet."""
        self.reader = reader
        self._lock = threading.Lock()
        self._version: int | None = None
        self._stale_from = math.inf
        self._runs: dict[str, ShownRun] = {}
        self._naming = Naming()

    @property
    def naming(self) -> Naming:
        """How names are understood in the store."""
        return self._naming

    def runs(self) -> Mapping[str, ShownRun]:
        """Return the runs by id, newest first. Raises StoreError."""
        with self._lock:
            version = self.reader.version()
            if version != self._version or time.monotonic() > self._stale_from:
                self._runs = self._read()
                self._version = version
                running = any(one.run.state is RunState.RUNNING for one in self._runs.values())
                self._stale_from = time.monotonic() + RUNNING_SECONDS if running else math.inf
            return self._runs

    def chosen_runs(self, run_tag_filter: Any) -> Mapping[str, ShownRun]:
        """Return the runs that pass the filter, with those whose sub-runs do."""
        names: Collection[str] | None = None if run_tag_filter is None else run_tag_filter.runs
        known = self.runs()
        if names is None:
            return known
        ids = dict.fromkeys(run_id_of(name) for name in names)
        return {run_id: known[run_id] for run_id in ids if run_id is not None and run_id in known}

    def chosen(self, kinds: Iterable[str], run_tag_filter: Any) -> list[Shown]:
        """Return the series of some kinds that pass the filter."""
        runs = self.chosen_runs(run_tag_filter).values()
        names: Collection[str] | None = None if run_tag_filter is None else run_tag_filter.runs
        tags: Collection[str] | None = None if run_tag_filter is None else run_tag_filter.tags
        found: list[Shown] = []
        for kind in kinds:
            for of_tag in (run.of_kind.get(kind, {}) for run in runs):
                for shown in of_tag.values() if tags is None else (of_tag.get(tag, ()) for tag in tags):
                    found += shown
        return found if names is None else [shown for shown in found if shown.run in names]

    def find(self, run_id: str, series_id: int) -> Shown | None:
        """Return a series by its numbers, None when there is none, or its run is archived."""
        run = self.runs().get(run_id)
        fitting = (shown for shown in run.all() if shown.series.series_id == series_id) if run else ()
        return next(iter(fitting), None)

    def _read(self) -> dict[str, ShownRun]:
        self._naming = self.reader.naming()
        before, now = self._runs, self.reader.runs()
        changed = [run.run_id for run in now if _is_new(before.get(run.run_id), run)]
        said = definitions_of(self.reader, changed) if changed else {}
        series: dict[str, list[Series]] = {run_id: [] for run_id in changed}
        for one in self.reader.series(changed):
            series[one.run_id].append(one)
        return {
            run.run_id: shown_run(run, series[run.run_id], said.get(run.run_id, {}))
            if run.run_id in series
            else replace(before[run.run_id], run=run)
            for run in now
        }


def _is_new(before: ShownRun | None, run: Run) -> bool:
    return before is None or (before.run.updated_at, before.run.name) != (run.updated_at, run.name)


def shown_run(run: Run, series: list[Series], said: Mapping[str, MetricDefinition]) -> ShownRun:
    """Return a run with its series by the names that TensorBoard has for them.

    Args:
        run: the run.
        series: all of the run.
        said: what was said of its metrics, by name or pattern.
    """
    name = run_name(run)
    placed = places(series)
    of_kind: dict[str, dict[str, tuple[Shown, ...]]] = {}
    for one in series:
        shown = _shown(one, name, placed[one.series_id], said)
        of_tag = of_kind.setdefault(one.kind, {})
        of_tag[shown.tag] = (*of_tag.get(shown.tag, ()), shown)
    parts = sorted({place.run(name) for place in placed.values()} - {name})
    return ShownRun(run, name, of_kind, (name, *parts))


def _shown(series: Series, name: str, place: Place, said: Mapping[str, MetricDefinition]) -> Shown:
    display_name, description = "", ""
    for definition in said.values():
        if definition.applies_to(series.name):
            display_name = definition.display_name or display_name
            description = definition.description or description
    return Shown(place.run(name), place.tag, series, display_name, description)
