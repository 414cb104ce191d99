"""Signals in the midst of anything: handlers that log, Ctrl-C thousands of times, an end by SIGTERM."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from hostile import lost, points, stored, until_ended
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from support import ROOT, run_python, wait_until

if TYPE_CHECKING:
    import pytest

HANDLER_LOGS = """
import signal, sys, time
import numpy as np
import stepscope
calls = 0
def handler(*_):
    global calls
    calls += 1
    mine = calls
    run.log({f"handler {mine % 100}": float(mine), "handler": float(mine)}, step=mine)
    run.log({"handler words": stepscope.Text(str(mine))}, step=mine)
    run.config["handled"] = mine
run = stepscope.init(store=sys.argv[1])
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.001)
end = time.monotonic() + 1.0
step = 0
while time.monotonic() < end or calls < 100:
    run.log({"loss": float(step), f"new {step % 400}": float(step)}, step=step)
    if step % 5 == 0:
        run.log({"words": stepscope.Text(str(step))}, step=step)
    if step % 100 == 0:
        run.log({"weights": np.full(100_000, float(step))}, step=step)
    step += 1
signal.setitimer(signal.ITIMER_REAL, 0)
run.finish()
print(run.id, step, calls, run.config["handled"])
"""


def test_a_handler_that_logs_in_the_midst_of_a_log_call_harms_neither(store_url: str) -> None:
    run_id, steps, calls, handled = run_python("-c", HANDLER_LOGS, store_url).split()
    run = until_ended(store_url, run_id)
    assert points(store_url, run_id) == {step: float(step) for step in range(int(steps))}
    assert points(store_url, run_id, "handler") == {call: float(call) for call in range(1, int(calls) + 1)}
    with Reader.open(store_url) as reader:
        for series in reader.series(run_id, kind="scalar"):
            if series.name.startswith(("new ", "handler ")):
                found = reader.points(series)
                assert found.step.tolist() == found.last.tolist(), f"{series.name} got another one's value"
        for name in ("words", "handler words"):
            (series,) = reader.series(run_id, name=name)
            assert all(reader.load(series, one).text == str(one.step) for one in reader.records(series)[::7])
    # Not always the last call: a handler may come into the midst of a handler, which then ends after it.
    assert run.config["handled"] == int(handled)
    counts = stored(store_url, run_id)
    assert counts["words"] == (int(steps) + 4) // 5
    assert counts["handler words"] == int(calls)
    assert counts["weights"] == (int(steps) + 99) // 100
    assert sum(count for name, count in counts.items() if name.startswith("new ")) == int(steps)
    assert sum(count for name, count in counts.items() if name.startswith("handler ")) == 2 * int(calls)
    assert run.dropped == {}
    assert run.state is RunState.FINISHED


INTERRUPTED = """
import signal, sys, time
import numpy as np
import stepscope
armed = False
caught = 0
def handler(*_):
    if armed:
        raise KeyboardInterrupt
run = stepscope.init(store=sys.argv[1])
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0003)
returned = []
step = 0
while caught < 1000:
    try:
        armed = True
        run.log({"loss": float(step), f"new {step % 500}": float(step)}, step=step)
        run.log({"words": stepscope.Text(str(step))}, step=step)
        if step % 50 == 0:
            run.log({"weights": np.full(20_000, float(step))}, step=step)
        armed = False
        returned.append(step)
    except KeyboardInterrupt:
        armed = False
        caught += 1
    step += 1
signal.setitimer(signal.ITIMER_REAL, 0)
run.log({"loss": float(step), "words": stepscope.Text(str(step))}, step=step)
run.finish()
print(run.id, *returned, step)
"""


def test_ctrl_c_a_thousand_times_leaves_a_sound_journal(store_url: str) -> None:
    run_id, *told = run_python("-c", INTERRUPTED, store_url).split()
    returned = list(map(int, told))
    run = until_ended(store_url, run_id)
    found = points(store_url, run_id)
    assert found.keys() >= set(returned), "a call that returned is not there"
    assert all(value == step for step, value in found.items())
    with Reader.open(store_url) as reader:
        (words,) = reader.series(run_id, name="words")
        texts = {record.step: reader.load(words, record).text for record in reader.records(words)}
        assert texts.keys() >= set(returned)
        assert all(text == str(step) for step, text in texts.items())
        for series in reader.series(run_id, kind="scalar"):
            if series.name.startswith("new "):
                new = reader.points(series)
                assert new.step.tolist() == new.last.tolist(), f"{series.name} got another one's value"
    assert run.state is RunState.FINISHED
    assert lost(store_url, run_id) == 0


ENDS = """
import signal, sys
import stepscope
run = stepscope.init(store=sys.argv[1])
run.log({"other": stepscope.Text("x")}, step=0)
def preempted(*_):
    run.log({"preempted": 1.0}, step=5000)
    run.finish("killed", "preempted")
    sys.exit(0)
signal.signal(signal.SIGTERM, preempted)
print(run.id, flush=True)
step = 0
while True:
    run.log({"loss": float(step), f"new {step % 300}": 1.0, "bad": None}, step=step)
    step += 1
"""


def test_a_handler_may_end_the_run_in_the_midst_of_a_log_call_that_drops(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was dropped is written by another thread, which must not wait for the call that was cut short.
    monkeypatch.delenv("STEPSCOPE_STRICT")
    process = subprocess.Popen(
        [sys.executable, "-c", ENDS, store_url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    with Reader.open(store_url) as reader:
        wait_until(lambda: reader.run(run_id).dropped, what="drops that are shown while the run goes on")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    run = until_ended(store_url, run_id)
    assert (run.state, run.error) == (RunState.KILLED, "preempted")
    found = points(store_url, run_id)
    assert list(found) == list(range(len(found)))
    assert points(store_url, run_id, "preempted") == {5000: 1.0}
    assert 0 <= len(found) - lost(store_url, run_id) <= 1
    assert errors.count("'bad' needs a number") == 1
