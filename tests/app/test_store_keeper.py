"""What the dashboard writes: only into a store that is there, and what dead runs left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

import stepscope
from served import serve
from stepscope.app import store_keeper
from stepscope.app.store_keeper import StoreKeeper
from stepscope.storage.errors import StepscopeError, StoreNotFound
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from support import run_python, wait_until

DIES = """
import os, signal, sys
import stepscope
run = stepscope.init(store=sys.argv[1], name="dies")
for step in range(500):
    run.log({"loss": 1 / (step + 1)}, step=step)
if os.fork() == 0:
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(0)
signal.pause()
"""


def die(store: str, tmp_path: Path) -> None:
    """Run a training that is killed at once after its last log."""
    script = tmp_path / "dies.py"
    script.write_text(DIES)
    with pytest.raises(AssertionError, match="exit -9"):
        run_python(script, store)


def test_it_makes_no_store_and_opens_none_that_is_not_there(store_url: str) -> None:
    keeper = StoreKeeper(store_url)
    assert keeper.recover() == []
    with pytest.raises(StoreNotFound), keeper.writing():
        pass
    assert not Path(store_url).exists()


def test_it_lends_a_writer(store_url: str) -> None:
    with stepscope.init(store=store_url, name="before") as run:
        pass
    with StoreKeeper(store_url).writing() as writer:
        writer.update_run(run.id, {"name": "after"})
    with Reader.open(store_url) as reader:
        assert reader.run(run.id).name == "after"


@pytest.mark.crash
def test_what_a_killed_run_left_is_stored_and_the_run_is_killed(store_url: str, tmp_path: Path) -> None:
    die(store_url, tmp_path)
    recovered = StoreKeeper(store_url).recover()
    with Reader.open(store_url) as reader:
        (run,) = reader.runs()
        assert recovered == [run.run_id]
        assert run.state is RunState.KILLED
        (series,) = reader.series(run.run_id, name="loss")
        assert reader.points(series).last.tolist() == [1 / (step + 1) for step in range(500)]
    assert StoreKeeper(store_url).recover() == []


@pytest.mark.crash
def test_the_dashboard_does_it_by_itself(store_url: str, tmp_path: Path) -> None:
    with serve(store_url):
        die(store_url, tmp_path)
        with Reader.open(store_url) as reader:
            (run,) = reader.runs()
            wait_until(lambda: reader.run(run.run_id).state is RunState.KILLED, 30, "the recovery")
            (series,) = reader.series(run.run_id, name="loss")
            assert series.count == 500


def test_a_store_that_refuses_is_said_once(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    Path(store_url).write_text("not a database, " * 100)
    Path(f"{store_url}.spool", "run-left-behind").mkdir(parents=True)
    keeper = StoreKeeper(store_url)
    with store_keeper.serving(keeper):
        wait_until(lambda: caplog.messages, what="the complaint")
        assert store_keeper.current() is keeper
    (said,) = caplog.messages
    assert said.startswith(f"Stepscope could not store what ended runs left behind: {store_url}")


def test_a_run_that_lives_is_left_alone(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        run.log({"loss": 1.0})
        assert StoreKeeper(store_url).recover() == []
        with Reader.open(store_url) as reader:
            assert reader.run(run.id).state is RunState.RUNNING


def test_without_a_dashboard_there_is_no_keeper() -> None:
    with pytest.raises(StepscopeError, match="Start it with: stepscope ui"):
        store_keeper.current()
