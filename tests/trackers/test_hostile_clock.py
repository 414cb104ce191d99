"""A clock that is set back, or years ahead, in the midst of a run: order, durations and states stay sane."""

from __future__ import annotations

import time
from collections.abc import Generator

import pytest

import stepscope
from hostile import points, until_ended
from stepscope.storage.drain import recover_orphans
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from stepscope.trackers import delivery
from support import run_python, wait_until

HOUR = 3600.0
YEARS = 10 * 365 * 24 * HOUR


class Clock:
    """The clock of this process; the kernel's own, by which files are dated, stays as it is."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._time = time.time

    def time(self) -> float:
        return self._time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    monkeypatch.setattr(delivery, "HEARTBEAT_SECONDS", 0.2)
    return clock


@pytest.fixture
def reader(store_url: str) -> Generator[Reader]:
    Writer.open(store_url).close()
    with Reader.open(store_url) as reader:
        yield reader


def times(reader: Reader, run_id: str, name: str) -> list[tuple[int, float]]:
    (series,) = reader.series(run_id, name=name)
    found = reader.points(series)
    return list(zip(found.step.tolist(), found.time.tolist(), strict=True))


@pytest.mark.parametrize("jump", [-HOUR, YEARS])
def test_a_clock_that_jumps_changes_neither_order_nor_state(
    store_url: str, clock: Clock, reader: Reader, jump: float
) -> None:
    with stepscope.init(store=store_url) as run:
        for step in range(100):
            run.log({"loss": float(step)}, step=step)
        run.log_system({"heat": 1.0})
        begun = time.monotonic()
        clock.ahead = jump
        for step in range(100, 200):
            run.log({"loss": float(step)}, step=step)
        wait_until(lambda: time.monotonic() > begun + 1.0, what="the next second")
        run.log_system({"heat": 2.0})
        assert run.flush()
        now = clock.time()
        wait_until(
            lambda: abs(reader.run(run.id).updated_at - now) < HOUR / 2,
            what="a sign of life by the new clock",
        )
        assert reader.run(run.id).state is RunState.RUNNING
        (series,) = reader.series(run.id, name="system/heat")
        heat = reader.points(series)
        assert heat.last.tolist() == [1.0, 2.0], "the later measurement lies before, or on, the earlier one"
        assert heat.step[-1] < 60
    found = until_ended(store_url, run.id)
    assert found.state is RunState.FINISHED
    assert found.duration > 0
    if jump < 0:
        assert found.duration < HOUR / 2, "what passed is not what the clock was set back by"
    assert points(store_url, run.id) == {step: float(step) for step in range(200)}
    logged = dict(times(reader, run.id, "loss"))
    assert logged[199] - logged[0] == pytest.approx(jump, abs=HOUR / 2), "the time is what the clock said"


@pytest.mark.parametrize("jump", [-YEARS, YEARS])
def test_whether_a_run_lives_is_no_question_of_the_clock(
    store_url: str, clock: Clock, reader: Reader, jump: float
) -> None:
    with stepscope.init(store=store_url) as run:
        run.log({"loss": 0.5}, step=0)
        assert run.flush()
        clock.ahead = jump
        with Writer.open(store_url) as writer:
            assert recover_orphans(writer) == []
        run.log({"loss": 0.25}, step=1)
        assert run.flush()
        wait_until(lambda: reader.run(run.id).state is RunState.RUNNING, what="a heartbeat")
    assert points(store_url, run.id) == {0: 0.5, 1: 0.25}


DIES = """
import os, sys, time
real, ahead = time.time, 0.0
time.time = lambda: real() + ahead
import stepscope
run = stepscope.init(store=sys.argv[1])
run.log({"loss": 0.5}, step=0)
assert run.flush()
ahead = float(sys.argv[2])
run.log({"loss": 0.25}, step=1)
print(run.id, flush=True)
os._exit(9)
"""


@pytest.mark.parametrize("jump", [-YEARS, YEARS])
def test_a_run_that_died_under_a_wrong_clock_is_recovered(store_url: str, jump: float) -> None:
    with pytest.raises(AssertionError, match="exit 9") as died:
        run_python("-c", DIES, store_url, str(jump))
    run_id = str(died.value).split("\n")[1]
    found = until_ended(store_url, run_id)
    assert found.state is RunState.KILLED
    assert points(store_url, run_id) == {0: 0.5, 1: 0.25}
    assert found.finished_at is not None
    assert found.finished_at >= found.created_at
