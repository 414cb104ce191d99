"""Compacting: as few chunks as can be, and the space that nobody uses given back to the disk.

Each step is one short transaction or one of SQLite's own commands, so a kill at any moment leaves a sound
store, and others log meanwhile. Only a file that an older Stepscope made has to be written anew as a whole,
and they wait.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from .artifact_files import STAGED, staging_place
from .drain import recover_orphans
from .engine import translate_errors
from .errors import StoreNotWritable
from .forks import forks
from .location import StoreLocation
from .maintain import journals_of, store_bytes
from .schema import blobs, journals, metadata, runs, streams, tails
from .write import Writer

_QUIET_SECONDS = 900.0
"""How long a run must have given no sign of life before somebody else merges what its journals stored."""
_INCREMENTAL = 2
"""What SQLite answers when a file can give pages back without being written anew."""
_PAGES_AT_ONCE = 2000
_WORTHWHILE_BYTES = 1 << 20
_WORTHWHILE_SHARE = 0.2
"""Free space in the database file, as a part of it, from which on the file is rewritten."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compacting did."""

    bytes_before: int
    """Of all files of the store; of the tables, on a server."""
    bytes_after: int
    recovered: tuple[str, ...]
    """Ids of runs that had left something in a journal."""
    merged: int
    """How many journals' chunks were merged."""
    left: int
    """How many were left as they are, because their runs may still log."""
    rows_removed: int
    """Rows of runs that are not there any more."""
    files_removed: int
    """Files that no run names."""
    shrunk: bool
    """Whether free space inside the database was given back."""


def compact(writer: Writer) -> Compacted:
    """Make a store as small as it can be.

    Raises:
        StoreError: what was done until then stays done.
    """
    before = store_bytes(writer.location, writer.engine)
    recovered = recover_orphans(writer)
    merged, left = _merge(writer)
    rows = writer.transact(_remove_rows)
    files = writer.transact(lambda connection: len(_remove_files(writer, connection)))
    shrunk = _give_back(writer)
    after = store_bytes(writer.location, writer.engine)
    return Compacted(before, after, tuple(recovered), merged, left, rows, files, shrunk)


def lost_rows(connection: sa.Connection) -> dict[str, int]:
    """Return table -> how many of its rows belong to a run that is not there."""
    counts = {
        table.name: sa.select(sa.func.count()).select_from(table).where(_lost(table)) for table in _of_runs()
    }
    found = {name: int(connection.execute(query).scalar() or 0) for name, query in counts.items()}
    return {name: count for name, count in found.items() if count}


def lost_files(connection: sa.Connection, location: StoreLocation) -> list[Path]:
    """Return the files of large blobs that no row names; those that are just being written among them.

    Copies of artifacts are lost when no journal is left that could name them.
    """
    found: list[Path] = []
    for of_run in staging_place(location).glob("*"):
        query = sa.select(blobs.c.digest).where(blobs.c.run_id == of_run.name, blobs.c.data.is_(None))
        named = set(connection.execute(query).scalars())
        unnamed = [path for path in of_run.glob("*") if path.name not in named]
        staged = [path for path in unnamed if path.name.startswith(STAGED)]
        found += [path for path in unnamed if path not in staged]
        if staged and not journals_of(location, of_run.name):
            found += [path for folder in staged for path in folder.glob("*")]
    return found


def _merge(writer: Writer) -> tuple[int, int]:
    """Merge the chunks of journals of which nothing more comes; return how many, and how many not."""
    here = {folder.name for folder in journals_of(writer.location)}
    quiet_since = time.time() - _QUIET_SECONDS
    merged = left = 0
    for row in writer.transact(_unmerged):
        # One whose folder is here has a living owner, or cannot be read: it was not recovered just now.
        alive = writer.location.path is None and row.finished_at is None and row.updated_at > quiet_since
        if row.name in here or alive:
            left += 1
        else:
            writer.seal(row.run_id, row.journal_no)
            merged += 1
    return merged, left


def _unmerged(connection: sa.Connection) -> Iterable[Any]:
    several = streams.c.parts.contains(",")
    pairs = sa.union(
        sa.select(tails.c.run_id, tails.c.journal_no),
        sa.select(streams.c.run_id, streams.c.journal_no).where(several),
    ).subquery()
    same = (journals.c.run_id == pairs.c.run_id) & (journals.c.journal_no == pairs.c.journal_no)
    query = (
        sa.select(journals.c.run_id, journals.c.journal_no, journals.c.name)
        .add_columns(runs.c.updated_at, runs.c.finished_at)
        .join(pairs, same)
        .join(runs, runs.c.run_id == journals.c.run_id)
    )
    return connection.execute(query.order_by(journals.c.run_id, journals.c.journal_no)).all()


def _remove_rows(connection: sa.Connection) -> int:
    return sum(connection.execute(sa.delete(table).where(_lost(table))).rowcount for table in _of_runs())


def _remove_files(writer: Writer, connection: sa.Connection) -> list[Path]:
    """Remove the files that no row names. Within a transaction nobody else is about to name one."""
    found = lost_files(connection, writer.location)
    for path in found:
        path.unlink(missing_ok=True)
    place = staging_place(writer.location)
    for folder in (*place.glob(f"*/{STAGED}*"), *place.glob("*")):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return found


def _of_runs() -> list[sa.Table]:
    return [table for table in metadata.sorted_tables if table is not runs]


def _lost(table: sa.Table) -> sa.ColumnElement[bool]:
    return table.c.run_id.not_in(sa.select(runs.c.run_id))


def _give_back(writer: Writer) -> bool:
    return translate_errors(writer.location, lambda: _vacuum(writer))


def _vacuum(writer: Writer) -> bool:
    if writer.location.path is None:
        with writer.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in metadata.sorted_tables:
                connection.exec_driver_sql(f"VACUUM (ANALYZE) {table.name}")
        return True
    with forks.connected(), writer.engine.connect() as connection:
        # The driver's own connection: SQLite does this outside of any transaction only.
        database: Any = connection.connection.driver_connection
        try:
            return _shrink(database, writer.location.path)
        except sqlite3.Error as error:
            raise StoreNotWritable(
                f"{writer.location.display} could not be made smaller: {error}. "
                f"Nothing is lost; try again later"
            ) from error


def _shrink(database: sqlite3.Connection, path: Path) -> bool:
    """Give free pages back to the disk; return whether there were any worth it."""
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    page, pages, free = (_ask(database, name) for name in ("page_size", "page_count", "freelist_count"))
    if _ask(database, "auto_vacuum") == _INCREMENTAL:
        # A piece at a time, so that others can write between them.
        left, shrunk = free, free > 0
        while left:
            database.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
            before, left = left, _ask(database, "freelist_count")
            if left >= before:
                break  # others free pages as fast as these are given back
    else:
        # A file of an older Stepscope: it is written anew, whole, before the old one goes.
        pays = free * page >= _WORTHWHILE_BYTES and free >= pages * _WORTHWHILE_SHARE
        shrunk = pays and shutil.disk_usage(path.parent).free > 2 * (pages - free) * page
        if shrunk:
            database.execute("PRAGMA auto_vacuum=INCREMENTAL")
            database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return shrunk


def _ask(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])
