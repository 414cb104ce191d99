"""SIGKILL at random moments: every call of `log` that returned is there, exactly once and in order.

A training writes into a mapped file how many calls returned, after each of them, for each of its threads.
"""

from __future__ import annotations

import mmap
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from feed import series_of
from killed import KILLS, end_if_there, kill, kill_after, random_moments, recover_all
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from support import ROOT, forked, wait_until

MEDIA_EVERY = 40
LARGE_EVERY = 400
THREADS = 3

pytestmark = [pytest.mark.crash, pytest.mark.timeout(60 + 3 * KILLS)]


@dataclass
class Training:
    """A process that trains, and what it told before it was killed."""

    pid: int
    told: mmap.mmap
    threads: int

    @property
    def returned(self) -> list[int]:
        """How many calls of log have returned, for each thread."""
        return list(struct.unpack_from(f"<{self.threads}Q", self.told, 16))

    @property
    def run_id(self) -> str:
        """The run that it logs into; empty before it began."""
        return self.told[:10].decode().strip("\0")


def train(store: str, told: mmap.mmap, threads: int) -> None:
    """Log for ever, telling after each call that it returned."""
    run = stepscope.init(store=store, project="crash")
    told[:10] = run.id.encode()

    def work(thread: int) -> None:
        step = 0
        while True:
            run.log({f"{thread} {name}": value for name, value in values_at(step).items()}, step=step)
            step += 1
            struct.pack_into("<Q", told, 16 + 8 * thread, step)

    for thread in range(1, threads):
        threading.Thread(target=work, args=(thread,)).start()
    work(0)


def values_at(step: int) -> dict[str, object]:
    """Return what is logged at a step."""
    values: dict[str, object] = {"loss": step / 3, "acc": -float(step)}
    if step % MEDIA_EVERY == 0:
        values["image"] = stepscope.Image(np.full((8, 8), step % 251, np.uint8), caption=str(step))
        values["words"] = stepscope.Text(f"# step {step}")
        values["weights"] = np.full(1000, float(step))
    if step % LARGE_EVERY == 0:
        # Larger than a segment of the journal.
        values["large"] = np.full(600_000, float(step))
    return values


def is_value_of(name: str, step: int, value: Any) -> bool:
    if name == "image":
        return value.caption == str(step) and bool((value.array() == step % 251).all())
    if name == "words":
        return value.text == f"# step {step}"
    return (value.min, value.max) == (step, step) and value.count == (1000 if name == "weights" else 600_000)


@pytest.fixture
def start(store_url: str) -> Generator[Callable[..., Training]]:
    """Start trainings, forked so that none spends its time importing."""
    started: list[Training] = []

    def start_one(threads: int = 1) -> Training:
        told = mmap.mmap(-1, 4096)
        started.append(Training(forked(lambda: train(store_url, told, threads)), told, threads))
        return started[-1]

    yield start_one
    for training in started:
        end_if_there(training.pid)


def check(reader: Reader, run_id: str, thread: int, returned: int) -> None:
    """Assert that everything which returned is there once, and nothing else but the call under way."""
    counts: dict[str, int] = {}
    for name, every in (("loss", 1), ("acc", 1), *((name, 40) for name in ("image", "words", "weights"))):
        counts[name] = check_series(reader, run_id, f"{thread} {name}", every, returned)
    counts["large"] = check_series(reader, run_id, f"{thread} large", LARGE_EVERY, returned)
    assert counts["acc"] <= counts["loss"], "the numbers of one call are logged in their order"


def check_series(reader: Reader, run_id: str, name: str, every: int, returned: int) -> int:
    if not reader.series(run_id, name=name):
        assert returned == 0, f"{returned} calls returned, and there is nothing of {name}"
        return 0
    series = series_of(reader, run_id, name)
    if series.kind == "scalar":
        points = reader.points(series)
        steps = points.step
        np.testing.assert_array_equal(points.last, steps / 3 if name.endswith("loss") else -steps)
    else:
        records = reader.records(series)
        steps = np.array([record.step for record in records])
        for record in records[:: max(1, len(records) // 5)]:
            assert is_value_of(name.split()[1], record.step, reader.load(series, record)), record
    count = len(steps)
    np.testing.assert_array_equal(steps, np.arange(count) * every)
    assert series.count == count, f"{series.count} are counted of {name}, {count} are there"
    least, most = (returned + every - 1) // every, returned // every + 1
    assert least <= count <= most, f"{returned} calls returned, {count} of {name} are there"
    return count


def check_all(store: str, trainings: list[Training]) -> None:
    recover_all(store)
    with Reader.open(store) as reader:
        for training in trainings:
            if training.run_id:
                run = reader.run(training.run_id)
                assert (run.state, run.dropped) == (RunState.KILLED, {})
                for thread, returned in enumerate(training.returned):
                    check(reader, training.run_id, thread, returned)


@pytest.mark.parametrize(("threads", "kills"), [(1, max(3, KILLS // 4)), (THREADS, max(3, KILLS // 8))])
def test_killed_again_and_again(
    store_url: str, start: Callable[..., Training], threads: int, kills: int
) -> None:
    # Each training recovers what the ones before left, and is killed while it does.
    rng = random_moments(f"{threads} threads")
    trainings: list[Training] = []
    for _ in range(kills):
        training = start(threads)
        if rng.random() < 0.8:
            wait_until(lambda training=training: all(training.returned), what="a first call")
        assert kill_after(training.pid, rng.random() ** 2 * 0.5)
        trainings.append(training)
    check_all(store_url, trainings)
    assert sum(sum(training.returned) for training in trainings) > 1000


def test_killed_while_several_train_into_one_store(store_url: str, start: Callable[..., Training]) -> None:
    trainings = [start() for _ in range(3)]
    for training in trainings:
        wait_until(lambda training=training: training.returned[0] > 500, what="five hundred calls")
        assert kill(training.pid)
    check_all(store_url, trainings)


PROGRAM = """
import mmap, sys
sys.path[:0] = ["tests", "tests/crash"]
from test_kill import train
with open(sys.argv[2], "r+b") as file:
    train(sys.argv[1], mmap.mmap(file.fileno(), 4096), 1)
"""


def test_a_program_of_its_own_is_killed(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "told").write_bytes(bytes(4096))
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, store_url, tmp_path / "told"], cwd=ROOT)
    with (tmp_path / "told").open("r+b") as file:
        training = Training(process.pid, mmap.mmap(file.fileno(), 4096), 1)
        wait_until(lambda: training.returned[0] > 2000, what="two thousand calls")
        process.kill()
        assert process.wait() == -9
        check_all(store_url, [training])
