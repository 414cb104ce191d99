"""From the journal into the store, whatever happens to the store, the disk or the device meanwhile."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa

import stepscope
from feed import series_of
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.schema import runs
from stepscope.storage.write import Writer
from stepscope.trackers import delivery
from support import run_python, wait_until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for a lock."""
    monkeypatch.setattr(delivery, "_PATIENCE_SECONDS", 0.1)


@pytest.fixture
def lenient(
    store_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Generator[stepscope.Run]:
    """A run as users have it: not strict."""
    monkeypatch.delenv("STEPSCOPE_STRICT")
    caplog.set_level(logging.WARNING, "stepscope")
    with stepscope.init(store=store_url) as begun:
        yield begun


@pytest.fixture
def lock(store_url: str) -> Generator[sqlite3.Connection]:
    """A connection by which another program locks the store: BEGIN IMMEDIATE ... ROLLBACK."""
    connection = sqlite3.connect(store_url, isolation_level=None, timeout=10, check_same_thread=False)
    yield connection
    connection.close()


def points(store: str | Path, run_id: str, name: str = "loss") -> dict[int, float]:
    with Reader.open(store) as reader:
        series = series_of(reader, run_id, name)
        found = reader.points(series)
        assert series.count == found.total, "a point is there twice"
        return dict(zip(found.step.tolist(), found.last.tolist(), strict=True))


def journals_of(store: str, run: stepscope.Run) -> list[Path]:
    return list(Path(f"{store}.spool").glob(f"{run.id}-*"))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().removeprefix("stepscope: ") for record in caplog.records]


def test_what_is_logged_arrives_by_itself(lenient: stepscope.Run, store_url: str) -> None:
    lenient.log({"loss": 0.5})
    with Reader.open(store_url) as reader:
        wait_until(lambda: reader.series(lenient.id, name="loss"), 2, "the point, within a second or so")


def test_a_silent_run_says_that_it_lives(
    lenient: stepscope.Run, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "HEARTBEAT_SECONDS", 0.05)
    with Reader.open(store_url) as reader:
        before = reader.run(lenient.id).updated_at
        wait_until(lambda: reader.run(lenient.id).updated_at > before + 0.2, what="heartbeats")


def test_a_store_that_is_locked_gets_everything_later(
    lenient: stepscope.Run, store_url: str, lock: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    assert lenient.flush()
    lock.execute("BEGIN IMMEDIATE")
    slowest = 0.0
    for step in range(5000):
        begun = time.perf_counter()
        lenient.log({"loss": float(step)}, step=step)
        slowest = max(slowest, time.perf_counter() - begun)
    assert not lenient.flush(timeout=0.6)
    wait_until(lambda: "locked" in caplog.text)
    lock.execute("ROLLBACK")
    assert lenient.flush()
    assert points(store_url, lenient.id) == {step: float(step) for step in range(5000)}
    assert slowest < 0.1, "a log call waited for the store"
    (message,) = said(caplog)
    assert message.startswith("the store cannot be written now: ")
    assert "was locked by another program" in message
    assert message.endswith("Values wait in the journal.")


def test_what_a_locked_store_did_not_get_in_time_is_recovered(
    store_url: str,
    lock: sqlite3.Connection,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "_LINGER_SECONDS", 0.0)
    run = stepscope.init(store=store_url)
    assert run.flush()
    lock.execute("BEGIN IMMEDIATE")
    run.log({"loss": 0.5})
    run.finish()
    assert said(caplog)[-1] == (
        "the store did not take everything within 2 seconds. The rest is safe in the journal and is "
        "stored in the background, or else by the next run or dashboard that opens the store."
    )
    lock.execute("ROLLBACK")
    with stepscope.init(store=store_url) as other:
        wait_until(lambda: other.flush() and not journals_of(store_url, run), what="the recovery")
    assert points(store_url, run.id) == {0: 0.5}
    with Reader.open(store_url) as reader:
        assert reader.run(run.id).state is RunState.FINISHED


def test_a_finished_run_is_stored_in_the_background(store_url: str, lock: sqlite3.Connection) -> None:
    run = stepscope.init(store=store_url)
    assert run.flush()
    lock.execute("BEGIN IMMEDIATE")
    run.log({"loss": 0.5})
    run.finish()
    assert journals_of(store_url, run)
    lock.execute("ROLLBACK")
    wait_until(lambda: not journals_of(store_url, run), what="the journal to be stored and removed")
    assert points(store_url, run.id) == {0: 0.5}
    with Reader.open(store_url) as reader:
        assert reader.run(run.id).state is RunState.FINISHED


ENDS_WHILE_LOCKED = """
import sqlite3, sys, time, stepscope
store, how, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
lock = sqlite3.connect(store, isolation_level=None)
runs = [stepscope.init(store=store) for _ in range(count)]
assert all(run.flush() for run in runs)
lock.execute("BEGIN IMMEDIATE")
for run in runs:
    run.log({"loss": 0.5})
    print(run.id)
if how == "finish":
    for run in runs:
        run.finish()
"""


@pytest.mark.parametrize(("how", "count"), [("finish", 1), ("no finish", 5)])
def test_a_process_ends_in_spite_of_a_locked_store(store_url: str, how: str, count: int) -> None:
    ids = run_python("-c", ENDS_WHILE_LOCKED, store_url, how, str(count), deadline_s=20).split()
    with stepscope.init(store=store_url) as other:
        wait_until(lambda: other.flush() and len(os.listdir(f"{store_url}.spool")) == 1, what="the recovery")
    with Reader.open(store_url) as reader:
        assert {reader.run(run_id).state for run_id in ids} == {RunState.FINISHED}
    assert [points(store_url, run_id) for run_id in ids] == [{0: 0.5}] * count


@pytest.mark.postgres
def test_a_server_that_drops_its_connections_gets_everything(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with (
        stepscope.init(store=postgres_url) as run,
        psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection,
    ):
        for step in range(60):
            run.log({"loss": float(step), "words": stepscope.Text("x")}, step=step)
            if step % 20 == 10:
                assert run.flush()
                connection.execute(f"{end_all} AND datname = current_database()")
    assert points(postgres_url, run.id) == {step: float(step) for step in range(60)}
    with Reader.open(postgres_url) as reader:
        assert reader.run(run.id).state is RunState.FINISHED
        assert series_of(reader, run.id, "words").count == 60


def test_a_full_journal_drops_counts_and_goes_on(
    store_url: str,
    lock: sqlite3.Connection,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    monkeypatch.setenv("STEPSCOPE_JOURNAL_MIB", "16")
    run = stepscope.init(store=store_url)
    assert run.flush()
    lock.execute("BEGIN IMMEDIATE")
    for _ in range(300_000):
        run.log({"loss": 1.0, "acc": 0.5})
    lock.execute("ROLLBACK")
    assert run.flush()
    run.log({"loss": 2.0})
    run.finish()
    (message,) = [line for line in said(caplog) if "limit" in line]
    assert "the journal reached its limit of 16 MiB because the store does not keep up" in message
    found = points(store_url, run.id)
    others = points(store_url, run.id, "acc")
    assert found.pop(300_000) == 2.0, "a value took the step of one that was lost"
    assert list(found) == list(range(len(found)))
    with Reader.open(store_url) as reader:
        dropped = reader.run(run.id).dropped
    lost = sum(count for reason, count in dropped.items() if "system" not in reason)
    assert len(found) + len(others) + lost == 600_000
    assert 100_000 < len(found) < 300_000


@pytest.mark.parametrize("unlock", ["before the end", "after the end"])
def test_a_journal_full_of_media_is_emptied_and_ended(
    store_url: str,
    lock: sqlite3.Connection,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    unlock: str,
) -> None:
    # Also what is to say that something was dropped, or that the run ended, finds no room.
    monkeypatch.delenv("STEPSCOPE_STRICT")
    monkeypatch.setenv("STEPSCOPE_JOURNAL_MIB", "16")
    run = stepscope.init(store=store_url)
    assert run.flush()
    lock.execute("BEGIN IMMEDIATE")
    for step in range(300):
        run.log({"noise": stepscope.Histogram(np.full(12_345, float(step)))}, step=step)
    for step in range(300):
        run.log({"words": stepscope.Text("x" * 97)}, step=step)
    wait_until(lambda: "limit" in caplog.text)
    if unlock == "before the end":
        lock.execute("ROLLBACK")
        assert run.flush()
        run.log({"late": stepscope.Text("x")})
    else:
        threading.Timer(0.5, lock.execute, ["ROLLBACK"]).start()
    run.finish()
    with Reader.open(store_url) as reader:
        found = reader.run(run.id)
        assert found.state is RunState.FINISHED
        counts = {series.name: series.count for series in reader.series(run.id, kind="histogram")}
        counts |= {series.name: series.count for series in reader.series(run.id, kind="text")}
    lost = sum(count for reason, count in found.dropped.items() if "'" in reason or "logging" in reason)
    assert counts["noise"] + counts.get("words", 0) + lost >= 600
    assert counts["noise"] > 50
    assert ("late" in counts) == (unlock == "before the end")


def test_a_run_that_was_deleted_is_said_to_be(
    lenient: stepscope.Run, store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    lenient.log({"loss": 0.5})
    assert lenient.flush()
    with Writer.open(store_url) as writer:
        for table in ("journals", "runs"):
            writer.transact(lambda c, table=table: c.execute(sa.delete(runs.metadata.tables[table])))
    lenient.log({"loss": 0.5})
    wait_until(lambda: "deleted" in caplog.text)
    for _ in range(100):
        lenient.log({"loss": 0.5, "image": stepscope.Image(np.zeros((2, 2)))})
    begun = time.monotonic()
    lenient.finish()
    assert time.monotonic() - begun < 1.5
    assert not list(Path(store_url + ".spool").iterdir())
    assert (
        f"run {lenient.id} was deleted while it was logging. What it still logs is not kept." in caplog.text
    )
    assert len(caplog.records) <= 2


@pytest.mark.parametrize("how", ["deleted", "replaced", "overwritten, then deleted"])
def test_a_run_goes_on_in_a_new_store(store_url: str, caplog: pytest.LogCaptureFixture, how: str) -> None:
    caplog.set_level(logging.WARNING, "stepscope")
    path = Path(store_url)
    run = stepscope.init(store=store_url, name="long", tags=["a"], config={"lr": 0.1})
    for step in range(200_000):  # more than one segment: the first one is gone when the store is
        run.log({"loss": float(step)}, step=step)
    run.log({"words": stepscope.Text("x")})
    run.config["lr"] = 0.2
    assert run.flush()
    if how == "overwritten, then deleted":
        path.write_bytes(b"garbage" * 1000)
        run.log({"loss": -1.0}, step=200_000)
        assert not run.flush()
        assert (
            "is not a sound Stepscope store: something else was written over it. Put it back" in caplog.text
        )
        assert said(caplog)[-1].endswith("a new store is made then. Values wait in the journal.")
    for name in (store_url, f"{store_url}-wal", f"{store_url}-shm"):
        Path(name).unlink(missing_ok=True)
    if how == "replaced":
        Writer.open(store_url).close()
    run.log({"loss": -1.0}, step=200_001)
    assert run.flush()
    message = f"the store {store_url} was deleted or replaced while run {run.id} was logging. What it logs"
    assert [line for line in said(caplog) if line.startswith(message)]
    run.finish()
    found = points(store_url, run.id)
    assert found[200_001] == -1.0
    assert (found.get(200_000) == -1.0) == (how == "overwritten, then deleted")
    with Reader.open(store_url) as reader:
        again = reader.run(run.id)
        assert reader.environment(run.id)
    assert (again.name, again.tags, again.config) == ("long", ("a",), {"lr": 0.2})
    assert again.state is RunState.FINISHED
    assert not list(Path(f"{store_url}.spool").iterdir())


@pytest.mark.parametrize("what", ["everything", "the journal"])
def test_a_store_that_is_deleted_under_us_never_stops_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    folder = tmp_path / "runs"
    folder.mkdir()
    run = stepscope.init(store=folder / "a.db")
    run.log({"loss": 0.5})
    assert run.flush()
    for path in folder.iterdir():
        if what == "everything" or (path.suffix == ".spool") == (what == "the journal"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if what == "everything":
        folder.rmdir()
    run.log({"loss": 0.5})
    wait_until(lambda: caplog.records, what="a word about it")
    for _ in range(1000):
        run.log({"loss": 0.5, "words": stepscope.Text("x" * 10_000)})
    begun = time.monotonic()
    run.finish()
    assert time.monotonic() - begun < 5
    assert 1 <= len(caplog.records) <= 3
    assert f"of run {run.id} was deleted" in caplog.text


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 24 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_is_full_for_a_while(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    run = stepscope.init(store=small_disk / "a.db")
    run.log({"loss": 0.0}, step=0)
    assert run.flush()
    with (small_disk / "ballast").open("wb") as ballast:
        free = os.statvfs(small_disk)
        ballast.write(bytes(free.f_bavail * free.f_bsize))
    noise = np.random.default_rng(0).random(100_000)
    for step in range(1, 100_000):
        run.log({"loss": noise[step]}, step=step)
    assert not run.flush(timeout=1.0)
    assert "the disk that holds" in caplog.text
    assert "is full. Free some space." in caplog.text
    (small_disk / "ballast").unlink()
    assert run.flush()
    run.finish()
    found = points(small_disk / "a.db", run.id)
    assert len(found) == 100_000
    assert found[99_999] == noise[99_999]


def test_a_disk_on_which_not_even_a_journal_fits(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    Writer.open(small_disk / "a.db").close()
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_bsize - (2 << 20)))
    descriptors = len(os.listdir("/proc/self/fd"))
    with stepscope.init(store=small_disk / "a.db") as run:
        for _ in range(2000):
            run.log({"loss": 0.5})
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert "cannot grow by" in caplog.text
    assert "No space left on device" in caplog.text
    assert not list((small_disk / "a.db.spool").iterdir())


LIMITED = """
import resource, sys, stepscope
store, limit = sys.argv[1], 9 << 19
run = stepscope.init(store=store)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
import numpy as np
noise = np.random.default_rng(0).random(1_200_000)
step = 0
while run.flush(20.0) and step < 1_200_000:
    for _ in range(100_000):
        run.log({"loss": noise[step]}, step=step)
        step += 1
assert step < 1_200_000, "the store never met the limit"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert run.flush()
run.finish()
print(run.id, step)
"""


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    run_id, count = run_python("-c", LIMITED, tmp_path / "a.db", STEPSCOPE_STRICT="0").split()
    assert len(points(tmp_path / "a.db", run_id)) == int(count)


# Devices. The tensors lie on the CPU and say that they lie on a GPU; its events pass when the test says so.
