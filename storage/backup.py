"""A copy of a store, made while others go on logging into it: the database and its large files.

SQLite's own backup copies one state of the database, whole, while writers write. What still waits in the
journals of processes that are alive is not in it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from .errors import BadInput, StoreDamaged, StoreError, StoreNotFound, StoreNotWritable
from .forks import forks
from .location import StoreLocation
from .name_rules import FILE_NAME
from .sqlite_file import is_still, of_a_folder

_PATIENCE_SECONDS = 30.0
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied."""

    path: Path
    """The copied database; the large files lie beside it, as with every store."""
    database_bytes: int
    files: int
    file_bytes: int


def backup_store(location: StoreLocation, target: Path | None = None) -> Backup:
    """Copy a SQLite store with its large files. The copy is a store like any other.

    Args:
        location: the store.
        target: a file that does not exist yet, or a folder to put one into; beside the store by default.

    Raises:
        BadInput: the store lies on a server, or the target exists.
        StoreNotFound: there is no such store.
        StoreDamaged: a large file is missing, or it is not a store.
        StoreError: the copy cannot be read or written.
    """
    if location.path is None:
        raise BadInput(
            f"a backup copies a SQLite file, but {location.display} is a database on a server. "
            f"Use pg_dump, or copy its runs into a file: stepscope sync {location.display} FILE"
        )
    path = _target(location.path, target)
    database, folder = path.with_name(path.name + ".copy"), path.with_name(path.name + ".files")
    size = copy_database(location.path, database)
    # Named last: what was cut short is no store.
    try:
        sizes = [_copy_file(location.path, folder, *key) for key in _outside(database)]
        _copy_name_rules(location.path.parent, path.parent)
        database.rename(path)
    except BaseException as error:
        database.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, sqlite3.Error):
            raise StoreDamaged(f"{location.path} is not a Stepscope store: {error}") from error
        if isinstance(error, OSError):
            raise StoreNotWritable(f"the backup {path} could not be written: {error}") from error
        raise
    return Backup(path, size, len(sizes), sum(sizes))


def _copy_name_rules(source: Path, target: Path) -> None:
    rules = source / FILE_NAME
    # What the other folder has already belongs to the stores there.
    if rules.exists() and not (target / FILE_NAME).exists():
        shutil.copyfile(rules, target / FILE_NAME)


def copy_database(source: Path, target: Path) -> int:
    """Copy a SQLite database as it is at this moment; return the bytes of the copy.

    Others may read and write meanwhile. The copy appears under its name when it is whole.

    Raises:
        StoreNotFound: there is no such file.
        StoreNotWritable: the target exists, or its folder or disk refuses it.
        StoreError: the source cannot be read, or is locked for 30 seconds.
    """
    if source.is_dir():
        raise StoreNotFound(of_a_folder(source))
    if not source.is_file():
        raise StoreNotFound(f"there is no store at {source} to copy. Name another one with --store.")
    if target.exists():
        raise StoreNotWritable(
            f"the copy of {source} needs a new file, but {target} exists. Name another one."
        )
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        _copy_pages(source, partial)
        _make_durable(partial)
        partial.rename(target)
        return target.stat().st_size
    except OSError as error:
        raise StoreNotWritable(f"{source} could not be copied to {target}: {error}") from error
    except sqlite3.Error as error:
        raise StoreError(f"{source} could not be copied to {target}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _copy_pages(source: Path, target: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS

    def wait(status: int, _remaining: int, _total: int) -> None:
        if status in _BUSY and time.monotonic() > deadline:
            raise sqlite3.OperationalError(f"it was locked for {_PATIENCE_SECONDS:.0f} seconds")

    address = f"file:{quote(str(source))}?mode=ro{'&immutable=1' if is_still(source) else ''}"
    with (
        forks.connected(),
        closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_SECONDS)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        # In one step: in several, every commit of another process would make it begin anew.
        original.backup(copy, pages=-1, progress=wait)


def _make_durable(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _target(source: Path, target: Path | None) -> Path:
    name = f"{source.stem}-{time.strftime('%Y%m%d-%H%M%S')}{source.suffix}"
    path = source.with_name(name) if target is None else target.expanduser().absolute()
    if path.is_dir():
        path /= name
    for taken in (path, path.with_name(path.name + ".files")):
        if taken.exists():
            raise BadInput(f"a backup is a new file, but {taken} exists. Name another one, or a folder.")
    if not path.parent.is_dir():
        raise BadInput(f"a backup needs an existing folder, but {path.parent} is none. Create it first.")
    return path


def _copy_file(store: Path, folder: Path, run_id: str, digest: str) -> int:
    """Copy one large blob; return its bytes."""
    source = store.with_name(store.name + ".files") / run_id / digest
    target = folder / run_id / digest
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise StoreDamaged(
            f"the file {source} is missing: its run was deleted meanwhile, or the store is damaged. "
            f"Run: stepscope verify --store {store}"
        ) from error
    _make_durable(target)
    return target.stat().st_size


def _outside(database: Path) -> list[tuple[str, str]]:
    """Return run and digest of each blob that lies in a file of its own."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT run_id, digest FROM blobs WHERE data IS NULL").fetchall()
