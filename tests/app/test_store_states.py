"""A store that goes away, is locked, is older, or whose server stops, while pages are open: each says so, and
is itself again when the store is. Actions that cannot be done say why.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
import streamlit as st

from contracts.filled_store import fill
from ensure_postgres import find_postgres
from pages import opened, said
from postgres_server import own_server
from stepscope.app import queries, run_actions, store_keeper
from stepscope.app.queries import of_store
from stepscope.storage.errors import StoreError, StoreNotWritable
from stepscope.storage.read import Reader
from support import ROOT

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

NOT_OF_RUNS = {"tb", "vd"}
"""Pages that show other servers, which have words of their own."""
PAGES = [
    page
    for page in re.findall(r'url_path="(\w+)"', (ROOT / "app" / "main.py").read_text())
    if page not in NOT_OF_RUNS
]
OLD_STORE = ROOT / "tests" / "upgrade_assets" / "schema_001.db"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that every test copies: to fill one takes a while."""
    path = tmp_path_factory.mktemp("made") / "stepscope.db"
    fill(str(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def filled(store: str, made: Path) -> str:
    shutil.copy(made, store)
    return store


@pytest.fixture
def store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    monkeypatch.setattr(of_store, "PATIENCE_SECONDS", 0.05)
    st.cache_resource.clear()
    return store_url


def words(test: AppTest) -> str:
    assert not test.exception, test.exception
    return said(test).replace("\\", "")


def shows_runs(test: AppTest) -> bool:
    return not test.error and "No runs yet" not in words(test)


@contextmanager
def locked(store: str) -> Generator[None]:
    """Hold the store as a program does that wants it for itself alone."""
    with closing(sqlite3.connect(store, isolation_level=None)) as owner:
        owner.execute("PRAGMA locking_mode=EXCLUSIVE")
        owner.execute("BEGIN EXCLUSIVE")
        owner.execute("UPDATE runs SET name = name")
        yield
        owner.execute("COMMIT")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("filled")
def test_a_store_that_disappears_and_comes_back(page: str, tmp_path: Path) -> None:
    test = opened(page)
    assert shows_runs(test)
    away = tmp_path / "away"
    away.mkdir()
    for path in tmp_path.glob("stepscope.db*"):
        shutil.move(path, away / path.name)
    assert "No runs yet" in words(test.run())
    for path in away.iterdir():
        shutil.move(path, tmp_path / path.name)
    assert shows_runs(test.run())


@pytest.mark.parametrize("page", PAGES)
def test_a_locked_store_is_said_to_be_and_shown_again(filled: str, page: str) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        # As on a network file system: with a log beside it, readers would not even notice.
        connection.execute("PRAGMA journal_mode=DELETE")
    with locked(filled):
        test = opened(page)
        assert "was locked by another program for too long" in words(test)
    st.cache_resource.clear()
    assert shows_runs(test.run())


@pytest.mark.parametrize("page", PAGES)
def test_a_store_of_an_older_schema_names_the_command(store: str, page: str) -> None:
    shutil.copy(OLD_STORE, store)
    assert f"Run: stepscope upgrade --store {store}" in words(opened(page))
    assert sqlite3.connect(store).execute("SELECT version_num FROM alembic_version").fetchone() == ("001",)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "pages", [("runs", "charts", "run"), pytest.param(PAGES, marks=pytest.mark.long)], ids=["some", "all"]
)
def test_a_server_that_stops_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: Sequence[str]
) -> None:
    programs = find_postgres()
    if programs is None:
        pytest.skip("no PostgreSQL programs on this machine; `make test` installs them")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with own_server(programs) as server:
        fill(server.url)
        monkeypatch.setenv("STEPSCOPE_STORE", server.url)
        tests = {page: opened(page) for page in pages}
        assert all(shows_runs(test) for test in tests.values())
        server.stop()
        for page, test in tests.items():
            assert "cannot be used" in words(test.run()), page
        server.start()
        for page, test in tests.items():
            assert shows_runs(test.run()), page


@pytest.fixture
def keeper(filled: str) -> Generator[store_keeper.StoreKeeper]:
    with store_keeper.serving(store_keeper.StoreKeeper(filled)):
        yield store_keeper.current()


@pytest.mark.usefixtures("keeper")
def test_an_action_on_a_full_disk_says_so(store: str) -> None:
    with Reader.open(store) as reader:
        [run] = reader.runs()
    full = sa.event.listens_for(sa.Engine, "connect")

    def no_more_pages(connection: sqlite3.Connection, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    full(no_more_pages)
    try:
        with pytest.raises(StoreNotWritable, match=r"the disk that holds .* is full\. Free some space"):
            run_actions.note(run.run_id, "x" * 1_000_000)
    finally:
        sa.event.remove(sa.Engine, "connect", no_more_pages)
    assert run_actions.note(run.run_id, "short") == "The note is kept."


@pytest.mark.usefixtures("keeper")
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_an_action_on_a_store_that_refuses_writes(store: str) -> None:
    Path(store).chmod(0o400)
    with pytest.raises(StoreNotWritable):
        run_actions.note("x", "y")


def test_the_connection_of_the_pages_cannot_write(filled: str) -> None:
    engine = queries.reader()._engine
    statements = (
        "DELETE FROM runs",
        "UPDATE runs SET name = 'x'",
        "CREATE TABLE x (y int)",
        "DROP TABLE runs",
    )
    for statement in statements:
        with (
            engine.connect() as connection,
            pytest.raises((sa.exc.OperationalError, StoreError), match="readonly"),
        ):
            connection.execute(sa.text(statement))
    with Reader.open(filled) as again:
        assert [run.name for run in again.runs()] == ["baseline"]
