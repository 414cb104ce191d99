"""Fixtures for all tests: a strict tracker, a store of one's own, a PostgreSQL database of one's own."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from ensure_postgres import find_postgres
from postgres_server import new_database, running_server

# A shell that starts the tests in the background has SIGINT ignored, which child processes would inherit:
# a server that is asked to end by Ctrl-C would then end in another way than it does for a person.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# TensorFlow reads these once, at its import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a fault of the tracker raise, here and in child processes, and forget the caller's own store."""
    for name in [name for name in os.environ if name.startswith("STEPSCOPE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> Generator[pytest.LogCaptureFixture]:
    """Yield pytest's caplog, hearing only Stepscope: what libraries say is no part of any promise."""
    ours = logging.Filter("stepscope")
    caplog.handler.addFilter(ours)
    yield caplog
    caplog.handler.removeFilter(ours)


@pytest.fixture
def with_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tf.summary write although TensorBoard's readers do without TensorFlow in this process."""
    import tensorboard.compat
    import tensorflow

    monkeypatch.setattr(tensorboard.compat, "tf", tensorflow)


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """Return where a new SQLite store may be made. A plain path: that is a store URL too."""
    return str(tmp_path / "stepscope.db")


@pytest.fixture(scope="session")
def postgres_server() -> Generator[str]:
    """Yield the URL of a PostgreSQL server's own database: TEST_POSTGRES_URL, or a server started here."""
    named = os.environ.get("TEST_POSTGRES_URL")
    if named:
        yield named
        return
    programs = find_postgres()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine; `make test` installs one")
    with running_server(programs) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Generator[str]:
    """Yield the store URL of an empty PostgreSQL database, dropped after the test."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def shared_postgres_url(postgres_server: str) -> Generator[str]:
    """Yield the store URL of a PostgreSQL database that a module's tests share: making one takes a while."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def each_store_url(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store_url: str
) -> str:
    """Return where a new store may be made, once for each database; its journals lie in `tmp_path`."""
    if request.param == "sqlite":
        return store_url
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return request.getfixturevalue("postgres_url")
