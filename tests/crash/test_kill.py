"""SIGKILL at random moments: every call of `log` that returned is there, exactly once and in order.

A training writes into a mapped file how many calls returned, after each of them. CRASH_KILLS=200 kills more
often than `make test` has time for.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

import stepscope
from feed import Feed, new_run, series_of
from stepscope.storage.drain import recover_orphans
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from support import ROOT, wait_until

KILLS = int(os.environ.get("CRASH_KILLS", "8"))
MEDIA_EVERY = 40
LARGE_EVERY = 400

pytestmark = [pytest.mark.crash, pytest.mark.timeout(60 + 3 * KILLS)]


@dataclass
class Training:
    """A process that trains, and what it told before it was killed."""

    pid: int
    told: mmap.mmap

    @property
    def returned(self) -> int:
        """How many calls of log have returned."""
        return struct.unpack_from("<Q", self.told)[0]

    @property
    def run_id(self) -> str:
        """The run that it logs into; empty before it began."""
        return self.told[8:18].decode().strip("\0")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert os.waitpid(self.pid, 0)[1] == signal.SIGKILL, "it ended before it was killed"


def train(store: str, told: mmap.mmap) -> None:
    """Log for ever, telling after each call that it returned."""
    run = stepscope.init(store=store, project="crash")
    told[8:18] = run.id.encode()
    step = 0
    while True:
        run.log(values_at(step), step=step)
        step += 1
        struct.pack_into("<Q", told, 0, step)


def values_at(step: int) -> dict[str, object]:
    """Return what is logged at a step."""
    values: dict[str, object] = {"loss": step / 3, "acc": -float(step)}
    if step % MEDIA_EVERY == 0:
        values["image"] = stepscope.Image(np.full((8, 8), step % 251, np.uint8), caption=str(step))
        values["words"] = stepscope.Text(f"# step {step}")
    if step % LARGE_EVERY == 0:
        # Larger than a segment of the journal.
        values["weights"] = np.full(600_000, float(step))
    return values


@pytest.fixture
def start(store_url: str) -> Generator[Callable[[], Training]]:
    """Start trainings, forked so that none spends its time importing."""
    started: list[Training] = []

    def start_one() -> Training:
        told = mmap.mmap(-1, 64)
        pid = os.fork()
        if pid == 0:
            try:
                train(store_url, told)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        started.append(Training(pid, told))
        return started[-1]

    yield start_one
    for training in started:
        with_no_child_left(training.pid)


def with_no_child_left(pid: int) -> None:
    try:
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    except ChildProcessError:
        pass


def check(reader: Reader, run_id: str, returned: int) -> None:
    """Assert that everything which returned is there once, and nothing else but the call under way."""
    if returned == 0 and not reader.series(run_id, name="acc"):
        return
    loss = reader.points(series_of(reader, run_id, "loss"))
    count = len(loss)
    assert returned <= count <= returned + 1, f"{returned} calls returned, {count} are there"
    assert loss.total == series_of(reader, run_id, "loss").count == count
    np.testing.assert_array_equal(loss.step, np.arange(count))
    np.testing.assert_array_equal(loss.last, np.arange(count) / 3)
    acc = reader.points(series_of(reader, run_id, "acc"))
    np.testing.assert_array_equal(acc.last, -np.arange(len(acc), dtype=float))
    assert returned <= len(acc) <= count
    check_media(reader, run_id, returned)
    assert reader.run(run_id).dropped == {}


def check_media(reader: Reader, run_id: str, returned: int) -> None:
    for name, every in (("image", MEDIA_EVERY), ("words", MEDIA_EVERY), ("weights", LARGE_EVERY)):
        found = reader.series(run_id, name=name)
        if not found:
            assert returned == 0
            continue
        (series,) = found
        records = reader.records(series)
        steps = [record.step for record in records]
        assert steps == list(range(0, every * len(steps), every))
        assert len(steps) == series.count
        assert (returned + every - 1) // every <= len(steps) <= returned // every + 1
        for record in records[:: max(1, len(records) // 5)]:
            value = reader.load(series, record)
            if name == "image":
                assert value.caption == str(record.step)
                assert (value.array() == record.step % 251).all()
            elif name == "words":
                assert value.text == f"# step {record.step}"
            else:
                assert (value.count, value.min, value.max) == (600_000, record.step, record.step)


def journals_left(store: str) -> list[Path]:
    # Without its description, a kill came before the journal began.
    return list(Path(f"{store}.spool").glob("*/journal.json"))


def check_store(store: str, trainings: list[Training]) -> None:
    with Writer.open(store) as writer:
        recover_orphans(writer)
        with writer.engine.connect() as connection:
            assert connection.execute(sa.text("PRAGMA integrity_check")).scalar() == "ok"
    assert not journals_left(store)
    with Reader.open(store) as reader:
        for training in trainings:
            if training.run_id:
                assert reader.run(training.run_id).state is RunState.KILLED
                check(reader, training.run_id, training.returned)


def test_killed_again_and_again(store_url: str, start: Callable[[], Training]) -> None:
    # Each training recovers what the ones before left, and is killed while it does.
    rng = random.Random(0)
    trainings: list[Training] = []
    for _ in range(KILLS):
        training = start()
        if rng.random() < 0.8:
            wait_until(lambda training=training: training.returned, what="a first call")
        end = time.monotonic() + rng.random() ** 2 * 0.5
        wait_until(lambda end=end: time.monotonic() >= end)
        training.kill()
        trainings.append(training)
    check_store(store_url, trainings)
    assert sum(training.returned for training in trainings) > 1000


def test_killed_while_several_train_into_one_store(store_url: str, start: Callable[[], Training]) -> None:
    trainings = [start() for _ in range(3)]
    for training in trainings:
        wait_until(lambda training=training: training.returned > 500, what="five hundred calls")
        training.kill()
    check_store(store_url, trainings)


PROGRAM = """
import mmap, os, sys
sys.path[:0] = ["tests", "tests/crash"]
from test_kill import train
with open(sys.argv[2], "r+b") as file:
    train(sys.argv[1], mmap.mmap(file.fileno(), 64))
"""


def test_a_program_of_its_own_is_killed(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "told").write_bytes(bytes(64))
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, store_url, tmp_path / "told"], cwd=ROOT)
    with (tmp_path / "told").open("r+b") as file:
        training = Training(process.pid, mmap.mmap(file.fileno(), 64))
        wait_until(lambda: training.returned > 2000, what="two thousand calls")
        process.kill()
        assert process.wait() == -signal.SIGKILL
        check_store(store_url, [training])


def recover_in_child(store: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        with Writer.open(store) as writer:
            recover_orphans(writer)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def leave_journals(store: str, count: int, points: int) -> list[str]:
    """Leave journals of dead processes, too large to be drained at once."""
    run_ids = []
    with Writer.open(store) as writer:
        for _ in range(count):
            run_ids.append(new_run(writer).run_id)
            feed = Feed(writer, run_ids[-1])
            feed.points("loss", np.arange(float(points)))
            for step in range(0, 300, 3):
                feed.value("weights", step, stepscope.Histogram(np.full(30_000, float(step))))
            feed.journal.close()
    return run_ids


def check_left(store: str, run_ids: list[str], points: int) -> None:
    with Reader.open(store) as reader:
        for run_id in run_ids:
            series = series_of(reader, run_id, "loss")
            assert series.count == points
            np.testing.assert_array_equal(reader.points(series).last, np.arange(float(points)))
            weights = series_of(reader, run_id, "weights")
            assert [record.step for record in reader.records(weights)] == list(range(0, 300, 3))
            assert reader.run(run_id).state is RunState.KILLED
    assert not journals_left(store)


def test_two_recover_at_the_same_moment(store_url: str) -> None:
    run_ids = leave_journals(store_url, 4, 20_000)
    children = [recover_in_child(store_url) for _ in range(3)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    with Writer.open(store_url) as writer:
        # Whoever came second passes over what the first one held, and looks again later.
        recover_orphans(writer)
    check_left(store_url, run_ids, 20_000)


def test_killed_while_recovering(store_url: str) -> None:
    rng = random.Random(0)
    run_ids = leave_journals(store_url, 3, 300_000)
    for _ in range(max(4, KILLS // 4)):
        child = recover_in_child(store_url)
        end = time.monotonic() + rng.random() * 0.25
        wait_until(lambda end=end: time.monotonic() >= end)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert os.waitpid(recover_in_child(store_url), 0)[1] == 0
    check_left(store_url, run_ids, 300_000)
