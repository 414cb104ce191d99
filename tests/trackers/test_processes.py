"""Runs and processes: forked children, and all the ways in which a program ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

import stepscope
from feed import series_of
from stepscope.storage.drain import recover_orphans
from stepscope.storage.forks import forks
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from support import ROOT, forked, wait_until


def points(store: str, run_id: str, name: str = "loss") -> dict[int, float]:
    with Reader.open(store) as reader:
        series = series_of(reader, run_id, name)
        found = reader.points(series)
        if series_of(reader, run_id, name).count == series.count:  # no more were stored between the two
            assert series.count == found.total, "a point is there twice"
        return dict(zip(found.step.tolist(), found.last.tolist(), strict=True))


def state(store: str, run_id: str) -> RunState:
    with Reader.open(store) as reader:
        return reader.run(run_id).state


# Children


def test_values_of_a_forked_child_arrive(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        run.log({"loss": 0.0}, step=0)
        assert run.flush()
        child = forked(lambda: [run.log({"loss": 1.0}, step=step) for step in range(1, 500)])
        run.log({"loss": 0.0}, step=500)
        assert os.waitpid(child, 0)[1] == 0
        assert state(store_url, run.id) is RunState.RUNNING
    assert points(store_url, run.id) == {0: 0.0, **dict.fromkeys(range(1, 500), 1.0), 500: 0.0}
    assert state(store_url, run.id) is RunState.FINISHED


def test_a_child_that_finishes_leaves_the_run_to_its_parent(store_url: str) -> None:
    def work() -> None:
        run.log({"loss": 1.0}, step=1)
        run.finish()
        run.log({"loss": 2.0}, step=2)
        run.finish("failed")

    with stepscope.init(store=store_url) as run:
        assert run.flush()
        assert os.waitpid(forked(work), 0)[1] == 0
        assert points(store_url, run.id) == {1: 1.0, 2: 2.0}
        assert state(store_url, run.id) is RunState.RUNNING
        run.log({"loss": 3.0}, step=3)
    assert points(store_url, run.id) == {1: 1.0, 2: 2.0, 3: 3.0}
    assert state(store_url, run.id) is RunState.FINISHED


def test_a_fork_while_values_are_under_way_repeats_none(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        children = []
        for step in range(2000):
            run.log({"loss": float(step), f"of {step % 7}": 1.0}, step=step)
            if step % 400 == 200:
                children.append(forked(lambda step=step: run.log({"of child": 1.0}, step=step)))
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 5
    assert points(store_url, run.id) == {step: float(step) for step in range(2000)}
    assert points(store_url, run.id, "of child") == dict.fromkeys(range(200, 2000, 400), 1.0)


@pytest.mark.parametrize("children", [8, pytest.param(40, marks=pytest.mark.long)])
def test_children_flush_beside_a_parent_that_writes(store_url: str, children: int) -> None:
    def work(step: int) -> None:
        run.log({"of child": float(step)}, step=step)
        assert run.flush()

    with stepscope.init(store=store_url) as run:
        for step in range(children):
            for _ in range(100):
                run.log({"loss": 1.0, "words": stepscope.Text("x")}, step=step)
            assert os.waitpid(forked(lambda step=step: work(step)), 0)[1] == 0
        assert points(store_url, run.id, "of child") == {step: float(step) for step in range(children)}


def test_a_child_that_was_forked_at_a_bad_moment_ends_at_once(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepscope.storage.forks._PATIENCE_SECONDS", 0.01)

    def work() -> None:
        run.log({"loss": 1.0}, step=1)
        assert not run.flush()
        begun = time.monotonic()
        run.finish()
        assert time.monotonic() - begun < 5

    with stepscope.init(store=store_url) as run:
        assert run.flush()
        with forks.connected():
            child = forked(work)
        assert os.waitpid(child, 0)[1] == 0
    assert points(store_url, run.id) == {1: 1.0}


def _log_as_worker(run: stepscope.Run, worker: int) -> None:
    for step in range(100):
        run.log({"loss": float(step)}, step=step, context={"worker": worker})


def test_workers_of_multiprocessing(store_url: str) -> None:
    context = multiprocessing.get_context("fork")
    with stepscope.init(store=store_url) as run:
        assert run.flush()
        workers = [context.Process(target=_log_as_worker, args=(run, number)) for number in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
    with Reader.open(store_url) as reader:
        for number in range(3):
            series = series_of(reader, run.id, "loss", {"worker": number})
            assert reader.points(series).last.tolist() == [float(step) for step in range(100)]


def test_a_parent_that_is_killed_is_recovered_while_its_child_lives(store_url: str) -> None:
    program = """
import os, sys, time, stepscope
run = stepscope.init(store=sys.argv[1])
run.log({"loss": 0.0}, step=0)
assert run.flush()
child = os.fork()
if child == 0:
    run.log({"loss": 1.0}, step=1)
    print(run.id, flush=True)
    time.sleep(60)
    os._exit(0)
run.log({"loss": 2.0}, step=2)
print(child, flush=True)  # only now: it is killed when both have spoken
time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, store_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    words = sorted([process.stdout.readline().strip(), process.stdout.readline().strip()], key=len)
    child, run_id = int(words[0]), words[1]
    try:
        process.kill()
        process.wait()
        with stepscope.init(store=store_url) as other:
            wait_until(lambda: other.flush() and state(store_url, run_id) is RunState.KILLED, what="recovery")
            found = points(store_url, run_id)
            assert (found[0], found[2]) == (0.0, 2.0)
    finally:
        os.kill(child, signal.SIGKILL)
    process.stdout.read()  # ends when the child has
    with stepscope.init(store=store_url) as other:
        wait_until(lambda: len(points(store_url, run_id)) == 3, what="the child's value")
    assert points(store_url, run_id) == {0: 0.0, 1: 1.0, 2: 2.0}


# Ends

LOGS = """
import os, signal, sys, threading, time, stepscope
run = stepscope.init(store=sys.argv[1])
for step in range(1000):
    run.log({"loss": float(step)}, step=step)
print(run.id, flush=True)
"""


def end_of(program: str, store: str, interrupt: int | None = None) -> tuple[Run, int, str]:
    """Run a program that logs and then ends in its way; return its run, exit status and errors."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOGS + program, store],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    if interrupt is not None:
        process.send_signal(interrupt)
    _, errors = process.communicate(timeout=60)
    # A machine that is busy may leave something in the journal: finish() waits for 2 seconds only.
    with Writer.open(store) as writer:
        recover_orphans(writer)
    assert points(store, run_id) == {step: float(step) for step in range(1000)}, errors
    with Reader.open(store) as reader:
        return reader.run(run_id), process.returncode, errors


def test_a_program_that_ends_without_finish(store_url: str) -> None:
    run, status, errors = end_of("", store_url)
    assert (run.state, run.error, status, errors) == (RunState.FINISHED, None, 0, "")
    assert run.finished_at is not None


def test_a_program_that_fails(store_url: str) -> None:
    run, status, errors = end_of("raise ValueError('the loss exploded')", store_url)
    assert (run.state, status) == (RunState.FAILED, 1)
    assert run.error is not None
    assert run.error.endswith("ValueError: the loss exploded\n")
    assert "ValueError: the loss exploded" in errors, "the usual traceback is printed as ever"


def test_a_program_that_is_interrupted(store_url: str) -> None:
    # Short sleeps: a signal that comes just before a sleep does not cut it short.
    run, status, errors = end_of("while True: time.sleep(0.01)", store_url, signal.SIGINT)
    assert run.state is RunState.KILLED
    assert status != 0
    assert run.error is not None
    assert "KeyboardInterrupt" in run.error
    assert "KeyboardInterrupt" in errors


def test_a_program_that_ends_while_a_thread_logs(store_url: str) -> None:
    program = """
def work():
    for step in range(1000, 1200):
        run.log({"thread": float(step)}, step=step)
        time.sleep(0.001)
threading.Thread(target=work).start()
"""
    run, status, errors = end_of(program, store_url)
    assert (run.state, status, errors) == (RunState.FINISHED, 0, "")
    assert points(store_url, run.run_id, "thread") == {step: float(step) for step in range(1000, 1200)}


def test_a_program_that_ends_while_a_daemon_thread_logs(store_url: str) -> None:
    program = """
def work():
    while True:
        run.log({"thread": 1.0})
threading.Thread(target=work, daemon=True).start()
os.environ["STEPSCOPE_STRICT"] = "0"
run.guard.strict = False
time.sleep(0.2)
"""
    run, status, _ = end_of(program, store_url)
    assert (run.state, status) == (RunState.FINISHED, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_is_ended_by_a_signal(store_url: str, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", f"{LOGS}\ntime.sleep(60)", store_url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    process.send_signal(number)
    assert process.wait() == -number
    with stepscope.init(store=store_url):
        wait_until(lambda: state(store_url, run_id) is RunState.KILLED, what="recovery")
    assert points(store_url, run_id) == {step: float(step) for step in range(1000)}


def test_a_handler_of_signals_may_log_and_finish(store_url: str) -> None:
    # As a scheduler asks a training to end; in the midst of a log call, too.
    program = """
def preempted(*_):
    run.log({"preempted": 1.0}, step=5000)
    run.finish("killed", "preempted")
    os._exit(0)
signal.signal(signal.SIGTERM, preempted)
print("ready", flush=True)
while True:
    run.log({"other": 1.0}, step=1)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", LOGS + program, store_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    assert process.stdout.readline() == "ready\n"
    with Reader.open(store_url) as reader:
        # finish waits some seconds for what is captured.
        wait_until(lambda: reader.environment(run_id), what="what is captured")
    process.terminate()
    assert process.wait() == 0
    with Reader.open(store_url) as reader:
        run = reader.run(run_id)
    assert (run.state, run.error) == (RunState.KILLED, "preempted")
    assert points(store_url, run_id, "preempted") == {5000: 1.0}


def test_runs_of_many_processes_into_one_store(store_url: str) -> None:
    Writer.open(store_url).close()

    def work() -> None:
        with stepscope.init(store=store_url, name=f"of {os.getpid()}") as run:
            for step in range(5000):
                run.log({"loss": float(step)}, step=step)

    children = [forked(work) for _ in range(8)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    with Reader.open(store_url) as reader:
        runs = reader.runs()
        assert sorted(run.name for run in runs) == sorted(f"of {child}" for child in children)
        assert {run.state for run in runs} == {RunState.FINISHED}
    for run in runs:
        assert len(points(store_url, run.run_id)) == 5000
