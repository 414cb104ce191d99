"""Preempted again and again, and resumed: no step is lost, none is there twice, all attempts can be read."""

from __future__ import annotations

import mmap
import struct
import time

import numpy as np
import pytest

import stepscope
from feed import series_of
from killed import KILLS, end_if_there, kill, kill_after, random_moments, recover_all
from stepscope.storage.drain import recover_orphans
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from support import forked, wait_until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(60 + 3 * KILLS)]

BACK = 300
"""How many steps before the last one a training goes on: it has a checkpoint from there."""


def value_of(attempt: int, step: int) -> float:
    return attempt * 1e9 + step


def train(store: str, told: mmap.mmap, run_id: str | None, attempt: int, first: int) -> None:
    """Log from a step on for ever, telling the run and the step after each call that returned."""
    run = stepscope.init(store=store, resume=run_id)
    told[:10] = run.id.encode()
    step = first
    while True:
        run.log({"loss": value_of(attempt, step)}, step=step)
        if step % 100 == 0:
            run.log({"words": stepscope.Text(f"{attempt}: {step}")}, step=step)
        step += 1
        struct.pack_into("<Q", told, 16, step)


def test_killed_and_resumed_again_and_again(store_url: str) -> None:
    rng = random_moments("resume")
    run_id = None
    starts: list[int] = []
    ends: list[int] = []
    for attempt in range(max(4, KILLS // 8)):
        told = mmap.mmap(-1, 4096)
        first = max(0, ends[-1] - BACK) if ends else 0
        child = forked(lambda a=attempt, f=first, r=run_id, t=told: train(store_url, t, r, a, f))
        try:
            wait_until(lambda t=told: struct.unpack_from("<Q", t, 16)[0], what="a first call")
            assert kill_after(child, rng.random() * 0.2)
        finally:
            end_if_there(child)
        (end,) = struct.unpack_from("<Q", told, 16)
        starts.append(first)
        ends.append(end)
        run_id = told[:10].decode()
    assert run_id is not None
    recover_all(store_url)
    with Reader.open(store_url) as reader:
        check_stitched(reader, run_id, starts, ends)
        check_each_attempt(reader, run_id, starts, ends)
        assert (reader.run(run_id).state, reader.run(run_id).dropped) == (RunState.KILLED, {})


def check_stitched(reader: Reader, run_id: str, starts: list[int], ends: list[int]) -> None:
    loss = reader.points(series_of(reader, run_id, "loss"))
    assert loss.step.tolist() == list(range(len(loss))), "a step is missing or there twice"
    assert ends[-1] <= len(loss) <= ends[-1] + 1
    attempts = np.floor(loss.last / 1e9).astype(int)
    for step, attempt in enumerate(attempts.tolist()):
        newest = max(number for number, first in enumerate(starts) if first <= step)
        assert attempt == newest, f"step {step} is shown as attempt {attempt} logged it"


def check_each_attempt(reader: Reader, run_id: str, starts: list[int], ends: list[int]) -> None:
    assert [attempt.attempt for attempt in reader.attempts(run_id)] == list(range(len(starts)))
    series = series_of(reader, run_id, "loss")
    for attempt, (first, end) in enumerate(zip(starts, ends, strict=True)):
        points = reader.points(series, attempt=attempt)
        assert points.step.tolist() == list(range(first, first + len(points)))
        assert end <= first + len(points) <= end + 1
        np.testing.assert_array_equal(points.last, [value_of(attempt, step) for step in points.step.tolist()])


def preempted(store: str, told: mmap.mmap) -> tuple[str, int]:
    """Train and be killed; return the run and how many calls returned."""
    child = forked(lambda: train(store, told, None, 0, 0))
    try:
        wait_until(lambda: struct.unpack_from("<Q", told, 16)[0] > 20_000, what="calls")
        assert kill(child)
    finally:
        end_if_there(child)
    return told[:10].decode(), struct.unpack_from("<Q", told, 16)[0]


@pytest.mark.parametrize("ends", ["soon", "never"])
def test_a_run_is_resumed_while_another_process_recovers_it(
    store_url: str, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a dashboard does at the moment when a scheduler starts the training again.
    if ends == "never":
        monkeypatch.setattr("stepscope.trackers.init._RECOVERY_SECONDS", 0.1)
    told = mmap.mmap(-1, 4096)
    run_id, end = preempted(store_url, told)
    other = forked(lambda: recover_slowly(store_url, told, None if ends == "never" else 0.5))
    try:
        wait_until(lambda: struct.unpack_from("<Q", told, 24)[0] >= 3, what="the lock")
        with stepscope.init(store=store_url, resume=run_id) as run:
            assert run.id == run_id
            if ends == "soon":
                # Without a step: one more than the last one of the attempt before.
                run.log({"loss": value_of(1, end)})
            for step in range(end + 1, end + 100):
                run.log({"loss": value_of(1, step)}, step=step)
    finally:
        end_if_there(other)
    recover_all(store_url)
    with Reader.open(store_url) as reader:
        loss = reader.points(series_of(reader, run_id, "loss"))
        steps = np.arange(end + 100)
        np.testing.assert_array_equal(
            loss.step, steps if ends == "soon" or end in loss.step else steps[steps != end]
        )
        assert reader.run(run_id).state is RunState.FINISHED


def recover_slowly(store: str, told: mmap.mmap, seconds: float | None) -> None:
    """Recover, but for a pause in the midst of it."""

    def go_on() -> bool:
        struct.pack_into("<Q", told, 24, 1 + struct.unpack_from("<Q", told, 24)[0])
        if struct.unpack_from("<Q", told, 24)[0] == 3:
            time.sleep(1000 if seconds is None else seconds)
        return True

    with Writer.open(store) as writer:
        recover_orphans(writer, go_on)
