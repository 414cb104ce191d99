"""Forks in the midst of anything: workers of a DataLoader, locks that are held, children that end badly."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from feed import series_of
from hostile import left, points, until_ended
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from support import run_python, wait_until

WORKERS = 2


@contextmanager
def logging_thread(run: stepscope.Run) -> Generator[Callable[[], int]]:
    """Log on a thread of its own, all the time; yield what tells how many calls returned."""
    ended = threading.Event()
    returned = [0]

    def work() -> None:
        step = 0
        while not ended.is_set():
            run.log(
                {"loss": float(step), "words": stepscope.Text(str(step)), f"new {step % 50}": 1.0}, step=step
            )
            step += 1
            returned[0] = step
            ended.wait(0.0005)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda: returned[0]
    finally:
        ended.set()
        thread.join()


def values_of(store: str, run_id: str, name: str, **context: Any) -> list[float]:
    with Reader.open(store) as reader:
        return reader.points(series_of(reader, run_id, name, context)).last.tolist()


class Samples:
    """A dataset whose workers log each sample that they read."""

    def __init__(self, run: stepscope.Run) -> None:
        self.run = run

    def __len__(self) -> int:
        return 200

    def __getitem__(self, index: int) -> float:
        self.run.log({"sample": float(index)}, step=index)
        return float(index)


@pytest.mark.parametrize(
    ("method", "persistent"),
    # Spawned workers import torch; that a run which is sent to such a process logs there is shown below.
    [("fork", False), ("fork", True), pytest.param("spawn", True, marks=pytest.mark.long)],
)
def test_workers_of_a_dataloader_log_while_a_thread_of_the_training_does(
    store_url: str, method: str, persistent: bool
) -> None:
    data = pytest.importorskip("torch.utils.data")
    with stepscope.init(store=store_url) as run, logging_thread(run) as returned:
        loader = data.DataLoader(
            Samples(run),
            batch_size=10,
            num_workers=WORKERS,
            multiprocessing_context=method,
            persistent_workers=persistent,
        )
        for epoch in range(3):
            for step, batch in enumerate(loader):
                run.log({"batch": float(batch.sum())}, step=step, context={"epoch": epoch})
        del loader
    until_ended(store_url, run.id)
    with Reader.open(store_url) as reader:
        (series,) = reader.series(run.id, name="sample")
        assert series.count == 3 * 200, "each worker's values, of each epoch"
        found = reader.points(series)
        assert found.step.tolist() == found.last.tolist() == [float(index) for index in range(200)]
        assert reader.run(run.id).state is RunState.FINISHED
        assert reader.run(run.id).dropped == {}
    assert points(store_url, run.id) == {step: float(step) for step in range(returned())}
    assert [len(values_of(store_url, run.id, "batch", epoch=epoch)) for epoch in range(3)] == [20] * 3


class Slow:
    """A value that another thread reads while this process forks: the run's lock is held meanwhile."""

    def __init__(self) -> None:
        self.reading = threading.Event()
        self.forked = threading.Event()

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        self.reading.set()
        self.forked.wait(20)
        return np.array(0.25)


def test_a_fork_while_another_thread_is_in_the_midst_of_a_log_call(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        slow = Slow()
        thread = threading.Thread(target=lambda: run.log({"slow": slow}, step=0))
        thread.start()
        assert slow.reading.wait(20)
        child = os.fork()
        if child == 0:
            run.log({"of child": 1.0}, step=1)
            os._exit(not run.flush())
        slow.forked.set()
        thread.join()
        assert os.waitpid(child, 0)[1] == 0, "the child waited for a lock that nobody in it will give back"
    assert points(store_url, run.id, "of child") == {1: 1.0}
    assert points(store_url, run.id, "slow") == {0: 0.25}


def end_by_exit() -> None:
    os._exit(3)


def end_by_exception() -> None:
    raise ValueError("the worker failed")


def end_by_kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def end_well() -> None:
    """Return, as most workers do."""


def _work(run: stepscope.Run, end: Callable[[], None]) -> None:
    for step in range(500):
        run.log({"of child": float(step), "words": stepscope.Text(str(step))}, step=step)
    end()


@pytest.mark.parametrize("end", [end_well, end_by_exit, end_by_exception, end_by_kill])
def test_however_a_worker_ends_its_values_are_there(store_url: str, end: Callable[[], None]) -> None:
    context = multiprocessing.get_context("fork")
    with stepscope.init(store=store_url) as run, logging_thread(run) as returned:
        worker = context.Process(target=_work, args=(run, end))
        worker.start()
        worker.join(60)
        assert (worker.exitcode == 0) == (end is end_well)
        assert run.flush()
        with Reader.open(store_url) as reader:
            assert reader.run(run.id).state is RunState.RUNNING, "the end of a worker is not the run's end"
        before = returned()
        wait_until(lambda: returned() > before + 10, what="the training, which goes on")
    found = until_ended(store_url, run.id)
    assert found.state is RunState.FINISHED
    assert points(store_url, run.id, "of child") == {step: float(step) for step in range(500)}
    assert points(store_url, run.id) == {step: float(step) for step in range(returned())}
    assert not left(store_url, run.id)


def test_children_are_forked_while_the_journal_is_drained(store_url: str) -> None:
    # Each fork falls into another moment of the writer's thread and of the one that logs.
    with stepscope.init(store=store_url) as run, logging_thread(run) as returned:
        children = []
        for number in range(30):
            child = os.fork()
            if child == 0:
                run.log({"of child": float(number)}, step=number)
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 30
    until_ended(store_url, run.id)
    assert points(store_url, run.id, "of child") == {number: float(number) for number in range(30)}
    assert points(store_url, run.id) == {step: float(step) for step in range(returned())}


def _train(store: str, name: str) -> None:
    with stepscope.init(store=store, name=name, group="ranks") as run:
        for step in range(300):
            run.log({"loss": float(step)}, step=step)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_that_begin_runs_of_their_own_beside_one_that_logs(store_url: str, method: str) -> None:
    context = multiprocessing.get_context(method)
    with stepscope.init(store=store_url, name="first") as run, logging_thread(run):
        ranks = [context.Process(target=_train, args=(store_url, f"rank {rank}")) for rank in range(WORKERS)]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join(60)
        assert [rank.exitcode for rank in ranks] == [0] * WORKERS
    with Reader.open(store_url) as reader:
        runs = {one.name: one for one in reader.runs()}
        assert set(runs) == {"first", *(f"rank {rank}" for rank in range(WORKERS))}
        assert {one.state for one in runs.values()} == {RunState.FINISHED}
    for rank in range(WORKERS):
        assert len(points(store_url, runs[f"rank {rank}"].run_id)) == 300


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_run_that_is_sent_to_a_process_logs_there(store_url: str, method: str) -> None:
    context = multiprocessing.get_context(method)
    with (
        stepscope.init(store=store_url, config={"lr": 0.1, "call": len}) as run,
        logging_thread(run) as returned,
    ):
        worker = context.Process(target=_work, args=(run, end_well))
        worker.start()
        worker.join(60)
        assert worker.exitcode == 0
        assert run.flush()
        with Reader.open(store_url) as reader:
            assert reader.run(run.id).state is RunState.RUNNING, "the end of a worker is not the run's end"
    found = until_ended(store_url, run.id)
    assert (found.state, found.dropped, found.config["lr"]) == (RunState.FINISHED, {}, 0.1)
    assert points(store_url, run.id, "of child") == {step: float(step) for step in range(500)}
    assert points(store_url, run.id) == {step: float(step) for step in range(returned())}


def test_a_copy_of_what_holds_a_run_holds_the_run(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        copied = copy.deepcopy({"model": [run]})
        assert copied["model"][0] is copy.copy(run) is run
        other = pickle.loads(pickle.dumps(run))  # noqa: S301 - our own
        other.log({"loss": 1.0}, step=0)
        other.finish()
    assert until_ended(store_url, run.id).dropped == {}
    assert points(store_url, run.id) == {0: 1.0}


SAVES = """
import pickle, sys
import stepscope
with stepscope.init(store=sys.argv[1], config={"lr": 0.1}) as run, open(sys.argv[2], "wb") as file:
    run.log({"loss": 0.5}, step=0)
    pickle.dump({"weights": [1.0], "run": run}, file)
print(run.id)
"""
LOADS = """
import logging, pickle, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
run = pickle.load(open(sys.argv[1], "rb"))["run"]
run.log({"loss": 1.0}, step=1)
run.finish()
assert run.config["lr"] == 0.1
"""


def test_a_run_that_is_loaded_from_a_checkpoint_records_nothing(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    run_id = run_python("-c", SAVES, store_url, tmp_path / "model").strip()
    assert run_python("-c", LOADS, tmp_path / "model") == (
        f"stepscope: run {run_id} was loaded by a process that is none of its own, and records nothing here. "
        f'Call stepscope.init(resume="{run_id}") to go on with it.\n'
    )
    assert until_ended(store_url, run_id).state is RunState.FINISHED
    assert points(store_url, run_id) == {0: 0.5}
