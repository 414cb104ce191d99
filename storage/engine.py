"""A store's address -> a SQLAlchemy engine whose schema is the one this code knows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from .backup import copy_database
from .errors import (
    MissingExtra,
    StoreDamaged,
    StoreError,
    StoreNotFound,
    StoreNotWritable,
    StoreTooNew,
    StoreTooOld,
    StoreUnavailable,
)
from .forks import forks
from .location import StoreLocation
from .migrations import HEAD
from .sqlite_file import check_writable, is_frozen, of_a_folder, url_of, url_of_frozen

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
"""How long a transaction waits for those of others before it gives up."""
_MOST_CONNECT_SECONDS = 10.0
_DAMAGED = ("not a database", "malformed", "no such table", "Could not decode to UTF-8")
_SETUP_LOCK = 0x57E9_5C09
"""The key of PostgreSQL's advisory lock that is held while the schema is made."""


def open_for_writing(location: StoreLocation, patience: float = PATIENCE_SECONDS) -> sa.Engine:
    """Connect, create the store or bring its schema up to date, after a copy of the file beside it.

    `patience` is how many seconds each transaction waits for those of others.

    Raises:
        StoreNotWritable: when the folder or the file refuses writes.
        StoreTooNew: when a newer Stepscope wrote it.
        StoreUnavailable: when it is locked, or its server cannot be reached.
    """
    if location.path is not None:
        check_writable(location.path)
    engine = _connectable(location, patience, read_only=False)
    try:
        translate_errors(location, lambda: _migrate(engine, location))
    except BaseException:
        engine.dispose()
        raise
    return engine


def open_for_reading(location: StoreLocation, patience: float = PATIENCE_SECONDS) -> sa.Engine:
    """Connect without the right to write or to migrate.

    `patience` is how many seconds each query waits for the transactions of others.

    Raises:
        StoreNotFound: when there is no such file, or no table in it: it is about to become a store.
        StoreTooNew, StoreTooOld: when its schema is another one.
        StoreDamaged: when the file is not a Stepscope store.
    """
    if location.path is not None and location.path.is_dir():
        raise StoreNotFound(of_a_folder(location.path))
    if location.path is not None and not location.path.is_file():
        raise StoreNotFound(
            f"there is no store at {location.path}. Log a run with "
            f'stepscope.init(store="{location.path}"), or name another one with --store.'
        )
    engine = _connectable(location, patience, read_only=True)

    def check() -> None:
        with engine.connect() as connection:
            found = _revision(connection)
            empty = found is None and not sa.inspect(connection).get_table_names()
        if empty:
            raise StoreNotFound(
                f"{location.display} is empty. Log a run with stepscope.init(store=...), "
                "or name another one with --store."
            )
        if found is None:
            raise StoreDamaged(f"{location.display} is not a Stepscope store: it has no schema")
        _check_revision(found, location)
        if found != HEAD:
            raise StoreTooOld(
                f"{location.display} has schema {found}, this Stepscope reads {HEAD}. "
                f"Run: stepscope upgrade --store {location.display}"
            )

    try:
        translate_errors(location, check)
    except BaseException:
        engine.dispose()
        raise
    return engine


def translate_errors(location: StoreLocation, work: Callable[[], T]) -> T:
    """Run `work`; say what the database's errors mean.

    Raises:
        StoreNotWritable, StoreDamaged, StoreError: with the database's own words at the end.
    """
    try:
        if location.path is None:
            return work()
        with forks.connected():
            return work()
    except SQLAlchemyError as error:
        raise _meaning(location, error) from error


def _meaning(location: StoreLocation, error: SQLAlchemyError) -> StoreError:
    words = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split()).rstrip(".?")
    where = location.display
    if "readonly" in words or "unable to open" in words:
        return StoreNotWritable(f"{where} must be readable and writable, but: {words}")
    if "disk is full" in words or "No space left" in words:
        return StoreNotWritable(f"the disk that holds {where} is full. Free some space. ({words})")
    if any(sign in words for sign in _DAMAGED):
        return StoreDamaged(f"{where} is not a sound Stepscope store: {words}")
    if "locked" in words:
        return StoreUnavailable(
            f"{where} was locked by another program for too long. "
            f"Close that program; nothing is lost meanwhile. ({words})"
        )
    if isinstance(error, OperationalError) and location.path is None:
        return StoreUnavailable(f"{where} cannot be used now: {words}")
    return StoreError(f"{where} cannot be used: {words}")


def _connectable(location: StoreLocation, patience: float, *, read_only: bool) -> sa.Engine:
    if location.path is None:
        return _postgres(location, patience, read_only=read_only)
    frozen = read_only and is_frozen(location.path)
    url = url_of_frozen(location, location.path) if frozen else url_of(location.path)
    engine = sa.create_engine(url, connect_args={"timeout": patience})

    def on_connect(connection: Any, _record: Any) -> None:
        # Transactions are opened by on_begin: the driver's own begin late and then fail as busy.
        connection.isolation_level = None
        if read_only:
            connection.execute("PRAGMA query_only=1")
            return
        # For a new file only: lets Writer.seal give back the pages that merging left empty.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        if location.network is None:
            _with_patience(patience, lambda: connection.execute("PRAGMA journal_mode=WAL"))
            connection.execute("PRAGMA synchronous=NORMAL")
        else:
            _leave_the_log(connection)
            connection.execute("PRAGMA synchronous=FULL")

    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    forks.watch(engine)
    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _leave_the_log(connection: Any) -> None:
    # See filesystems.py. While another program has it open with its log, the log stays: one mode for all.
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
    except Exception as error:
        if "locked" not in str(error):
            raise


def _postgres(location: StoreLocation, patience: float, *, read_only: bool) -> sa.Engine:
    # The least that libpq takes is 2 seconds.
    seconds = max(2, math.ceil(min(patience, _MOST_CONNECT_SECONDS)))
    options = f"-c lock_timeout={math.ceil(patience * 1000)}"
    if read_only:
        options += " -c default_transaction_read_only=on"
    arguments = {
        "connect_timeout": seconds,
        "options": options,
        # A server whose machine or network is gone says nothing: without these a query waits for hours.
        "tcp_user_timeout": seconds * 1000,
        "keepalives_idle": seconds,
        "keepalives_interval": seconds,
        "keepalives_count": 2,
    }
    # What one reading finds belongs together: between two of its queries, chunks may be merged.
    isolation = "REPEATABLE READ" if read_only else "READ COMMITTED"
    try:
        return sa.create_engine(
            location.url, connect_args=arguments, pool_pre_ping=True, isolation_level=isolation
        )
    except ImportError as error:
        raise MissingExtra("a PostgreSQL store", "postgres") from error


def _with_patience(patience: float, work: Callable[[], object]) -> None:
    # Switching a new file to WAL does not wait for other connections by itself.
    deadline = time.monotonic() + patience
    while True:
        try:
            work()
        except Exception as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _migrate(engine: sa.Engine, location: StoreLocation) -> None:
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SETUP_LOCK)))
        # Asked again inside the transaction: several processes may create one store at once.
        found = _revision(connection)
        if found is not None:
            _check_revision(found, location)
        elif location.path is not None and sa.inspect(connection).get_table_names():
            raise StoreDamaged(
                f"{location.display} is not a Stepscope store but the database of another program. "
                f"Name another file."
            )
        if found == HEAD:
            return
        if found is not None and location.path is not None:
            _keep_a_copy(location.path, found)
        _upgrade(connection)


def _keep_a_copy(path: Path, revision: str) -> None:
    # Within the transaction: one process alone makes it, of what nobody can change meanwhile.
    name = f"{path.name}.backup-{revision}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    copy = path.with_name(name)
    number = 1
    while copy.exists():
        # Of one that was killed in the same second, before it had upgraded anything.
        number += 1
        copy = path.with_name(f"{name}-{number}")
    copy_database(path, copy)


def _upgrade(connection: sa.Connection) -> None:
    # Imported here: it takes 0.1 s, and most processes find the schema as it should be.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: sa.Connection) -> str | None:
    inspector = sa.inspect(connection)
    if not inspector.has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _check_revision(found: str, location: StoreLocation) -> None:
    if found > HEAD:
        raise StoreTooNew(
            f"{location.display} has schema {found}, but this Stepscope knows up to {HEAD}. "
            f"Install a newer Stepscope: pip install --upgrade stepscope"
        )
