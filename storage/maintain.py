"""What is done to a whole run after it was logged: rename, tag, archive, delete; and how large it is.

The Writer comes from whoever asks: the command line, or the dashboard's server.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from .blobs import delete_files
from .drain import living_journal, recover_orphans
from .engine import open_for_reading
from .errors import BadInput, RunAlive, RunNotFound, StoreDamaged, StoreNotWritable, StoreTooOld
from .journal_read import JournalReader
from .location import StoreLocation
from .model import RunState
from .os_files import acquire_lock
from .read import Reader
from .read_runs import SILENT_SECONDS
from .schema import metadata, run_tags, runs
from .write import Writer
from .write_run import set_tags

_TICK = 0.001
"""How much later a run was changed by what is done here: others notice, and it does not look alive."""


@dataclass(frozen=True, slots=True)
class RunSize:
    """What a run takes, in bytes."""

    database_bytes: int
    """Of what was logged, as it is stored; rows and indexes take some more."""
    files: int
    """How many of its blobs lie in files of their own."""
    file_bytes: int
    journals: int
    """How many journals of it are on this machine: of living processes, or not stored yet."""
    journal_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.database_bytes + self.file_bytes + self.journal_bytes


def rename_run(writer: Writer, run_id: str, name: str) -> None:
    """Give a run another name. Raises RunNotFound, BadInput, StoreError."""
    if not name.strip():
        raise BadInput(f"a run's name has at least one letter, but {name!r} was given")
    _change(writer, run_id, {"name": name})


def note_run(writer: Writer, run_id: str, notes: str) -> None:
    """Give a run other notes, in Markdown. Raises RunNotFound, StoreError."""
    _change(writer, run_id, {"notes": notes})


def tag_run(writer: Writer, run_id: str, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
    """Give tags to a run and take others away.

    Raises:
        BadInput: a tag is empty.
        RunNotFound, StoreError: nothing was changed.
    """
    added = [tag.strip() for tag in add]
    if not all(added):
        raise BadInput(f"a tag has at least one letter, but {list(add)!r} were given")

    def work(connection: sa.Connection) -> None:
        _row(connection, writer.location, run_id)
        query = sa.select(run_tags.c.tag).where(run_tags.c.run_id == run_id)
        kept = [tag for tag in connection.execute(query).scalars() if tag not in remove]
        set_tags(connection, run_id, [*kept, *added])
        _update(connection, run_id, {})

    writer.transact(work)


def archive_run(writer: Writer, run_id: str) -> None:
    """Hide a run from lists; nothing of it is lost. Raises RunNotFound, BadInput, StoreError."""
    _set_archived(writer, run_id, time.time())


def restore_run(writer: Writer, run_id: str) -> None:
    """Show an archived run in lists again. Raises RunNotFound, BadInput, StoreError."""
    _set_archived(writer, run_id, None)


def delete_run(writer: Writer, run_id: str, *, force: bool = False) -> RunSize:
    """Delete a run with everything that belongs to it; return what it took.

    Args:
        writer: of the store.
        run_id: the whole id.
        force: delete it even though its process is alive. What that process still logs is lost.

    Raises:
        RunNotFound: there is no such run.
        RunAlive: its process is alive, and `force` is not set.
        StoreError: nothing was deleted.
    """

    def work(connection: sa.Connection) -> RunSize:
        if not force:
            _check_ended(writer, connection, run_id)
        size = run_size(connection, writer.location, run_id)
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table).where(table.c.run_id == run_id))
        return size

    size = writer.transact(work)
    # Afterwards: rows without their file would be damage, a file without rows is rubbish.
    delete_files(writer.location, run_id)
    _delete_journals(writer.location, run_id)
    return size


def run_size(connection: sa.Connection, location: StoreLocation, run_id: str) -> RunSize:
    """Measure a run. Raises RunNotFound."""
    _row(connection, location, run_id)
    files = [] if location.files is None else _sizes(location.files / run_id)
    folders = journals_of(location, run_id)
    return RunSize(
        database_bytes=sum(_stored_bytes(connection, table, run_id) for table in metadata.sorted_tables),
        files=len(files),
        file_bytes=sum(files),
        journals=len(folders),
        journal_bytes=sum(sum(_sizes(folder)) for folder in folders),
    )


def size_of(reader: Reader, run_id: str) -> RunSize:
    """Measure a run of a store that is open for reading. Raises RunNotFound, StoreError."""
    return reader.ask(lambda connection: run_size(connection, reader.location, run_id))


def store_bytes(location: StoreLocation, engine: sa.Engine) -> int:
    """Return what a store takes on the disk, all files that belong to it; on a server, its tables."""
    if location.path is None:
        measure = sa.select(sa.func.sum(sa.func.pg_total_relation_size(sa.column("oid"))))
        ours = sa.column("relname").in_([table.name for table in metadata.sorted_tables])
        here = sa.text("pg_table_is_visible(oid)")
        with engine.connect() as connection:
            query = measure.select_from(sa.table("pg_class")).where(ours, here)
            return int(connection.execute(query).scalar() or 0) + sum(_sizes(location.spool))
    database = [location.path.with_name(location.path.name + end) for end in ("", "-wal", "-shm")]
    folders = [location.spool, *([] if location.files is None else [location.files])]
    return sum(path.stat().st_size for path in database if path.exists()) + sum(
        sum(_sizes(folder)) for folder in folders
    )


def journals_of(location: StoreLocation, run_id: str | None = None) -> list[Path]:
    """Return the folders of the journals on this machine: all, or those of a run."""
    found = [path.parent for path in sorted(location.spool.glob("*/journal.json"))]
    if run_id is None:
        return found
    return [folder for folder in found if _run_of(folder) == run_id]


def recover_if_possible(location: StoreLocation) -> None:
    """Store what dead processes left in their journals, unless this store cannot be written now or is older.

    For whoever is about to copy it. Raises StoreError for other reasons.
    """
    if not journals_of(location):
        return
    with contextlib.suppress(StoreNotWritable, StoreTooOld):
        # A look first: a writer migrates a store that is older.
        open_for_reading(location).dispose()
        with Writer.open(location.url) as writer:
            recover_orphans(writer)


def _run_of(folder: Path) -> str | None:
    try:
        return JournalReader(folder).info().run_id
    except StoreDamaged:
        return None


def _check_ended(writer: Writer, connection: sa.Connection, run_id: str) -> None:
    row = _row(connection, writer.location, run_id)
    journal = living_journal(writer, run_id)
    # Its journals lie on another machine then: only its signs of life are seen here.
    elsewhere = row.state == RunState.RUNNING and row.host != platform.node()
    if journal is not None or (elsewhere and time.time() - row.updated_at < SILENT_SECONDS):
        raise RunAlive(
            f"run {run_id} ({row.name}) is still running: process {row.pid} on {row.host}. "
            f"End it first; or delete it all the same with --force, then what it goes on to log is lost."
        )


def _delete_journals(location: StoreLocation, run_id: str) -> None:
    """Remove the journals of dead processes; a living one removes its own when it finds the run gone."""
    for folder in journals_of(location, run_id):
        with contextlib.suppress(OSError):
            lock = acquire_lock(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _set_archived(writer: Writer, run_id: str, at: float | None) -> None:
    def work(connection: sa.Connection) -> None:
        was = _row(connection, writer.location, run_id).archived_at
        if (was is None) == (at is None):
            now = "not archived" if at is None else "archived already"
            raise BadInput(f"run {run_id} in {writer.location.display} is {now}")
        _update(connection, run_id, {"archived_at": at})

    writer.transact(work)


def _change(writer: Writer, run_id: str, values: dict[str, Any]) -> None:
    def work(connection: sa.Connection) -> None:
        _row(connection, writer.location, run_id)
        _update(connection, run_id, values)

    writer.transact(work)


def _update(connection: sa.Connection, run_id: str, values: dict[str, Any]) -> None:
    changed = {**values, "updated_at": runs.c.updated_at + _TICK}
    connection.execute(sa.update(runs).where(runs.c.run_id == run_id).values(changed))


def _row(connection: sa.Connection, location: StoreLocation, run_id: str) -> Any:
    row = connection.execute(sa.select(runs).where(runs.c.run_id == run_id)).first()
    if row is None:
        raise RunNotFound(f"there is no run {run_id!r} in {location.display}")
    return row


def _stored_bytes(connection: sa.Connection, table: sa.Table, run_id: str) -> int:
    heavy = [column for column in table.c if isinstance(column.type, sa.LargeBinary | sa.Text)]
    heavy += [column for column in table.c if isinstance(column.type, sa.TypeDecorator)]
    if not heavy:
        return 0
    size = sum((sa.func.coalesce(sa.func.length(column), 0) for column in heavy), sa.literal(0))
    query = sa.select(sa.func.sum(size)).where(table.c.run_id == run_id)
    return int(connection.execute(query).scalar() or 0)


def _sizes(folder: Path) -> list[int]:
    found: list[int] = []
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                found.append(path.stat().st_size)
    return found
