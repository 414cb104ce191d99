"""Disks that are full, small or read-only: training goes on, and what is lost is counted and shown."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

import stepscope
from hostile import lost, points, said, stored, until_ended
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from support import run_python, wait_until


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users have it: not strict."""
    monkeypatch.delenv("STEPSCOPE_STRICT")


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 24 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root; the tests with a limit on files need none")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a disk."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize))
    return ballast


def test_a_journal_that_finds_no_room_counts_what_it_cannot_take(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = small_disk / "a.db"
    run = stepscope.init(store=store)
    run.log({"loss": 0.0, "words": stepscope.Text("x")})
    assert run.flush()
    ballast = fill(small_disk)
    for step in range(1, 301):
        run.log({"loss": float(step), "words": stepscope.Text("x" * 100_000)}, step=step)
    assert not run.flush(timeout=1.0)
    ballast.unlink()
    assert run.flush()
    run.log({"loss": 301.0, "words": stepscope.Text("x")}, step=301)
    run.finish()
    counts = stored(store, run.id)
    assert points(store, run.id) == {step: float(step) for step in range(302)}, "there was room for numbers"
    assert 2 < counts["words"] < 302
    assert counts["words"] + lost(store, run.id) == 302
    with Reader.open(store) as reader:
        found = reader.run(run.id)
    assert found.dropped == {"the journal had no room while logging": 302 - counts["words"]}
    assert found.state is RunState.FINISHED
    journal, disk = sorted(said(caplog), key=lambda line: "is full" in line)
    assert "cannot grow by" in journal
    assert "No space left on device. New values are dropped and counted until there is room." in journal
    assert "the disk that holds" in disk
    assert "is full. Free some space." in disk


def test_a_disk_that_is_full_at_the_end_keeps_the_journal_for_the_next_run(small_disk: Path) -> None:
    store = small_disk / "a.db"
    run = stepscope.init(store=store)
    assert run.flush()
    ballast = fill(small_disk)
    noise = np.random.default_rng(0).random(60_000)
    for step in range(60_000):
        run.log({"loss": noise[step]}, step=step)
    run.finish()
    ballast.unlink()
    # By the thread of the run, which goes on for a while, or by whoever writes to the store next.
    with stepscope.init(store=store), Reader.open(store) as reader:
        wait_until(lambda: reader.run(run.id).state is RunState.FINISHED, what="the end of the run")
    assert points(store, run.id) == dict(enumerate(noise))
    assert lost(store, run.id) == 0


LIMITED = """
import resource, sys, time
import stepscope
store = sys.argv[1]
with stepscope.init(store=store) as run:
    run.log({"loss": 0.0}, step=0)
    assert run.flush()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    # Segments of the journal are larger, so that none can be added; the store has some room.
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, hard))
    for step in range(1, 400_000):
        run.log({"loss": float(step)}, step=step)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert run.flush()
    # The disk is asked again after a moment.
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        step += 1
        run.log({"loss": -1.0}, step=step)
        time.sleep(0.01)
print(run.id, step)
"""


def test_a_journal_that_meets_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    # In a process of its own: SIGXFSZ or SIGBUS would end it.
    store = tmp_path / "a.db"
    run_id, last = run_python("-c", LIMITED, store).split()
    until_ended(store, run_id)
    found = points(store, run_id)
    assert found[int(last)] == -1.0
    assert len(found) + lost(store, run_id) == int(last) + 1
    before = [step for step in found if step < 400_000]
    assert before == list(range(len(before))), "what came before was taken, what came after was not"
    assert 100_000 < len(before) < 400_000


def test_a_disk_that_may_only_be_read(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    Writer.open(small_disk / "a.db").close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for name in ("a.db", "new.db"):
        with stepscope.init(store=small_disk / name) as run:
            for step in range(1000):
                run.log({"loss": 0.5, "words": stepscope.Text("x")}, step=step)
            assert run.guard.take_drops() == {"the store could not be opened": 2000}
    first, second = said(caplog)
    assert first.startswith(
        f"nothing of this run is recorded: the store {small_disk / 'a.db'} must be writable"
    )
    assert second.startswith("nothing of this run is recorded: the store ")
    assert second.endswith("Change its permissions or pass another store=...")
