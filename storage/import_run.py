"""Entering what another program recorded: its runs, their attempts, and how far each part of them was stored.

A part is a journal whose name says where it comes from, so that an import goes on where the last one
stopped. The times of such a run are those of its values, never of the import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from .errors import RunNotFound
from .journal_read import Position, SeriesDefinition
from .kinds import EVENT, RawValue
from .kinds.event import IMPORT
from .model import Run
from .nested import mapping_of
from .schema import attempts, journals, metadata, records, runs, series, totals
from .segments import HEADER_BYTES
from .totals import TOTAL
from .write import Writer
from .write_journal import Batch, JournalCursor, open_journal
from .write_run import insert_attempt, insert_run
from .write_series import NewRecord, series_id_of

_PREFIX = "import"
_SAID = SeriesDefinition(IMPORT, EVENT.name, {})


@dataclass(frozen=True, slots=True)
class PartName:
    """What tells a part from all others of its run."""

    origin: str
    """Where the run comes from; without blanks."""
    name: str
    edition: str = "-"
    """Another one means that the part was written anew; without blanks."""

    def __str__(self) -> str:
        """Return the name of the journal."""
        return f"{_PREFIX} {self.origin} {self.edition} {self.name}"


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """What a store holds of an import."""

    origins: frozenset[str]
    """Where it comes from; empty for a run that was recorded here."""
    positions: Mapping[str, int]
    """The name of a part's journal -> how far it was stored, in whatever the part counts in."""
    facts: Mapping[str, str]
    """Field of the run -> a digest of what the source said of it last."""


def imported_run(writer: Writer, run_id: str) -> ImportedRun | None:
    """Return what the store holds of a run; None when it has no such run. Raises StoreError."""

    def look(connection: sa.Connection) -> ImportedRun | None:
        if connection.execute(sa.select(runs.c.run_id).where(runs.c.run_id == run_id)).first() is None:
            return None
        query = sa.select(journals.c.name, journals.c.points_offset).where(journals.c.run_id == run_id)
        ours = [
            (name, offset) for name, offset in connection.execute(query) if name.startswith(f"{_PREFIX} ")
        ]
        origins = frozenset(name.split(" ")[1] for name, _ in ours)
        positions = {name: offset - HEADER_BYTES for name, offset in ours}
        return ImportedRun(origins, positions, _facts(connection, run_id))

    return writer.transact(look)


def enter_run(writer: Writer, run: Run, origin: str) -> None:
    """Store a run of another program, and where it comes from, if it is not there. Raises StoreError."""

    def enter(connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            # Two that import one run at once take turns; in SQLite they do so anyway.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(run.run_id))))
        if connection.execute(sa.select(runs.c.run_id).where(runs.c.run_id == run.run_id)).first():
            return
        insert_run(connection, run)
        # `insert_run` takes a run that begins: what else is known of this one comes with it.
        known = {"finished_at": run.finished_at, "error": run.error, "archived_at": run.archived_at}
        connection.execute(sa.update(runs).where(runs.c.run_id == run.run_id).values(known))
        open_journal(connection, run.run_id, str(PartName(origin, "")), run.attempt, None)

    writer.transact(enter)


def note_facts(
    writer: Writer,
    run_id: str,
    origin: str,
    facts: Mapping[str, str],
    change: Mapping[str, Any],
    at: float,
) -> None:
    """Change a run as its source did, and remember what that said, so that it is done once.

    Args:
        writer: of the store.
        run_id: of a run that `enter_run` entered.
        origin: as it was given there.
        facts: see ImportedRun.
        change: the fields that are others now (see Batch.changes).
        at: when the source last heard of the run, in seconds since the epoch.

    Raises:
        RunNotFound: the run was deleted.
        StoreError: nothing was stored.
    """
    cursor = writer.open_journal(run_id, str(PartName(origin, "")), 0)
    place = cursor.values_position
    batch = Batch(cursor.points_position, Position(place.segment, place.offset + 1), newest=at)
    batch.records.append(NewRecord(_SAID, 0, at, EVENT.encode(RawValue({"facts": facts}, b""))))
    batch.changes.append(change)
    writer.commit(cursor, batch)


def open_part(
    writer: Writer, run_id: str, part: PartName, attempt: int, started: tuple[float, str, int]
) -> JournalCursor:
    """Return how far a part was stored, after entering it and its attempt, if they are new.

    What the store has of another edition of the part is removed.

    Args:
        writer: of the store.
        run_id: of a run that `enter_run` entered.
        part: which part.
        attempt: which attempt of the run it belongs to.
        started: when that attempt began, on which host, as which process.

    Raises:
        RunNotFound: the run was deleted.
        StoreError: the store cannot be written now.
    """

    def work(connection: sa.Connection) -> JournalCursor:
        _forget_older(connection, run_id, part)
        _enter_attempt(connection, run_id, attempt, *started)
        return open_journal(connection, run_id, str(part), attempt, None)

    return writer.transact(work)


def _facts(connection: sa.Connection, run_id: str) -> Mapping[str, str]:
    mine = (records.c.run_id == run_id) & (records.c.series_id == series_id_of(_SAID))
    query = sa.select(records.c.meta).where(mine).order_by(records.c.seq.desc()).limit(1)
    return mapping_of(connection.execute(query).scalar() or "{}").get("facts", {})


def place_of(position: int) -> Position:
    """Return how a journal's row tells a position in a part."""
    return Position(0, HEADER_BYTES + position)


def _enter_attempt(
    connection: sa.Connection, run_id: str, attempt: int, started_at: float, host: str, pid: int
) -> None:
    newest = connection.execute(sa.select(runs.c.attempt).where(runs.c.run_id == run_id)).scalar()
    if newest is None:
        raise RunNotFound(f"run {run_id} was deleted while it was imported")
    mine = (attempts.c.run_id == run_id) & (attempts.c.attempt == attempt)
    if connection.execute(sa.select(attempts.c.attempt).where(mine)).first() is None:
        insert_attempt(connection, run_id, attempt, started_at, host, pid)
    if attempt > newest:
        values = {"attempt": attempt, "host": host, "pid": pid}
        connection.execute(sa.update(runs).where(runs.c.run_id == run_id).values(values))


def _forget_older(connection: sa.Connection, run_id: str, part: PartName) -> None:
    query = sa.select(journals.c.journal_no, journals.c.name).where(journals.c.run_id == run_id)
    for number, name in connection.execute(query).all():
        words = name.split(" ", 3)
        if words[:2] == [_PREFIX, part.origin] and words[3] == part.name and words[2] != part.edition:
            _forget(connection, run_id, number)


def _forget(connection: sa.Connection, run_id: str, journal_no: int) -> None:
    before = _series_of(connection, run_id)
    for table in metadata.sorted_tables:
        if "journal_no" in table.c:
            mine = (table.c.run_id == run_id) & (table.c.journal_no == journal_no)
            connection.execute(sa.delete(table).where(mine))
    gone = before - _series_of(connection, run_id)
    if gone:
        rows: Sequence[dict[str, object]] = [{"r": run_id, "s": number} for number in gone]
        connection.execute(_DELETE_SERIES, rows)


def _series_of(connection: sa.Connection, run_id: str) -> set[int]:
    found = connection.execute(sa.select(totals.c.data).where(totals.c.run_id == run_id)).scalars()
    return set(np.frombuffer(b"".join(found), TOTAL)["series_id"].tolist())


_DELETE_SERIES = sa.delete(series).where(
    series.c.run_id == sa.bindparam("r"), series.c.series_id == sa.bindparam("s")
)
