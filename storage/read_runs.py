"""Runs and their last values: what a listing shows, quick for thousands of runs."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from .model import LastValues, Run, RunState, SeriesName
from .nested import mapping_of
from .schema import drops, run_tags, runs, series
from .totals import read_totals

T = TypeVar("T")

HEARTBEAT_SECONDS = 10.0
"""How often a living run says so, even when it logs nothing."""
SILENT_SECONDS = 6 * HEARTBEAT_SECONDS
"""After so long without a sign of life, a run counts as killed."""
_IDS_A_QUERY = 500
_NAMELESS = SeriesName("", "", {})
# Not the environment: it is larger than all the rest, and a listing shows nothing of it.
_COLUMNS = [column for column in runs.c if column.name != "environment"]
_FIELDS = tuple("group" if column.name == "group_name" else column.name for column in _COLUMNS)


def select_runs(
    project: str | None, states: Collection[RunState] | None, *, archived: bool
) -> sa.Select[Any]:
    """Return the query for runs, newest first, that `load_runs` takes."""
    query = sa.select(*_COLUMNS).order_by(runs.c.created_at.desc(), runs.c.run_id)
    if project is not None:
        query = query.where(runs.c.project == project)
    if states is not None:
        # A run that is stored as running may have been killed (see state_now).
        stored = {RunState.RUNNING if state is RunState.KILLED else state for state in states}
        query = query.where(runs.c.state.in_([*stored, *states]))
    return query if archived else query.where(runs.c.archived_at.is_(None))


def load_runs(connection: sa.Connection, query: sa.Select[Any]) -> list[Run]:
    """Return the runs of a query of `select_runs`, without their environment."""
    rows = connection.execute(query).all()
    chosen = query.with_only_columns(runs.c.run_id).order_by(None)
    tags: dict[str, list[str]] = {}
    for run_id, tag in connection.execute(sa.select(run_tags).where(run_tags.c.run_id.in_(chosen))):
        tags.setdefault(run_id, []).append(tag)
    dropped: dict[str, dict[str, int]] = {}
    for row in connection.execute(sa.select(drops).where(drops.c.run_id.in_(chosen))):
        reasons = dropped.setdefault(row.run_id, {})
        reasons[row.reason] = reasons.get(row.reason, 0) + row.drop_count
    found = [dict(zip(_FIELDS, row, strict=True)) for row in rows]
    mappings = iter(_mappings([fields[name] for fields in found for name in ("config", "summary")]))
    for fields in found:
        fields |= {"config": next(mappings), "summary": next(mappings)}
        fields["state"] = state_now(fields["state"], fields["updated_at"])
        fields["tags"] = tuple(sorted(tags.get(fields["run_id"], ())))
        fields["dropped"] = dropped.get(fields["run_id"], {})
    return [Run(**fields) for fields in found]


def _mappings(texts: Sequence[str]) -> Sequence[Any]:
    try:
        # All at once: half the time of one after the other.
        found: list[object] = json.loads(f"[{','.join(texts)}]")
    except ValueError:
        found = []
    sound = len(found) == len(texts) and all(isinstance(one, dict) for one in found)
    return found if sound else [mapping_of(text) for text in texts]


def _state(text: str) -> RunState:
    try:
        return RunState(text)
    except ValueError:
        return RunState.KILLED  # damaged, which `verify` names: one run must not hide the others


def state_now(stored: str, updated_at: float) -> RunState:
    """Return how a run stands, from what is stored of it."""
    state = _state(stored)
    # Recovery writes the state within seconds on the run's own machine. Elsewhere nobody can see
    # the process: a run that gave no sign of life for six heartbeats is not running.
    silent = time.time() - updated_at > SILENT_SECONDS
    return RunState.KILLED if state is RunState.RUNNING and silent else state


def load_last_values(
    connection: sa.Connection, run_ids: Sequence[str], known: dict[int, SeriesName]
) -> LastValues:
    """Return the last values of the scalars of some runs.

    Args:
        connection: with a transaction.
        run_ids: ids of runs.
        known: names by series_id, which never change; those that are missing are read and added.
    """
    run, totals = read_totals(connection, run_ids)
    ids, first, number = np.unique(totals["series_id"], return_index=True, return_inverse=True)
    found = {int(sid): run_ids[int(at)] for sid, at in zip(ids, run[first], strict=True)}
    _learn_names(connection, [(run_id, sid) for sid, run_id in found.items() if sid not in known], known)
    # A series that is damaged or gone has no name.
    named = [known.get(sid, _NAMELESS) for sid in found]
    scalars = [at for at, one in enumerate(named) if one.kind == "scalar"]
    scalars.sort(key=lambda at: named[at].label)
    place = np.full(len(ids), -1, np.int64)
    place[scalars] = np.arange(len(scalars))
    name: NDArray[np.int64] = place[number]
    kept = name >= 0
    return LastValues(
        tuple(run_ids),
        tuple(named[at] for at in scalars),
        run[kept],
        name[kept],
        totals["last_value"][kept],
        totals["min_value"][kept],
        totals["max_value"][kept],
        totals["last_step"][kept],
    )


def _learn_names(
    connection: sa.Connection, pairs: Sequence[tuple[str, int]], known: dict[int, SeriesName]
) -> None:
    column = series.c
    for part in parts(pairs):
        query = sa.select(column.series_id, column.name, column.kind, column.context)
        for row in connection.execute(query.where(sa.tuple_(column.run_id, column.series_id).in_(part))):
            known[row.series_id] = SeriesName(row.name, row.kind, mapping_of(row.context))


def parts(items: Sequence[T]) -> list[Sequence[T]]:
    """Return the items in pieces that one query can name."""
    return [items[start : start + _IDS_A_QUERY] for start in range(0, len(items), _IDS_A_QUERY)]
