"""What is asked of runs as a whole: the list of them, their facts, metrics and settings.

Of cached functions, the arguments are the key; Streamlit does not hash those whose names begin with "_".
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ...storage.artifacts import ArtifactInfo, artifacts_of_run, used_by_run
from ...storage.console import Printed, console_of
from ...storage.errors import StepscopeError
from ...storage.events import Alert, alerts_of, count_alerts
from ...storage.metric_definitions import MetricDefinition, definitions_of
from ...storage.model import Attempt, LastValues, Run, Series
from ...storage.name_rules import Naming
from ...storage.read_hparams import hparams_of
from ...storage.read_marks import mark_of
from ..analysis import importance
from ..analysis.happenings import Happening, happenings
from ..analysis.importance import Ranking
from ..analysis.metric_groups import Member, by_metric
from ..analysis.trials import Column, Trials, trials_of
from .of_store import place, reader

STATE_SECONDS = 10.0
"""How long the state of a silent run may be out of date."""


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
    return _runs(*place(), reader().version(), int(time.time() / STATE_SECONDS))


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


def metrics(shown: Sequence[Run]) -> dict[str, list[Member]]:
    """Return metric -> the scalar series of some runs that belong on its chart; not to be changed.

    Raises:
        StoreError: the store cannot be read.
        BadInput: the file with the rules of names is wrong.
    """
    # With the store's version: what has been logged since is another answer.
    key = tuple(run.run_id for run in shown)
    return _metrics(*place(), reader().version(), key, repr(naming()), shown)


def definitions(run_ids: Sequence[str]) -> dict[str, dict[str, MetricDefinition]]:
    """Return run -> what it said of its metrics (see metric_definitions.py). Raises StoreError."""
    return _definitions(*place(), reader().version(), tuple(run_ids))


def happened(run_ids: Sequence[str]) -> list[Happening]:
    """Return the alerts of some runs and the texts that they logged as "notes". Raises StoreError."""
    return _happened(*place(), reader().version(), tuple(run_ids))


def trials(shown: Sequence[Run]) -> Trials:
    """Return the settings and metrics of some runs as columns; not to be changed.

    Raises:
        StoreError: the store cannot be read.
        BadInput: the file with the rules of names is wrong.
    """
    key = tuple(run.run_id for run in shown)
    return _trials(*place(), reader().version(), key, repr(naming()), shown)


def ranking(columns: Sequence[Column], metric: NDArray[np.float64]) -> Ranking | None:
    """Return how much each setting matters for a metric (see analysis/importance.py), asked once."""
    digest = hashlib.sha256(metric.tobytes())
    for column in columns:
        digest.update(f"\0{column.name}\0".encode(errors="replace") + column.numbers.tobytes())
    return _ranking(digest.hexdigest(), columns, metric)


@st.cache_resource(max_entries=2, show_spinner=False)
def _runs(url: str, file_id: int, version: int, moment: int) -> list[Run]:  # noqa: ARG001
    return reader().runs(archived=True)


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
