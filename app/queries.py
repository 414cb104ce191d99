"""The dashboard's only way to the store, and its only cache.

Every read is bounded. The arguments of cached functions say in which state the store or a series was: a
line that did not grow is never read twice. What is cached as data holds arrays and builtins only.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ..storage.artifacts import ArtifactInfo, artifacts_of_run, used_by_run
from ..storage.chunks import CHUNK_POINTS
from ..storage.console import Printed, console_of
from ..storage.errors import StepscopeError, StoreDamaged
from ..storage.events import Alert, alerts_of, count_alerts
from ..storage.kinds.histogram import HistogramData
from ..storage.location import STORE_VARIABLE, StoreLocation, locate
from ..storage.metric_definitions import MetricDefinition, definitions_of
from ..storage.model import SYSTEM_PREFIX, Attempt, LastValues, Points, Record, Run, Series
from ..storage.name_rules import Naming
from ..storage.pyramid import FAN_OUT
from ..storage.read import Reader
from ..storage.read_hparams import hparams_of
from ..storage.read_marks import mark_of
from .analysis import importance
from .analysis.happenings import Happening, happenings
from .analysis.importance import Ranking
from .analysis.media_steps import Clock, Frames
from .analysis.metric_groups import Member, by_metric
from .analysis.projections import Method, Projection, project
from .analysis.trials import Column, Trials, trials_of
from .kept import Kept
from .views.histogram import Histograms

POINTS_A_LINE = 1000
"""More than a chart has pixels to show; lines on a chart of many runs get half of it."""
HISTOGRAMS_A_SERIES = 100
RECORDS_A_SERIES = 200
STEPS_A_SERIES = 500
"""Steps of a series that the Media page's slider reaches."""
PATIENCE_SECONDS = 2.0
"""How long a page waits for a store that is locked, or a server that is silent, before it says so."""
STATE_SECONDS = 10.0
"""How long the state of a silent run may be out of date."""


_readers = Kept[Reader](4, Reader.close)
_lines = Kept[Points](2000)
_histograms = Kept[Histograms](500)
_frames = Kept[Frames](500)


def reader() -> Reader:
    """Return the reader of the store that STEPSCOPE_STORE names, `./stepscope.db` without it.

    Raises:
        StoreError: the store cannot be read, with what to do.
    """
    url, file_id = _place()
    return _readers.get((url, file_id, PATIENCE_SECONDS), lambda: Reader.open(url, patience=PATIENCE_SECONDS))


def _place() -> tuple[str, int]:
    """Return the store's URL and its file's identity: a file that was replaced needs another reader."""
    location = _located(os.environ.get(STORE_VARIABLE), os.getcwd())
    try:
        return location.url, location.path.stat().st_ino if location.path else 0
    except OSError:
        return location.url, 0


@cache
def _located(store: str | None, folder: str) -> StoreLocation:
    # What lies where is looked up in tables of the machine: too slow for each of a hundred lines.
    del folder
    return locate(store)


def fingerprint() -> int:
    """Return a number that changes when a run comes, goes or changes its state, or the store its health."""
    try:
        return hash(tuple((run.run_id, run.state, run.name, run.archived_at) for run in all_runs()))
    except StepscopeError as error:
        return hash(str(error))


def mark(follow: Collection[str] = ()) -> str:
    """Return a text that changes when the list of runs does, when a run of `follow` logs, or the health."""
    try:
        return mark_of(reader(), follow)
    except StepscopeError as error:
        return hashlib.sha256(str(error).encode()).hexdigest()[:16]


def runs() -> list[Run]:
    """Return all runs that are not archived, newest first. Raises StoreError."""
    return [run for run in all_runs() if run.archived_at is None]


def all_runs() -> list[Run]:
    """Return all runs, archived ones too, newest first. Raises StoreError."""
    # A run whose process is gone is seen to be so without a change of the store, after a while.
    return _runs(*_place(), reader().version(), int(time.time() / STATE_SECONDS))


def attempts(run_id: str) -> list[Attempt]:
    """Return the attempts of a run, oldest first. Raises StoreError."""
    return reader().attempts(run_id)


def series(run_ids: Sequence[str], kind: str | None = None) -> list[Series]:
    """Return the series of some runs, ordered by run and name. Raises StoreError."""
    return reader().series(run_ids, kind=kind)


def environment(run_id: str) -> dict[str, Any]:
    """Return what was captured of a run's machine and code. Raises StoreError, RunNotFound."""
    return reader().environment(run_id)


def last_values(run_ids: Sequence[str]) -> LastValues:
    """Return the value that was logged last, of every scalar of some runs. Raises StoreError."""
    return reader().last_values(run_ids)


def naming() -> Naming:
    """Return how names are understood in the store. Raises BadInput: the file of rules is wrong."""
    return reader().naming()


def alerts(run_id: str) -> list[Alert]:
    """Return the alerts of a run, oldest first. Raises StoreError."""
    return alerts_of(reader(), [run_id])


def alert_counts(run_ids: Sequence[str]) -> dict[str, int]:
    """Return run -> how many alerts, for those that have any. Raises StoreError."""
    return count_alerts(reader(), run_ids)


def console(run_id: str) -> list[Printed]:
    """Return what the processes of a run printed. Raises StoreError."""
    return console_of(reader(), run_id)


def artifacts(run_id: str) -> list[ArtifactInfo]:
    """Return the artifacts that a run logged. Raises StoreError."""
    return artifacts_of_run(reader(), run_id)


def used_artifacts(run_id: str) -> list[Mapping[str, Any]]:
    """Return name, version, digest, type, project and run_id of the artifacts that a run used."""
    return used_by_run(reader(), run_id)


def points(
    one: Series,
    most: int = POINTS_A_LINE,
    first_step: int | None = None,
    last_step: int | None = None,
    attempt: int | None = None,
) -> Points:
    """Return the numbers of a series in at most `most` buckets.

    Args:
        one: a series of kind "scalar".
        most: how many buckets at most.
        first_step: the smallest step wanted; None for all.
        last_step: the largest step wanted; None for all.
        attempt: what this attempt logged, also where a newer one replaces it; None for what counts.

    Raises:
        StoreError: the store cannot be read.
    """
    window = (first_step, last_step, attempt)
    most = _at_hand(one, most) if window == (None, None, None) else most
    opened = reader()

    def read() -> Points:
        found = opened.points(
            one, first_step=first_step, last_step=last_step, max_points=most, attempt=attempt
        )
        # Kept by reference: to copy a page's lines for each of its runs would cost more than to draw them.
        for column in (found.step, found.time, found.min, found.max, found.mean, found.last):
            column.flags.writeable = False
        return found

    return _lines.get((opened.url, one.run_id, one.series_id, most, window), read, _state(one))


def _at_hand(one: Series, most: int) -> int:
    """Return how many buckets to ask for: fewer, but not half, where the store has so many ready made.

    Buckets that are finer than the finest summary take every point of the series to be unpacked.
    """
    ready = one.count // CHUNK_POINTS * FAN_OUT
    return ready if most / 2 <= ready < most else most


def histograms(
    one: Series,
    most: int = HISTOGRAMS_A_SERIES,
    first_step: int | None = None,
    last_step: int | None = None,
) -> Histograms:
    """Return at most `most` histograms of a series between two steps, evenly chosen; not to be changed.

    Raises:
        StoreError: the store cannot be read.
    """
    key = (reader().url, one.run_id, one.series_id, most, first_step, last_step)
    return _histograms.get(key, lambda: _read_histograms(one, most, first_step, last_step), _state(one))


def frames(one: Series, most: int = STEPS_A_SERIES) -> Frames:
    """Return what a series has to show at `most` of its steps, evenly chosen; not to be changed.

    Raises:
        StoreError: the store cannot be read.
    """
    key = (reader().url, one.run_id, one.series_id, most)
    return _frames.get(key, lambda: _read_frames(one, most), _state(one))


def clock(found: Sequence[Series]) -> Clock:
    """Return what a run knows of its own time, from all of its series. Raises StoreError."""
    names = naming()
    told = [one for one in found if one.kind == "scalar" and names.parse(one.name).metric == "epoch"]
    known = points(max(told, key=lambda one: one.count)) if told else None
    return Clock(
        max((one.last_step or 0 for one in found if not one.name.startswith(SYSTEM_PREFIX)), default=0),
        known.step if known else np.empty(0, np.int64),
        known.last if known else np.empty(0),
    )


def records(
    one: Series, *, first_step: int | None = None, last_step: int | None = None, most: int = RECORDS_A_SERIES
) -> list[Record]:
    """Return at most `most` records of a series between two steps, evenly chosen. Raises StoreError."""
    return reader().records(one, first_step=first_step, last_step=last_step, max_records=most)


def load(one: Series, record: Record) -> Any:
    """Return the value of a record: the data class of its kind. Raises StoreError."""
    return reader().load(one, record)


def _state(one: Series) -> tuple[int, int | None, float | None]:
    return one.count, one.last_step, one.last_time


# By reference: copying 2,000 runs would cost more than reading them. Nobody changes a Run.
@st.cache_resource(max_entries=2, show_spinner=False)
def _runs(url: str, file_id: int, version: int, moment: int) -> list[Run]:  # noqa: ARG001
    return reader().runs(archived=True)


# The arguments before the last one are the cache's key; Streamlit does not hash names that begin with "_".


def _read_histograms(one: Series, most: int, first_step: int | None, last_step: int | None) -> Histograms:
    opened = reader()
    chosen = opened.records(one, first_step=first_step, last_step=last_step, max_records=most)
    values: list[HistogramData] = [opened.load(one, record) for record in chosen]
    return Histograms(
        steps=np.array([record.step for record in chosen], dtype=np.int64),
        edges=[value.edges for value in values],
        counts=[value.counts for value in values],
        total=one.count,
        odd=sum(value.nan_count + value.posinf_count + value.neginf_count for value in values),
    )


def _read_frames(one: Series, most: int) -> Frames:
    steps: dict[int, list[dict[str, Any]]] = {}
    for record in reader().records(one, max_steps=most):
        steps.setdefault(record.step, []).append({**record.meta, "digest": record.digest})
    return Frames(steps=np.array(list(steps), dtype=np.int64), values=list(steps.values()))


def metrics(shown: Sequence[Run]) -> dict[str, list[Member]]:
    """Return metric -> the scalar series of some runs that belong on its chart; not to be changed.

    Raises:
        StoreError: the store cannot be read.
        BadInput: the file with the rules of names is wrong.
    """
    # With the store's version: what has been logged since is another answer.
    key = tuple(run.run_id for run in shown)
    return _metrics(*_place(), reader().version(), key, repr(naming()), shown)


def definitions(run_ids: Sequence[str]) -> dict[str, dict[str, MetricDefinition]]:
    """Return run -> what it said of its metrics (see metric_definitions.py). Raises StoreError."""
    return _definitions(*_place(), reader().version(), tuple(run_ids))


def happened(run_ids: Sequence[str]) -> list[Happening]:
    """Return the alerts of some runs and the texts that they logged as "notes". Raises StoreError."""
    return _happened(*_place(), reader().version(), tuple(run_ids))


# By reference, as the runs: nobody changes what these return.


@st.cache_resource(max_entries=20, show_spinner=False)
def _metrics(
    url: str,  # noqa: ARG001
    file_id: int,  # noqa: ARG001
    version: int,  # noqa: ARG001
    run_ids: tuple[str, ...],
    rules: str,  # noqa: ARG001
    _shown: Sequence[Run],
) -> dict[str, list[Member]]:
    return by_metric(_shown, series(run_ids, "scalar"), naming())


@st.cache_resource(max_entries=20, show_spinner=False)
def _definitions(
    url: str,  # noqa: ARG001
    file_id: int,  # noqa: ARG001
    version: int,  # noqa: ARG001
    run_ids: tuple[str, ...],
) -> dict[str, dict[str, MetricDefinition]]:
    return definitions_of(reader(), run_ids)


@st.cache_resource(max_entries=20, show_spinner=False)
def _happened(
    url: str,  # noqa: ARG001
    file_id: int,  # noqa: ARG001
    version: int,  # noqa: ARG001
    run_ids: tuple[str, ...],
) -> list[Happening]:
    return happenings(reader(), run_ids)


def trials(shown: Sequence[Run]) -> Trials:
    """Return the settings and metrics of some runs as columns; not to be changed.

    Raises:
        StoreError: the store cannot be read.
        BadInput: the file with the rules of names is wrong.
    """
    key = tuple(run.run_id for run in shown)
    return _trials(*_place(), reader().version(), key, repr(naming()), shown)


def ranking(columns: Sequence[Column], metric: NDArray[np.float64]) -> Ranking | None:
    """Return how much each setting matters for a metric (see analysis/importance.py), asked once."""
    digest = hashlib.sha256(metric.tobytes())
    for column in columns:
        digest.update(f"\0{column.name}\0".encode(errors="replace") + column.numbers.tobytes())
    return _ranking(digest.hexdigest(), columns, metric)


@st.cache_resource(max_entries=4, show_spinner=False)
def _trials(
    url: str,  # noqa: ARG001
    file_id: int,  # noqa: ARG001
    version: int,  # noqa: ARG001
    run_ids: tuple[str, ...],
    rules: str,  # noqa: ARG001
    _shown: Sequence[Run],
) -> Trials:
    return trials_of(_shown, last_values(run_ids), hparams_of(reader(), run_ids), naming())


@st.cache_resource(max_entries=50, show_spinner=False)
def _ranking(digest: str, _columns: Sequence[Column], _metric: NDArray[np.float64]) -> Ranking | None:  # noqa: ARG001
    return importance.ranking(_columns, _metric)


def value_at(one: Series, step: int) -> Any:
    """Return the value that a series logged last at one of its steps: the data class of its kind.

    Not to be changed. Raises StoreError.
    """
    return _value_at(reader().url, one.run_id, one.series_id, _state(one), step, one)


def projection(one: Series, step: int, method: Method, dimensions: int) -> Projection:
    """Return where the vectors of an embedding lie. Raises StoreError, BadInput."""
    key = (_state(one), step)
    return _projection(reader().url, one.run_id, one.series_id, key, method, dimensions, one)


@st.cache_resource(max_entries=40, show_spinner=False)
def _value_at(url: str, run_id: str, series_id: int, state: Any, step: int, _one: Series) -> Any:  # noqa: ARG001
    found = reader().records(_one, first_step=step, last_step=step)
    if not found:
        raise StoreDamaged(f"series {_one.name!r} of run {run_id} has nothing at step {step}")
    return reader().load(_one, found[-1])


@st.cache_resource(max_entries=100, show_spinner=False)
def _projection(
    url: str,  # noqa: ARG001
    run_id: str,  # noqa: ARG001
    series_id: int,  # noqa: ARG001
    key: Any,
    method: Method,
    dimensions: int,
    _one: Series,
) -> Projection:
    return project(value_at(_one, key[1]), method, dimensions)


def average_precisions(one: Series, most: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the average precision of a series of PR curves at most so many steps, evenly chosen: (n,) each.

    Raises:
        StoreError: a curve cannot be read.
    """
    found = _average_precisions(reader().url, one.run_id, one.series_id, _state(one), most, one)
    return found["step"], found["value"]


@st.cache_data(max_entries=200, show_spinner=False)
def _average_precisions(
    url: str,  # noqa: ARG001
    run_id: str,  # noqa: ARG001
    series_id: int,  # noqa: ARG001
    state: Any,  # noqa: ARG001
    most: int,
    _one: Series,
) -> dict[str, Any]:
    chosen = reader().records(_one, max_records=most)
    values = [reader().load(_one, record).average_precision for record in chosen]
    return {
        "step": np.array([record.step for record in chosen], np.int64),
        "value": np.array(values, np.float64),
    }
