"""The file of a SQLite store: whether it may be written, whether it is still one, how it is addressed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from .errors import StoreDamaged, StoreNotWritable
from .forks import forks
from .location import DEFAULT_STORE, StoreLocation


def check_writable(path: Path) -> None:
    """Look whether a store may be written or made here. Raises StoreNotWritable, with what to do."""
    folder = path.parent
    if not folder.is_dir():
        raise StoreNotWritable(
            f"the store {path} needs an existing folder, but {folder} is none. Create it first."
        )
    if path.is_dir():
        raise StoreNotWritable(of_a_folder(path))
    target = path if path.exists() else folder
    if not os.access(target, os.W_OK):
        raise StoreNotWritable(
            f"the store {path} must be writable, but {target} refuses writes. "
            f"Change its permissions or pass another store=..."
        )


def of_a_folder(path: Path) -> str:
    """Return what to say of a folder that was named as the store."""
    said = f"the store must be a file, but {path} is a folder. Name a file. In there, it could be"
    return f"{said} {path / DEFAULT_STORE}"


def check_file(location: StoreLocation) -> None:
    """Look whether something else was written over a SQLite file: its open connections would not notice.

    Raises:
        StoreDamaged: it no longer begins as a database does.
    """
    if location.path is None or not location.path.is_file():
        return
    # Through SQLite and never by open(): closing any descriptor of the file would drop all locks that this
    # process holds on it. Immutable: the file as it is, without the log.
    uri = f"file:{quote(str(location.path))}?immutable=1"
    damaged = location.path.stat().st_size == 0
    with forks.connected(), closing(sqlite3.connect(uri, uri=True)) as connection:
        try:
            connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.DatabaseError as error:
            damaged = error.sqlite_errorcode == sqlite3.SQLITE_NOTADB
    if damaged:
        raise StoreDamaged(
            f"{location.display} is not a sound Stepscope store: something else was written over it. "
            f"Put it back, or delete it: a new store is made then"
        )


def last_write(location: StoreLocation) -> float:
    """Return when anything was last written into a SQLite file or its log; 0.0 when nobody can tell.

    When this moves on while one waits for a lock, others take their turns: the store is busy, not stuck.
    """
    if location.path is None:
        return 0.0
    newest = 0.0
    for path in (location.path, location.path.with_name(location.path.name + "-wal")):
        with contextlib.suppress(OSError):
            newest = max(newest, path.stat().st_mtime)
    return newest


def url_of(path: Path) -> sa.URL:
    """Return what SQLAlchemy connects to."""
    # Not location.url: in a URL, a question mark would end the path.
    return sa.URL.create("sqlite", database=str(path))


def is_frozen(path: Path) -> bool:
    """Whether this user may write neither the store nor files beside it, as SQLite's readers need to."""
    return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def is_still(path: Path) -> bool:
    """Whether a frozen file has to be read as one that never changes.

    Somebody who may write has it open if there is a shared-memory file: then SQLite reads along. If not,
    nothing will change, and it has to be told so, for it cannot make that file.

    Raises:
        StoreNotWritable: there is a log, which would not be read then.
    """
    if not is_frozen(path) or path.with_name(path.name + "-shm").exists():
        return False
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise StoreNotWritable(
            f"the newest part of {path} lies in its log {log.name}, which can be read only where files may "
            f"be written beside it. Copy both files into a folder of yours, and open the copy"
        )
    return True


def url_of_frozen(location: StoreLocation, path: Path) -> sa.URL:
    """Return the same for a file that is frozen to this user."""
    query = {"mode": "ro", "uri": "true"}
    if location.network is None and is_still(path):  # on a network file system there is no such file
        query["immutable"] = "1"
    return sa.URL.create("sqlite", database=f"file:{quote(str(path))}", query=query)
