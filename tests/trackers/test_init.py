"""How a run begins, with a store or without, anew or resumed."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from feed import Feed, series_of
from stepscope.storage.drain import recover_orphans
from stepscope.storage.errors import BadInput, RunNotFound, StoreNotWritable, StoreTooNew, StoreUnavailable
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from stepscope.trackers import init
from support import forked, run_python, wait_until

NOBODY = 65534


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().removeprefix("stepscope: ") for record in caplog.records]


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """As users have it: not strict."""
    monkeypatch.delenv("STEPSCOPE_STRICT")
    caplog.set_level(logging.WARNING, "stepscope")


def points(reader: Reader, run_id: str, name: str = "loss") -> dict[int, float]:
    found = reader.points(series_of(reader, run_id, name))
    return dict(zip(found.step.tolist(), found.last.tolist(), strict=True))


def test_what_is_given_is_stored(store_url: str) -> None:
    arguments = argparse.Namespace(lr=0.1)
    with stepscope.init(
        "digits", "first", group="sweep", tags=["b", "a"], notes="# n", config=arguments, store=store_url
    ) as run:
        assert (run.project, run.name, run.config.lr) == ("digits", "first", 0.1)
        with Reader.open(store_url) as reader:
            found = reader.run(run.id)
    assert (found.project, found.name, found.group, found.tags, found.notes) == (
        "digits", "first", "sweep", ("a", "b"), "# n"
    )  # fmt: skip
    assert (found.config, found.state, found.pid) == ({"lr": 0.1}, RunState.RUNNING, os.getpid())


def test_what_surrounds_the_run_is_captured(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        pass
    with Reader.open(store_url) as reader:
        environment = reader.environment(run.id)
    assert {"command", "python", "packages", "cwd"} <= set(environment)


def test_the_default_store_and_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    stepscope.init().finish()
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "other.db"))
    stepscope.init().finish()
    for name in ("stepscope.db", "other.db"):
        with Reader.open(tmp_path / name) as reader:
            assert [run.name for run in reader.runs()] == ["run-1"]


@pytest.mark.parametrize("strict", ["1", "true", "YES"])
def test_strict_raises_what_stands_in_the_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, strict: str
) -> None:
    monkeypatch.setenv("STEPSCOPE_STRICT", strict)
    with pytest.raises(StoreNotWritable, match=r"needs an existing folder, but .*gone is none"):
        stepscope.init(store=tmp_path / "gone" / "runs.db")


def without_folder(path: Path) -> str:
    return str(path / "gone" / "runs.db")


def with_a_folder(path: Path) -> str:
    return str(path)


def of_another_program(path: Path) -> str:
    (path / "text.db").write_text("a text" * 100)
    return str(path / "text.db")


def of_a_newer_version(path: Path) -> str:
    Writer.open(path / "new.db").close()
    with sqlite3.connect(path / "new.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '999'")
    database.close()
    return str(path / "new.db")


def of_another_scheme(_: Path) -> str:
    return "mysql://host/runs"


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize(
    ("store", "message"),
    [
        (without_folder, r"needs an existing folder, but .*gone is none\. Create it first\."),
        (with_a_folder, r"the store must be a file, but .* is a folder\. Name a file\."),
        (of_another_program, r"text\.db is not a sound Stepscope store: file is not a database"),
        (
            of_a_newer_version,
            r"has schema 999, but this Stepscope knows up to \d+\. Install a newer Stepscope",
        ),
        (of_another_scheme, r"a store is a file path, .*but its URL began with mysql://\. Pass one of these"),
        (lambda _: 5, r"a store is a file path or a URL, but got int 5"),
    ],
)
def test_without_a_store_the_training_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, store: Any, message: str
) -> None:
    with stepscope.init(store=store(tmp_path), config={"lr": 0.1}) as run:
        for step in range(3):
            run.log({"loss": 0.5, "weights": np.zeros(10)}, step=step)
        run.log(5)  # type: ignore[arg-type]
        run.log({"loss": 1.0}, step="x")  # type: ignore[arg-type]
        run.config["lr"] = 0.2
        run.set_step(9)
        run.log({"loss": 1.0})
        assert run.step == 9
        assert run.config.lr == 0.2
        assert run.flush()
        dropped = run.guard.take_drops()
    assert dropped["the store could not be opened"] == 7
    said = lines(caplog)
    assert said[0].startswith("nothing of this run is recorded: ")
    assert pytest.importorskip("re").search(message, said[0])
    assert len(said) == 3


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"config": 5}, r"while reading config: config needs a dict, .*but got int"),
        ({"tags": 5}, r"while reading tags: tags need a list of words, but got int 5"),
        ({"resume": 5}, r"resume needs the id or the name of a run, but got int 5\. A new run is recorded"),
        ({"resume": "NOSUCH"}, r"no run in .* has the id or name 'NOSUCH'\. A new run is recorded instead\."),
    ],
)
def test_bad_arguments_cost_only_themselves(
    store_url: str, caplog: pytest.LogCaptureFixture, arguments: dict[str, Any], message: str
) -> None:
    with stepscope.init(store=store_url, **arguments) as run:
        run.log({"loss": 0.5})
    with Reader.open(store_url) as reader:
        assert points(reader, run.id) == {0: 0.5}
    (said,) = lines(caplog)
    assert pytest.importorskip("re").search(message, said)


@pytest.mark.parametrize(
    "arguments", [{"project": 5, "name": 7, "group": 1.5, "notes": None}, {"name": "\ud800"}]
)
def test_odd_words_are_taken_as_text(store_url: str, arguments: dict[str, Any]) -> None:
    with stepscope.init(store=store_url, **arguments) as run:
        run.log({"loss": 0.5})
    with Reader.open(store_url) as reader:
        assert points(reader, run.id) == {0: 0.5}


@pytest.mark.parametrize("limit", ["", "many", "-5", "15", "1.5"])
def test_a_limit_that_cannot_be_used(store_url: str, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setenv("STEPSCOPE_JOURNAL_MIB", limit)
    with pytest.raises(BadInput, match=rf"STEPSCOPE_JOURNAL_MIB must be a whole number .* but is '{limit}'"):
        stepscope.init(store=store_url)


@pytest.fixture
def locked(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Generator[sqlite3.Connection]:
    """A connection that locks the store, in which there is one run; until ROLLBACK."""
    monkeypatch.setattr(init, "_PATIENCE_SECONDS", 0.1)
    stepscope.init("digits", store=store_url).finish()
    connection = sqlite3.connect(store_url, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


@pytest.mark.parametrize("name", [None, "mine"])
def test_a_run_begins_while_its_store_is_locked(
    store_url: str, locked: sqlite3.Connection, caplog: pytest.LogCaptureFixture, name: str | None
) -> None:
    arguments: dict[str, Any] = {"group": "sweep", "tags": ["a", "b"], "notes": "n", "config": {"lr": 0.1}}
    with stepscope.init("digits", name, store=store_url, **arguments) as run:
        assert run.name == (name or run.id)
        run.log({"loss": 0.5})
        locked.execute("ROLLBACK")
        assert run.flush()
        with Reader.open(store_url) as reader:
            found = reader.run(run.id)
    assert (found.name, found.project, found.group) == (name or "run-2", "digits", "sweep")
    assert (found.tags, found.notes, found.config) == (("a", "b"), "n", {"lr": 0.1})
    with Reader.open(store_url) as reader:
        assert points(reader, run.id) == {0: 0.5}
        assert reader.run(run.id).state is RunState.FINISHED
        assert reader.environment(run.id)
    (said,) = lines(caplog)
    assert "stepscope.db was locked by another program for too long. Close that program" in said
    assert said.endswith("The run is kept in a journal, and stored when the store is back.")


BEGINS_AND_DIES = """
import os, signal, sys, stepscope
from stepscope.trackers import init
init._PATIENCE_SECONDS = 0.1
run = stepscope.init(store=sys.argv[1], name="unseen")
run.log({"loss": 0.5})
if os.fork() == 0:
    run.log({"loss": 1.5}, step=1)
    os._exit(0)
os.wait()
print(run.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_its_store_never_saw_is_recovered(store_url: str, locked: sqlite3.Connection) -> None:
    # Also its child's journal, whichever of the two comes first.
    with pytest.raises(AssertionError, match="exit -9"):
        run_python("-c", BEGINS_AND_DIES, store_url)
    locked.execute("ROLLBACK")
    with Writer.open(store_url) as writer:
        recovered = recover_orphans(writer)
        assert len(set(recovered)) == 1
        with Reader.open(store_url) as reader:
            assert points(reader, recovered[0]) == {0: 0.5, 1: 1.5}
            assert reader.run(recovered[0]).state is RunState.KILLED
            assert [attempt.attempt for attempt in reader.attempts(recovered[0])] == [0]


def test_a_run_that_was_stored_late_and_then_deleted_does_not_come_back(
    store_url: str, locked: sqlite3.Connection
) -> None:
    with stepscope.init(store=store_url) as run:
        locked.execute("ROLLBACK")
        assert run.flush()
        with Writer.open(store_url) as writer:
            for table in ("journals", "runs"):
                writer.transact(
                    lambda c, table=table: c.exec_driver_sql(f"DELETE FROM {table} WHERE run_id = '{run.id}'")
                )
        run.log({"loss": 0.5})
    with Reader.open(store_url) as reader, pytest.raises(RunNotFound):
        reader.run(run.id)


@pytest.mark.usefixtures("lenient")
def test_nothing_is_resumed_from_a_locked_store(
    store_url: str,
    locked: sqlite3.Connection,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with stepscope.init(store=store_url, resume="run-1"):
        locked.execute("ROLLBACK")
    (said,) = lines(caplog)
    assert said.endswith("Run run-1 cannot be resumed now; a new one is recorded instead.")
    locked.execute("BEGIN IMMEDIATE")
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")
    with pytest.raises(StoreUnavailable, match="was locked by another program"):
        stepscope.init(store=store_url, resume="run-1")


@pytest.mark.usefixtures("lenient")
def test_a_store_that_refuses_writes_gets_the_run_when_it_no_more_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="stepscope-"))  # the parents of tmp_path are closed to others
    store = folder / "runs.db"
    Writer.open(store).close()
    for path in (folder, store):
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)

    def work() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        store.chmod(0o444)
        with stepscope.init(store=store) as run:
            run.log({"loss": 0.5})
            store.chmod(0o644)
            assert run.flush()
        assert "refuses writes. Change its permissions or pass another store=" in caplog.text
        with Reader.open(store) as reader:
            assert points(reader, run.id) == {0: 0.5}

    try:
        assert os.waitpid(forked(work), 0)[1] == 0
    finally:
        shutil.rmtree(folder)


def test_a_resumed_run_goes_on(store_url: str) -> None:
    with stepscope.init(store=store_url, name="long", config={"lr": 0.1, "epochs": 3}) as run:
        for step in range(10):
            run.log({"loss": 0.0}, step=step)
    with stepscope.init(store=store_url, resume="long", config={"epochs": 5}) as again:
        assert (again.id, again.step, dict(again.config)) == (run.id, 9, {"lr": 0.1, "epochs": 5})
        again.log({"loss": 1.0})
        again.log({"loss": 2.0}, step=5)
        again.flush()
        with Reader.open(store_url) as reader:
            assert reader.run(run.id).state is RunState.RUNNING
            assert points(reader, run.id) == {**dict.fromkeys(range(5), 0.0), 5: 2.0, 10: 1.0}
    with Reader.open(store_url) as reader:
        found = reader.run(run.id)
        assert (found.state, found.attempt, found.config) == (RunState.FINISHED, 1, {"lr": 0.1, "epochs": 5})
        assert [(a.attempt, a.first_step) for a in reader.attempts(run.id)] == [(0, 0), (1, 5)]


def test_a_resumed_run_may_go_on_from_an_earlier_checkpoint(
    store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with stepscope.init(store=store_url, name="long") as run:
        run.log({"loss": 0.0}, step=99)
    with stepscope.init(store=store_url, resume="long") as again:
        for step in (80, 81, 82):
            again.log({"loss": 1.0}, step=step)
        assert not caplog.records
        again.log({"loss": 1.0}, step=81)
        assert "step went back from 82 to 81" in caplog.text


DIES = """
import os, signal, sys, stepscope
run = stepscope.init(store=sys.argv[1], name="preempted")
for step in range(1000):
    run.log({"loss": float(step)}, step=step)
print(run.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_was_killed_is_resumed_where_it_was(store_url: str) -> None:
    with pytest.raises(AssertionError, match="exit -9"):
        run_python("-c", DIES, store_url)
    with stepscope.init(store=store_url, resume="preempted") as run:
        assert run.step == 999
        run.log({"loss": -1.0})
        assert run.flush()
        with Reader.open(store_url) as reader:
            assert reader.run(run.id).state is RunState.RUNNING
            assert points(reader, run.id) == {**{step: float(step) for step in range(1000)}, 1000: -1.0}


def test_a_run_that_is_still_written_is_not_resumed(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        with pytest.raises(BadInput, match=rf"run {run.id} is still written by process {os.getpid()}\. Wait"):
            stepscope.init(store=store_url, resume=run.id)
        with pytest.raises(RunNotFound, match="has the id or name 'NOSUCH'"):
            stepscope.init(store=store_url, resume="NOSUCH")


@pytest.mark.usefixtures("lenient")
def test_what_cannot_be_resumed_is_a_run_of_its_own(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with stepscope.init(store=store_url) as run, stepscope.init(store=store_url, resume=run.id) as other:
        assert run.id != other.id
        other.log({"loss": 1.0})
    assert lines(caplog) == [
        f"run {run.id} is still written by process {os.getpid()}. Wait until that ends. "
        f"A new run is recorded instead."
    ]
    with Reader.open(store_url) as reader:
        assert points(reader, other.id) == {0: 1.0}


def test_a_process_id_that_was_given_out_again_is_no_owner(store_url: str) -> None:
    # In a container the training often has the same low number each time, and so has something else.
    with stepscope.init(store=store_url) as run:
        pass
    with Writer.open(store_url) as writer:
        writer.update_run(run.id, {"state": "running", "finished_at": None})
        writer.transact(lambda c: c.exec_driver_sql(f"UPDATE runs SET pid = {os.getppid()}"))
    with stepscope.init(store=store_url, resume=run.id) as again:
        assert again.id == run.id


def test_an_orphan_is_recovered_by_the_next_run(store_url: str) -> None:
    with stepscope.init(store=store_url) as first:
        pass
    with Writer.open(store_url) as writer:
        writer.update_run(first.id, {"state": "running"})
        feed = Feed(writer, first.id)
        feed.points("loss", [1.0, 2.0])
        feed.journal.close()
    with stepscope.init(store=store_url), Reader.open(store_url) as reader:
        wait_until(lambda: reader.run(first.id).state is RunState.KILLED, what="the recovery")
        assert points(reader, first.id) == {0: 1.0, 1: 2.0}


def test_a_store_of_a_newer_version_is_said_to_be_one_when_strict(tmp_path: Path) -> None:
    with pytest.raises(StoreTooNew, match="Install a newer Stepscope: pip install --upgrade stepscope"):
        stepscope.init(store=of_a_newer_version(tmp_path))


def test_a_missing_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "import stepscope\n"
        "run = stepscope.init(store='postgresql://host/runs')\n"
        "run.log({'loss': 0.5}); run.finish(); print('trained on')"
    )
    out = run_python("-c", f"import logging; logging.basicConfig(stream=sys.stdout)\n{code}".replace(
        "import logging;", "import logging, sys;", 1), STEPSCOPE_STRICT="0")  # fmt: skip
    assert "nothing of this run is recorded: a PostgreSQL store needs packages that are not installed" in out
    assert 'Install them with: pip install "stepscope[postgres]"' in out
    assert "trained on" in out
