"""The Writer: the only place with INSERT and UPDATE statements for what a run logs.

Everything one call stores, it stores in one transaction, together with how far the journal was
read: after a crash at any moment the data is there exactly once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from .engine import PATIENCE_SECONDS, open_for_writing, translate_errors
from .errors import RunNotFound
from .journal_state import load_state
from .location import StoreArgument, StoreLocation, locate
from .model import Run, RunState
from .schema import runs
from .write_artifacts import discard, entered
from .write_journal import Batch, JournalCursor, add_drops, lower_first_step, move_journal, open_journal
from .write_points import store_points, store_totals
from .write_run import EXTEND_RUN, TOUCH_RUN, apply_change, insert_attempt, insert_run
from .write_seal import Sealing
from .write_series import store_records

T = TypeVar("T")

_EMPTY_SHARE = 10
"""One page of the file in so many may stay empty."""
_PAGES_AT_ONCE = 500
"""How many are given back in one transaction."""


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
        name = self.transact(lambda connection: insert_run(connection, run))
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
            insert_attempt(connection, run_id, attempt, now, host, pid)
            return attempt

        return self.transact(work)

    def update_run(self, run_id: str, change: Mapping[str, Any]) -> None:
        """Change fields of a run: the keys are those of Batch.changes."""
        self.transact(lambda connection: apply_change(connection, run_id, change))

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
        return self.transact(lambda connection: open_journal(connection, run_id, name, attempt, run))

    def commit(self, cursor: JournalCursor, batch: Batch) -> None:
        """Store a batch and the journal's new position. On an error, open the journal anew.

        Raises:
            StoreError: nothing was stored.
            RunNotFound: the run was deleted.
        """

        def work(connection: sa.Connection) -> None:
            run_id, journal_no = cursor.run_id, cursor.journal_no
            # First: what the cursor knows holds only as long as nobody else moved the journal.
            move_journal(connection, cursor, batch)
            state = cursor.state = cursor.state or load_state(connection, run_id, journal_no)
            if batch.points is not None:
                store_points(connection, state, batch.points)
            new = entered(connection, self.location, run_id, batch.records)
            store_records(connection, self.location, state, new)
            store_totals(connection, state)
            alive = batch.newest is None
            for change in batch.changes:
                apply_change(connection, run_id, change, alive=alive)
            add_drops(connection, cursor, batch.drops)
            lower_first_step(connection, cursor, batch)
            touched = {"r": run_id, "updated_at": time.time() if alive else batch.newest}
            connection.execute(TOUCH_RUN if alive else EXTEND_RUN, touched)

        self.transact(work)
        discard(self.location, cursor.run_id, batch.records)
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
