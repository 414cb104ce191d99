"""All the ways in which a program ends that never calls finish(): nothing hangs, everything is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hostile import points, until_ended
from stepscope.storage.model import Run, RunState
from support import ROOT

BEGINS = """
import atexit, os, sys, threading, time
import stepscope
first = []
atexit.register(lambda: first.append(run.log({"after the end": 1.0}, step=7000)))
run = stepscope.init(store=sys.argv[1])
print(run.id, flush=True)
for step in range(1000):
    run.log({"loss": float(step)}, step=step)
"""


def end_of(program: str, store: str) -> tuple[Run, int, str]:
    """Let a program log and end in its way; return its run, its exit status and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", BEGINS + program, store],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    run = until_ended(store, done.stdout.split()[0])
    assert points(store, run.run_id) == {step: float(step) for step in range(1000)}, done.stderr
    return run, done.returncode, done.stderr


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users have it: not strict."""
    monkeypatch.delenv("STEPSCOPE_STRICT")


def test_what_is_registered_before_the_run_comes_after_its_end_and_is_told(store_url: str) -> None:
    run, status, errors = end_of("", store_url)
    assert (run.state, status) == (RunState.FINISHED, 0)
    assert errors.count("\n") == 1
    assert f"run {run.run_id} is finished. Call stepscope.init for a new one." in errors


def test_what_is_registered_after_the_run_still_logs(store_url: str) -> None:
    run, status, _ = end_of('atexit.register(lambda: run.log({"last": 1.0}, step=5000))', store_url)
    assert (run.state, status) == (RunState.FINISHED, 0)
    assert points(store_url, run.run_id, "last") == {5000: 1.0}


def test_a_program_that_ends_without_a_word(store_url: str) -> None:
    run, status, errors = end_of("os._exit(5)", store_url)
    assert (run.state, status, errors) == (RunState.KILLED, 5, "")


@pytest.mark.parametrize(("code", "state"), [(0, RunState.FINISHED), (3, RunState.FAILED)])
def test_a_program_that_ends_with_a_status(store_url: str, code: int, state: RunState) -> None:
    run, status, _ = end_of(f"sys.exit({code})", store_url)
    assert (status, run.state) == (code, state)


def test_a_thread_that_exits_or_fails_ends_only_itself(store_url: str) -> None:
    program = """
def exits():
    run.log({"exits": 1.0}, step=1)
    sys.exit(3)
def fails():
    run.log({"fails": 1.0}, step=1)
    raise ValueError("in a thread")
for work in (exits, fails):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
run.log({"goes on": 1.0}, step=2)
"""
    run, status, _ = end_of(program, store_url)
    assert (run.state, run.error, status) == (RunState.FINISHED, None, 0)
    assert points(store_url, run.run_id, "exits") == points(store_url, run.run_id, "fails") == {1: 1.0}
    assert points(store_url, run.run_id, "goes on") == {2: 1.0}


def test_daemon_threads_that_log_everything_while_the_program_ends(store_url: str) -> None:
    program = """
import numpy as np
def work(name):
    step = 0
    while True:
        run.log({name: float(step), f"{name} words": stepscope.Text("x")}, step=step)
        run.log({f"{name} weights": np.zeros(1000)}, step=step)
        run.config[name] = step
        step += 1
for number in range(4):
    threading.Thread(target=work, args=(f"thread {number}",), daemon=True).start()
while run.step < 1000 and len(run.config) < 4:
    time.sleep(0.01)
"""
    run, status, errors = end_of(program, store_url)
    assert (run.state, status) == (RunState.FINISHED, 0)
    assert "Traceback" not in errors
    assert "Fatal" not in errors
    for number in range(4):
        found = points(store_url, run.run_id, f"thread {number}")
        assert list(found) == list(range(len(found)))


def test_a_child_that_ends_as_programs_do_leaves_the_run_to_its_parent(store_url: str) -> None:
    program = """
child = os.fork()
if child == 0:
    run.log({"of child": 1.0}, step=1)
    sys.exit(4)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
run.log({"goes on": 1.0}, step=2)
"""
    run, status, _ = end_of(program, store_url)
    assert (run.state, status) == (RunState.FINISHED, 0)
    assert points(store_url, run.run_id, "of child") == {1: 1.0}
    assert points(store_url, run.run_id, "goes on") == {2: 1.0}


def test_runs_that_are_nested_or_forgotten_all_end(store_url: str) -> None:
    program = """
import gc
others = [stepscope.init(store=sys.argv[1], name=f"other {number}") for number in range(3)]
for step in range(100):
    for other in others:
        other.log({"loss": float(step)}, step=step)
with stepscope.init(store=sys.argv[1], name="inner") as inner:
    inner.log({"loss": 1.0})
    others[0].finish()
    others[0].finish("failed")
    others[0].log({"loss": 2.0})
stepscope.init(store=sys.argv[1], name="forgotten").log({"loss": 1.0})
gc.collect()
print(*(other.id for other in others), inner.id)
"""
    run, status, errors = end_of(program, store_url)
    assert (run.state, status) == (RunState.FINISHED, 0)
    assert "Traceback" not in errors
    from stepscope.storage.read import Reader

    with Reader.open(store_url) as reader:
        found = {one.name: one for one in reader.runs()}
    names = {"other 0", "other 1", "other 2", "inner", "forgotten"}
    assert names <= set(found)
    assert {found[name].state for name in names} == {RunState.FINISHED}
    assert len(points(store_url, found["other 2"].run_id)) == 100
