"""The Writer: the only place with INSERT and UPDATE statements for what a run logs.

Everything one call stores, it stores in one transaction, together with how far the journal was
read: after a crash at any moment the data is there exactly once.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from .engine import PATIENCE_SECONDS, open_for_writing, translate_errors
from .errors import RunNotFound, StoreError
from .journal_read import Position
from .journal_state import JournalState, load_state
from .location import StoreArgument, StoreLocation, locate
from .model import Run, RunState
from .schema import attempts, drops, journals, run_tags, runs
from .write_points import NewPoints, lowest_step, store_points, store_totals
from .write_seal import Sealing
from .write_series import NewRecord, store_records

T = TypeVar("T")

_RUN_COLUMNS = {
    "name": "name",
    "group": "group_name",
    "notes": "notes",
    "state": "state",
    "framework": "framework",
    "finished_at": "finished_at",
    "error": "error",
}
_EMPTY_SHARE = 10
"""One page of the file in so many may stay empty."""
_PAGES_AT_ONCE = 500
"""How many are given back in one transaction."""
_JSON_COLUMNS = ("config", "summary", "environment")


@dataclass(slots=True)
class Batch:
    """What one drain of a journal stores at once."""

    points_position: Position
    values_position: Position
    points: NewPoints | None = None
    records: list[NewRecord] = field(default_factory=list[NewRecord])
    changes: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    """Keys of Run: name, group, notes, tags, state, framework, config, summary, error ..."""
    drops: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class JournalCursor:
    """How far a journal was stored, and what later commits of it build on."""

    run_id: str
    attempt: int
    journal_no: int
    points_position: Position
    values_position: Position
    state: JournalState | None = None
    """What the journal has stored; read at the first commit."""
    first_step: int | None = None
    edition: int = 0
    """Of the journal's chunks: another one means that somebody else merged them."""


class Writer:
    """Writes one store. Safe to use from several threads, one transaction at a time each."""

    def __init__(self, location: StoreLocation, engine: sa.Engine) -> None:
        """Write over an engine that `engine.open_for_writing` made."""
        self.location = location
        self.engine = engine
        self._file = self._identity()

    @classmethod
    def open(cls, store: StoreArgument = None, *, patience: float = PATIENCE_SECONDS) -> Self:
        """Open a store, creating it or migrating it as needed.

        `patience` is how many seconds each transaction waits for those of others.

        Raises:
            StoreError: what stands in the way (see engine.open_for_writing).
        """
        location = locate(store)
        return cls(location, open_for_writing(location, patience))

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def is_current(self) -> bool:
        """Whether the store is still the file that was opened, neither deleted nor replaced."""
        return self._identity() == self._file

    def _identity(self) -> tuple[int, int] | None:
        if self.location.path is None:
            return None
        try:
            status = self.location.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in one transaction. Raises StoreError, with nothing stored."""

        def run() -> T:
            with self.engine.begin() as connection:
                return work(connection)

        return translate_errors(self.location, run)

    def create_run(self, run: Run) -> Run:
        """Store a new run and its first attempt; an empty name becomes "run-N"."""
        name = self.transact(lambda connection: _insert_run(connection, run))
        return replace(run, name=name)

    def resume_run(self, run_id: str, *, host: str, pid: int) -> int:
        """Mark a run as running again; return the number of its new attempt.

        Raises:
            RunNotFound: no such run.
        """

        def work(connection: sa.Connection) -> int:
            row = connection.execute(sa.select(runs.c.attempt).where(runs.c.run_id == run_id)).first()
            if row is None:
                raise RunNotFound(f"there is no run {run_id!r} in {self.location.display} to resume")
            now, attempt = time.time(), int(row.attempt) + 1
            values = {
                "state": RunState.RUNNING,
                "attempt": attempt,
                "updated_at": now,
                "finished_at": None,
                "error": None,
                "host": host,
                "pid": pid,
            }
            connection.execute(sa.update(runs).where(runs.c.run_id == run_id).values(values))
            _insert_attempt(connection, run_id, attempt, now, host, pid)
            return attempt

        return self.transact(work)

    def update_run(self, run_id: str, change: Mapping[str, Any]) -> None:
        """Change fields of a run: the keys are those of Batch.changes."""
        self.transact(lambda connection: _apply_change(connection, run_id, change))

    def touch_run(self, run_id: str) -> None:
        """Say that the run is alive."""
        self.update_run(run_id, {})

    def last_change(self, run_id: str) -> float:
        """Return when the run was last changed, heartbeats included. Raises RunNotFound."""
        query = sa.select(runs.c.updated_at).where(runs.c.run_id == run_id)
        found = self.transact(lambda connection: connection.execute(query).scalar())
        if found is None:
            raise RunNotFound(f"there is no run {run_id!r} in {self.location.display}")
        return float(found)

    def end_if_running(self, run_id: str, attempt: int, state: RunState, ended_at: float) -> None:
        """Mark a run as ended unless it ended by itself or was resumed."""
        ours = (runs.c.run_id == run_id) & (runs.c.attempt == attempt) & (runs.c.state == RunState.RUNNING)
        values = {"state": state, "finished_at": ended_at, "updated_at": time.time()}
        ended = sa.update(runs).where(ours).values(values)
        self.transact(lambda connection: connection.execute(ended).rowcount)

    def open_journal(self, run_id: str, name: str, attempt: int, run: Run | None = None) -> JournalCursor:
        """Return how far a journal was stored; enter it if it is new, and `run` if that is missing.

        Raises:
            RunNotFound: the run was deleted.
        """
        return self.transact(lambda connection: _open_journal(connection, run_id, name, attempt, run))

    def commit(self, cursor: JournalCursor, batch: Batch) -> None:
        """Store a batch and the journal's new position. On an error, open the journal anew.

        Raises:
            StoreError: nothing was stored.
            RunNotFound: the run was deleted.
        """

        def work(connection: sa.Connection) -> None:
            run_id, journal_no = cursor.run_id, cursor.journal_no
            # First: what the cursor knows holds only as long as nobody else moved the journal.
            _move_journal(connection, cursor, batch)
            state = cursor.state = cursor.state or load_state(connection, run_id, journal_no)
            if batch.points is not None:
                store_points(connection, state, batch.points)
            store_records(connection, self.location, state, batch.records)
            store_totals(connection, state)
            for change in batch.changes:
                _apply_change(connection, run_id, change)
            _add_drops(connection, cursor, batch.drops)
            _lower_first_step(connection, cursor, batch)
            connection.execute(_TOUCH_RUN, {"r": run_id, "updated_at": time.time()})

        self.transact(work)
        cursor.points_position = batch.points_position
        cursor.values_position = batch.values_position

    def seal(self, run_id: str, journal_no: int, seconds: float = math.inf) -> bool:
        """Merge what a journal stored into as few chunks as can be, when nothing more comes of it.

        The transactions are short, so that others can write between them. A cursor of this journal is
        of no use afterwards: a commit with it raises StoreError.

        Returns:
            False when there was more to do than `seconds` allow; all of it can be read in any case.

        Raises:
            StoreError: the store cannot be written now.
        """
        deadline = time.monotonic() + seconds
        sealing = Sealing(run_id, journal_no)
        more = True
        while more and time.monotonic() < deadline:
            more = self.transact(sealing.step)
        while self.location.path is not None and time.monotonic() < deadline:
            if not self.transact(_give_back):
                break
        return not more


def _give_back(connection: sa.Connection) -> bool:
    """Return empty pages of the file to the disk; False when few are empty, or none can be returned."""

    def asked(name: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)

    empty = asked("freelist_count")
    if empty * _EMPTY_SHARE < asked("page_count"):
        return False
    # The driver's own cursor: each row, which has no columns, is a page.
    connection.connection.cursor().execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
    return asked("freelist_count") < empty


def _to_json(value: object) -> str:
    # NaN and infinity stay; what JSON cannot hold becomes its str().
    return json.dumps(value, default=str, ensure_ascii=False)


def _next_name(connection: sa.Connection, project: str) -> str:
    query = sa.select(sa.func.count()).select_from(runs).where(runs.c.project == project)
    return f"run-{(connection.execute(query).scalar() or 0) + 1}"


def _insert_run(connection: sa.Connection, run: Run) -> str:
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
    _insert_attempt(connection, run.run_id, run.attempt, run.created_at, run.host, run.pid)
    return name


def _insert_tags(connection: sa.Connection, run_id: str, tags: Sequence[str]) -> None:
    rows = [{"run_id": run_id, "tag": tag} for tag in dict.fromkeys(tags)]
    if rows:
        connection.execute(sa.insert(run_tags), rows)


def _insert_attempt(
    connection: sa.Connection, run_id: str, attempt: int, now: float, host: str, pid: int
) -> None:
    row = {"run_id": run_id, "attempt": attempt, "started_at": now, "host": host, "pid": pid}
    connection.execute(sa.insert(attempts), row)


def _apply_change(connection: sa.Connection, run_id: str, change: Mapping[str, Any]) -> None:
    values: dict[str, Any] = {"updated_at": time.time()}
    values |= {_RUN_COLUMNS[key]: change[key] for key in change.keys() & _RUN_COLUMNS.keys()}
    values |= {key: _to_json(change[key]) for key in _JSON_COLUMNS if key in change}
    connection.execute(sa.update(runs).where(runs.c.run_id == run_id).values(values))
    if "tags" in change:
        connection.execute(sa.delete(run_tags).where(run_tags.c.run_id == run_id))
        _insert_tags(connection, run_id, change["tags"])


def _open_journal(
    connection: sa.Connection, run_id: str, name: str, attempt: int, run: Run | None
) -> JournalCursor:
    mine = (journals.c.run_id == run_id) & (journals.c.name == name)
    row = connection.execute(sa.select(journals).where(mine)).first()
    if row is not None:
        return JournalCursor(
            run_id,
            row.attempt,
            row.journal_no,
            Position(row.points_segment, row.points_offset),
            Position(row.values_segment, row.values_offset),
            edition=row.edition,
        )
    if connection.execute(sa.select(runs.c.run_id).where(runs.c.run_id == run_id)).first() is None:
        if run is None:
            raise RunNotFound(f"run {run_id} was deleted while its journal {name} was not yet stored")
        _insert_run(connection, run)
    highest = sa.select(sa.func.max(journals.c.journal_no)).where(journals.c.run_id == run_id)
    number = connection.execute(highest).scalar()
    cursor = JournalCursor(run_id, attempt, 0 if number is None else number + 1, Position(), Position())
    connection.execute(sa.insert(journals), _journal_row(cursor, name))
    return cursor


def _journal_row(cursor: JournalCursor, name: str) -> dict[str, Any]:
    return {
        "run_id": cursor.run_id,
        "journal_no": cursor.journal_no,
        "name": name,
        "attempt": cursor.attempt,
        "edition": cursor.edition,
        **_places(cursor.points_position, cursor.values_position),
    }


def _move_journal(connection: sa.Connection, cursor: JournalCursor, batch: Batch) -> None:
    was = _places(cursor.points_position, cursor.values_position)
    place = {"r": cursor.run_id, "j": cursor.journal_no, "e": cursor.edition}
    place |= {f"was_{name}": at for name, at in was.items()}
    moved = place | _places(batch.points_position, batch.values_position)
    if connection.execute(_MOVE_JOURNAL, moved).rowcount == 1:
        return
    mine = (journals.c.run_id == cursor.run_id) & (journals.c.journal_no == cursor.journal_no)
    if connection.execute(sa.select(journals.c.run_id).where(mine)).first() is None:
        raise RunNotFound(f"run {cursor.run_id} was deleted while it was logging")
    # The journal's lock prevents it, but not on every network file system.
    raise StoreError(
        f"a journal of run {cursor.run_id} was stored by another process meanwhile. "
        f"Nothing is stored twice; what is left is read again."
    )


def _places(points: Position, values: Position) -> dict[str, int]:
    return {
        "points_segment": points.segment,
        "points_offset": points.offset,
        "values_segment": values.segment,
        "values_offset": values.offset,
    }


# Made once: to put a statement together takes longer than to run it.
_MOVE_JOURNAL = (
    sa.update(journals)
    .where(journals.c.run_id == sa.bindparam("r"), journals.c.journal_no == sa.bindparam("j"))
    .where(journals.c.edition == sa.bindparam("e"))
    .where(*(journals.c[name] == sa.bindparam(f"was_{name}") for name in _places(Position(), Position())))
    .values({name: sa.bindparam(name) for name in _places(Position(), Position())})
)
_TOUCH_RUN = (
    sa.update(runs).where(runs.c.run_id == sa.bindparam("r")).values(updated_at=sa.bindparam("updated_at"))
)


def _add_drops(connection: sa.Connection, cursor: JournalCursor, found: Mapping[str, int]) -> None:
    for reason, count in found.items():
        mine = (
            (drops.c.run_id == cursor.run_id)
            & (drops.c.journal_no == cursor.journal_no)
            & (drops.c.reason == reason)
        )
        raised = sa.update(drops).where(mine).values(drop_count=drops.c.drop_count + count)
        if connection.execute(raised).rowcount == 0:
            row = {
                "run_id": cursor.run_id,
                "journal_no": cursor.journal_no,
                "reason": reason,
                "drop_count": count,
            }
            connection.execute(sa.insert(drops), row)


def _lower_first_step(connection: sa.Connection, cursor: JournalCursor, batch: Batch) -> None:
    steps = [record.step for record in batch.records]
    if batch.points is not None and cursor.state is not None:
        steps += lowest_step(cursor.state, batch.points)
    lowest = min(steps, default=None)
    if lowest is None or (cursor.first_step is not None and cursor.first_step <= lowest):
        return
    mine = (
        (attempts.c.run_id == cursor.run_id)
        & (attempts.c.attempt == cursor.attempt)
        & (attempts.c.first_step.is_(None) | (attempts.c.first_step > lowest))
    )
    connection.execute(sa.update(attempts).where(mine).values(first_step=lowest))
    cursor.first_step = lowest
