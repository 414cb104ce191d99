"""A PostgreSQL server that is stopped and started again while runs log into it."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from pathlib import Path

import pytest

import stepscope
from ensure_postgres import find_postgres
from feed import series_of
from postgres_server import Server, own_server
from stepscope.storage.drain import recover_orphans
from stepscope.storage.location import locate
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from stepscope.trackers import init
from support import run_python, wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def own() -> Generator[Server]:
    programs = find_postgres()
    if programs is None:
        pytest.skip("no PostgreSQL programs on this machine; `make test` installs them")
    with own_server(programs) as started:
        yield started


@pytest.fixture
def server(own: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Server]:
    """A server that runs when the test begins, and a user's folder of one's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    own.stop()
    own.start()
    yield own
    own.stop()


def points(url: str, run_id: str) -> dict[int, float]:
    with Reader.open(url) as reader:
        found = reader.points(series_of(reader, run_id, "loss"))
        assert found.total == len(found.step), "a point is there twice"
        return dict(zip(found.step.tolist(), found.last.tolist(), strict=True))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_run_goes_on_while_its_server_is_away(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with stepscope.init(store=server.url) as run:
        for step in range(30):
            run.log({"loss": float(step), "words": stepscope.Text("x")}, step=step)
            if step in (5, 20):
                assert run.flush()
                server.stop()
            if step in (10, 25):
                wait_until(lambda: caplog.records, what="a word about it")
                assert not run.flush(timeout=0.3)
                server.start()
                assert run.flush(), "it did not catch up"
    assert points(server.url, run.id) == {step: float(step) for step in range(30)}
    with Reader.open(server.url) as reader:
        assert reader.run(run.id).state is RunState.FINISHED
        assert len(reader.records(series_of(reader, run.id, "words"))) == 30
    (message,) = said(caplog)
    assert "the store cannot be written now: postgresql+psycopg:///postgres?host=" in message
    assert message.endswith("Values wait in the journal.")


LOGS_WHILE_AWAY = """
import sys, stepscope
run = stepscope.init(store=sys.argv[1], name="away")
assert not run.flush(timeout=0.3)
for step in range(1000):
    run.log({"loss": float(step)}, step=step)
run.finish()
print(run.id)
"""


def test_a_run_whose_server_never_came_is_stored_by_another_process(server: Server) -> None:
    with Writer.open(server.url):
        server.stop()
    run_id = run_python("-c", LOGS_WHILE_AWAY, server.url).strip()
    assert len(os.listdir(locate(server.url).spool)) == 1
    server.start()
    with Writer.open(server.url) as writer:
        assert recover_orphans(writer) == [run_id]
    assert points(server.url, run_id) == {step: float(step) for step in range(1000)}
    with Reader.open(server.url) as reader:
        assert (reader.run(run_id).state, reader.run(run_id).name) == (RunState.FINISHED, "away")
    assert not os.listdir(locate(server.url).spool)


def test_a_finished_run_is_stored_when_its_server_is_back(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "stepscope")
    run = stepscope.init(store=server.url)
    assert run.flush()
    server.stop()
    for step in range(1000):
        run.log({"loss": float(step)}, step=step)
    run.finish()
    assert "the store did not take everything within 2 seconds. The rest is safe" in caplog.text
    assert os.listdir(locate(server.url).spool)
    server.start()
    wait_until(lambda: not os.listdir(locate(server.url).spool), what="the rest to be stored")
    assert points(server.url, run.id) == {step: float(step) for step in range(1000)}


def test_a_server_that_hangs_holds_up_nobody(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "_ANSWER_SECONDS", 0.5)
    Writer.open(server.url).close()
    with server.hanging():
        run = stepscope.init(store=server.url, name="patient")
        for step in range(1000):
            run.log({"loss": float(step)}, step=step)
        assert not run.flush(timeout=0.3)
        run.finish()
    wait_until(lambda: not os.listdir(locate(server.url).spool), what="the rest to be stored")
    assert points(server.url, run.id) == {step: float(step) for step in range(1000)}
    with Reader.open(server.url) as reader:
        assert [run.name for run in reader.runs() if run.name == "patient"] == ["patient"]


def test_another_user_of_the_database_finds_the_same_journals(server: Server) -> None:
    assert locate(server.url).spool == locate(server.url.replace("postgres@", "other:secret@")).spool
