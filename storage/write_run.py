"""Rows of runs: how one is entered and changed. Called by the Writer, in its transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from .model import Run, RunState
from .schema import attempts, run_tags, runs

_RUN_COLUMNS = {
    "name": "name",
    "group": "group_name",
    "notes": "notes",
    "state": "state",
    "framework": "framework",
    "finished_at": "finished_at",
    "error": "error",
    "archived_at": "archived_at",
}
_JSON_COLUMNS = ("config", "summary", "environment")
# Made once: to put a statement together takes longer than to run it.
TOUCH_RUN = (
    sa.update(runs).where(runs.c.run_id == sa.bindparam("r")).values(updated_at=sa.bindparam("updated_at"))
)


def _later(known: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    at = sa.bindparam("updated_at", type_=sa.Double)
    return sa.case((known < at, at), else_=known)


_ENDED = sa.func.coalesce(runs.c.finished_at, runs.c.updated_at)


EXTEND_RUN = (
    sa.update(runs)
    .where(runs.c.run_id == sa.bindparam("r"))
    .values(
        updated_at=_later(runs.c.updated_at),
        finished_at=sa.case((runs.c.state == RunState.RUNNING, None), else_=_later(_ENDED)),
    )
)
"""Of a run that was recorded earlier: it lasted to this moment at least."""


def _to_json(value: object) -> str:
    # NaN and infinity stay; what JSON cannot hold becomes its str().
    return json.dumps(value, default=str, ensure_ascii=False)


def _next_name(connection: sa.Connection, project: str) -> str:
    query = sa.select(sa.func.count()).select_from(runs).where(runs.c.project == project)
    return f"run-{(connection.execute(query).scalar() or 0) + 1}"


def insert_run(connection: sa.Connection, run: Run) -> str:
    """Enter a run with its tags and first attempt; return its name, "run-N" when it has none."""
    name = run.name or _next_name(connection, run.project)
    row = {
        "run_id": run.run_id,
        "project": run.project,
        "name": name,
        "group_name": run.group,
        "notes": run.notes,
        "state": run.state,
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "host": run.host,
        "pid": run.pid,
        "framework": run.framework,
        "attempt": run.attempt,
    }
    row |= {key: _to_json(getattr(run, key)) for key in _JSON_COLUMNS}
    connection.execute(sa.insert(runs), row)
    _insert_tags(connection, run.run_id, run.tags)
    insert_attempt(connection, run.run_id, run.attempt, run.created_at, run.host, run.pid)
    return name


def _insert_tags(connection: sa.Connection, run_id: str, tags: Sequence[str]) -> None:
    rows = [{"run_id": run_id, "tag": tag} for tag in dict.fromkeys(tags)]
    if rows:
        connection.execute(sa.insert(run_tags), rows)


def insert_attempt(
    connection: sa.Connection, run_id: str, attempt: int, now: float, host: str, pid: int
) -> None:
    """Enter an attempt of a run."""
    row = {"run_id": run_id, "attempt": attempt, "started_at": now, "host": host, "pid": pid}
    connection.execute(sa.insert(attempts), row)


def apply_change(
    connection: sa.Connection, run_id: str, change: Mapping[str, Any], *, alive: bool = True
) -> None:
    """Change fields of a run (see Batch.changes); note the time, as a sign that it is alive."""
    values: dict[str, Any] = {"updated_at": time.time()} if alive else {}
    values |= {_RUN_COLUMNS[key]: change[key] for key in change.keys() & _RUN_COLUMNS.keys()}
    values |= {key: _to_json(change[key]) for key in _JSON_COLUMNS if key in change}
    if values:
        connection.execute(sa.update(runs).where(runs.c.run_id == run_id).values(values))
    if "tags" in change:
        set_tags(connection, run_id, change["tags"])


def set_tags(connection: sa.Connection, run_id: str, tags: Sequence[str]) -> None:
    """Let a run have these tags, and no others."""
    connection.execute(sa.delete(run_tags).where(run_tags.c.run_id == run_id))
    _insert_tags(connection, run_id, tags)
