"""Rows of journals: how far each was stored, what it lost, where its attempt began.

Called by the Writer, in its transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from .errors import RunNotFound, StoreError
from .journal_read import Position
from .journal_state import JournalState
from .kinds import EVENT
from .model import Run
from .schema import attempts, drops, journals, runs
from .write_points import NewPoints, lowest_step
from .write_run import insert_run
from .write_series import NewRecord


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
    newest: float | None = None
    """Of what was recorded earlier: the time of its newest value. None when it is being recorded now."""


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


def open_journal(
    connection: sa.Connection, run_id: str, name: str, attempt: int, run: Run | None
) -> JournalCursor:
    """Return how far a journal was stored; enter it, and `run`, if they are missing. Raises RunNotFound."""
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
        insert_run(connection, run)
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


def move_journal(connection: sa.Connection, cursor: JournalCursor, batch: Batch) -> None:
    """Say how far the journal is stored now.

    Raises:
        RunNotFound: the run was deleted.
        StoreError: somebody else moved the journal, or merged its chunks.
    """
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


def add_drops(connection: sa.Connection, cursor: JournalCursor, found: Mapping[str, int]) -> None:
    """Add to the counts of what was not stored, by reason."""
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


def lower_first_step(connection: sa.Connection, cursor: JournalCursor, batch: Batch) -> None:
    """Say from which step on the attempt replaces older ones, if the batch begins before it."""
    # What a run says about itself replaces nothing of older attempts.
    steps = [record.step for record in batch.records if record.definition.kind != EVENT.name]
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
