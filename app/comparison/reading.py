"""Reads what a comparison needs, in bounded queries: from a store, or through the dashboard's cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ...storage.errors import StepscopeError
from ...storage.kinds.graph import GraphData
from ...storage.metric_definitions import MetricDefinition, definitions_of
from ...storage.model import Points, Record, Run, Series
from ...storage.name_rules import Naming
from ...storage.names import METRICS
from ...storage.nested import flatten
from ...storage.read import Reader
from ..analysis.metric_goals import more_is_better
from ..analysis.metric_groups import Member
from ..views import ranks
from .choosing import chosen_members
from .compare import Comparison, RunFacts, compare
from .costs import EPOCH, READ
from .facts import number_in
from .metrics import Key, SeriesId, id_of, is_result
from .programs import program_of

T = TypeVar("T")

POINTS = 1000
MOST_METRICS = 24
"""Metrics whose curves are read; of more, the summaries of the series tell the values."""


class Source(Protocol):
    """What is asked; app/queries is one as it stands."""

    def environment(self, run_id: str, /) -> dict[str, Any]:
        """Return what was captured of a run's machine and code."""
        ...

    def series(self, run_ids: Sequence[str], kind: str | None = None, /) -> list[Series]:
        """Return the series of some runs."""
        ...

    def naming(self) -> Naming:
        """Return how names are understood in the store."""
        ...

    def definitions(self, run_ids: Sequence[str], /) -> Mapping[str, Mapping[str, MetricDefinition]]:
        """Return run -> what it said of its metrics."""
        ...

    def points(
        self, one: Series, most: int, first_step: int | None = None, last_step: int | None = None, /
    ) -> Points:
        """Return the numbers of a series in at most `most` buckets."""
        ...

    def records(self, one: Series, /, *, most: int) -> list[Record]:
        """Return at most `most` records of a series."""
        ...

    def load(self, one: Series, record: Record, /) -> Any:
        """Return the value of a record."""
        ...


class StoreSource:
    """A source over a Reader, for the command line."""

    def __init__(self, reader: Reader) -> None:
        """Ask this reader."""
        self._reader = reader
        self.environment, self.naming, self.load = reader.environment, reader.naming, reader.load

    def series(self, run_ids: Sequence[str], kind: str | None = None, /) -> list[Series]:
        """Return the series of some runs."""
        return self._reader.series(run_ids, kind=kind)

    def definitions(self, run_ids: Sequence[str], /) -> Mapping[str, Mapping[str, MetricDefinition]]:
        """Return run -> what it said of its metrics."""
        return definitions_of(self._reader, run_ids)

    def points(
        self, one: Series, most: int, first_step: int | None = None, last_step: int | None = None, /
    ) -> Points:
        """Return the numbers of a series in at most `most` buckets."""
        return self._reader.points(one, first_step=first_step, last_step=last_step, max_points=most)

    def records(self, one: Series, /, *, most: int) -> list[Record]:
        """Return at most `most` records of a series."""
        return self._reader.records(one, max_records=most)


@dataclass(frozen=True, slots=True)
class Material:
    """All that a comparison is made of."""

    runs: tuple[RunFacts, ...]
    rows: Mapping[Key, tuple[Member | None, ...]]
    points: Mapping[SeriesId, Points]
    troubles: tuple[str, ...]
    """What could not be read, in sentences; the comparison goes without it."""
    upwards: Mapping[Key, bool]
    """Whether more of a metric is better."""

    @property
    def comparison(self) -> Comparison:
        """The runs beside each other."""
        return compare(self.runs, self.rows, self.points, self.troubles, self.upwards)


def read(source: Source, runs: Sequence[Run], names: Mapping[str, str]) -> Material:
    """Read what is compared of some runs.

    Args:
        source: where to ask.
        runs: the baseline first.
        names: run_id -> how the run is called.

    Raises:
        StoreError: the store cannot be read at all.
    """
    naming, ids = source.naming(), [run.run_id for run in runs]
    scalars, graphs = source.series(ids, "scalar"), source.series(ids, "graph")
    members = {
        run.run_id: tuple(
            Member(run, one, naming.parse(one.name, one.context))
            for one in scalars
            if one.run_id == run.run_id
        )
        for run in runs
    }
    rows = chosen_members([members[run.run_id] for run in runs])
    reading = _Reading(source, names)
    points = reading.points(_wanted(members, rows))
    facts = tuple(
        reading.facts(run, members[run.run_id], graphs, points, _told(run, naming, rows)) for run in runs
    )
    said = reading.attempt("What the runs said of their metrics", lambda: source.definitions(ids))
    return Material(facts, rows, points, tuple(reading.troubles), _upwards(rows, said or {}))


class _Reading:
    """Reads piece by piece; what cannot be read becomes a sentence."""

    def __init__(self, source: Source, names: Mapping[str, str]) -> None:
        self._source = source
        self._names = names
        self.troubles: list[str] = []

    def attempt(self, what: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except StepscopeError as error:
            self.troubles.append(f"{what} cannot be read: {error}")
            return None

    def points(self, wanted: Sequence[Member]) -> dict[SeriesId, Points]:
        found: dict[SeriesId, Points] = {}
        for member in wanted:
            what = f"Series {member.series.name} of run {self._names[member.run.run_id]}"
            one = self.attempt(what, lambda member=member: self._source.points(member.series, POINTS))
            if one is not None:
                found[id_of(member)] = one
        return found

    def facts(
        self,
        run: Run,
        members: tuple[Member, ...],
        graphs: Sequence[Series],
        points: Mapping[SeriesId, Points],
        told: Mapping[str, Key],
    ) -> RunFacts:
        source, name = self._source, self._names[run.run_id]
        environment = self.attempt(f"The environment of run {name}", lambda: source.environment(run.run_id))
        graph = self.attempt(f"The graph of run {name}", lambda: _graph(source, run, graphs))
        first = self.attempt(f"The first step of run {name}", lambda: _first(source, members, points))
        time, step = first or (None, None)
        program = program_of(environment or {})
        return RunFacts(run, name, members, environment or {}, graph, time, step, told, program)


def _upwards(
    rows: Mapping[Key, Sequence[Member | None]], said: Mapping[str, Mapping[str, MetricDefinition]]
) -> dict[Key, bool]:
    definitions = [one for of_run in said.values() for one in of_run.values()]
    return {
        key: more_is_better(key[0], {one.series.name for one in members if one}, definitions)
        for key, members in rows.items()
    }


def distinct_names(runs: Sequence[Run]) -> dict[str, str]:
    """Return run_id -> name, with the beginning of the id where several runs share one."""
    often = Counter(run.name for run in runs)
    return {
        run.run_id: run.name if often[run.name] == 1 else f"{run.name} ({run.run_id[:4]})" for run in runs
    }


def _wanted(
    members: Mapping[str, Sequence[Member]], rows: Mapping[Key, Sequence[Member | None]]
) -> list[Member]:
    """Return the series whose points are read: the first metrics, those of the costs, and epochs."""
    results = [key for key in rows if is_result(key[0])][:MOST_METRICS]
    found = [one for key in results for one in rows[key] if one]
    for each in members.values():
        for metric in (EPOCH, *READ):
            found += ranks.chosen([one for one in each if one.name.metric == metric])
    return found


def _graph(source: Source, run: Run, graphs: Sequence[Series]) -> GraphData | None:
    for one in graphs:
        if one.run_id == run.run_id:
            return source.load(one, source.records(one, most=1)[-1])
    return None


def _told(run: Run, naming: Naming, rows: Iterable[Key]) -> dict[str, Key]:
    """Return which names of a summary are a metric on a split: one that is logged, or known as such."""
    known = {metric for metric, _ in rows} | set(METRICS)
    found: dict[str, Key] = {}
    for name, value in flatten(run.summary).items():
        meant = naming.parse(name, {})
        is_metric = meant.split is not None and meant.metric in known and is_result(meant.metric)
        if is_metric and number_in(value) is not None:
            found[name] = meant.metric, meant.split
    return found


def _first(
    source: Source, members: Sequence[Member], points: Mapping[SeriesId, Points]
) -> tuple[float, int] | None:
    """Return when the first value was logged, of the series that were read, and its step."""
    known = [(member, points[id_of(member)]) for member in members if id_of(member) in points]
    begun = [(member, found) for member, found in known if len(found)]
    if not begun:
        return None
    member, found = min(begun, key=lambda one: (int(one[1].first_step[0]), float(one[1].time[0])))
    step = int(found.first_step[0])
    if found.count[0] > 1:  # of a bucket, the time is that of its last point
        found = source.points(member.series, 1, None, step)
    return float(found.time[0]), step
