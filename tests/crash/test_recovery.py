"""Killed while recovering, while storing, while removing; and several that recover at once."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import stepscope
from feed import Feed, new_run, series_of
from killed import KILLS, ended_well, journals_left, kill_after, random_moments, recover_all
from stepscope.storage.drain import recover_orphans
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.verify import verify
from stepscope.storage.write import Writer
from support import forked

POINTS = 150_000
VALUES = range(0, 300, 3)
FEW = range(2)

pytestmark = [pytest.mark.crash, pytest.mark.timeout(60 + 3 * KILLS)]


def recover(store: str) -> None:
    with Writer.open(store) as writer:
        recover_orphans(writer)


def log_values(feed: Feed, steps: range) -> None:
    for step in steps:
        feed.value("weights", step, stepscope.Histogram(np.full(30_000, float(step))))
        feed.value("words", step, stepscope.Text(f"at {step}"))


def leave_journals(store: str, count: int, points: int = POINTS, values: range = VALUES) -> list[str]:
    """Leave journals of dead processes, too large to be drained at once; return their runs."""
    run_ids: list[str] = []
    with Writer.open(store) as writer:
        for _ in range(count):
            run_ids.append(new_run(writer).run_id)
            feed = Feed(writer, run_ids[-1])
            feed.points("loss", np.arange(float(points)))
            log_values(feed, values)
            feed.journal.close()
    return run_ids


def check_left(store: str, run_ids: list[str], points: int = POINTS, values: range = VALUES) -> None:
    recover_all(store)
    with Reader.open(store) as reader:
        assert verify(reader).faults == ()
        for run_id in run_ids:
            series = series_of(reader, run_id, "loss")
            assert series.count == points
            np.testing.assert_array_equal(reader.points(series).last, np.arange(float(points)))
            for name in ("weights", "words"):
                records = reader.records(series_of(reader, run_id, name))
                assert [record.step for record in records] == list(values)
            run = reader.run(run_id)
            assert (run.state, run.dropped) == (RunState.KILLED, {})


def test_several_recover_at_the_same_moment(store_url: str) -> None:
    run_ids = leave_journals(store_url, 4, 20_000)
    children = [forked(lambda: recover(store_url)) for _ in range(3)]
    assert [ended_well(child) for child in children] == [True] * 3
    check_left(store_url, run_ids, 20_000)


def test_killed_while_recovering(store_url: str) -> None:
    rng = random_moments("recovering")
    run_ids = leave_journals(store_url, 3)
    kills = max(4, KILLS // 4)
    for _ in range(kills):
        # The first that are killed come far, the later ones find what those left.
        kill_after(forked(lambda: recover(store_url)), rng.random() * 0.3)
    check_left(store_url, run_ids)


def test_some_of_several_that_recover_are_killed(store_url: str) -> None:
    rng = random_moments("several")
    run_ids = leave_journals(store_url, 4)
    for _ in range(max(2, KILLS // 16)):
        children = [forked(lambda: recover(store_url)) for _ in range(3)]
        kill_after(children[0], rng.random() * 0.2)
        kill_after(children[1], rng.random() * 0.2)
        assert ended_well(children[2])
    check_left(store_url, run_ids)


def test_killed_while_storing_what_it_logs(store_url: str) -> None:
    # Not while logging: every point is in the journal before the first is stored.
    rng = random_moments("storing")
    run_ids: list[str] = []
    for _ in range(max(3, KILLS // 16)):

        def store() -> None:
            with Writer.open(store_url) as writer:
                feed = Feed(writer, new_run(writer, name="stores").run_id)
                feed.points("loss", np.arange(20_000.0))
                log_values(feed, VALUES)
                writer.update_run(feed.journal.info.run_id, {"name": "ready"})
                feed.end()
                signal.pause()

        child = forked(store)
        assert wait_for_names(store_url, len(run_ids) + 1)
        kill_after(child, rng.random() * 0.1)
        with Reader.open(store_url) as reader:
            run_ids = [run.run_id for run in reader.runs()]
    recover_all(store_url)
    with Reader.open(store_url) as reader:
        assert verify(reader).faults == ()
        for run_id in run_ids:
            points = reader.points(series_of(reader, run_id, "loss"))
            np.testing.assert_array_equal(points.last, np.arange(20_000.0))
            for name in ("weights", "words"):
                assert [r.step for r in reader.records(series_of(reader, run_id, name))] == list(VALUES)


def wait_for_names(store: str, count: int) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with Reader.open(store) as reader:
                if [run.name for run in reader.runs()].count("ready") == count:
                    return True
        except stepscope.StepscopeError:
            pass
    return False


def killed_before_change(number: int, work: Callable[[], None]) -> bool:
    """Run `work` in a child that is killed just before its n-th rename or removal of a file or folder."""
    left = [number]

    def watch(event: str, _: object) -> None:
        if event in ("os.rename", "os.remove", "os.rmdir"):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def watched() -> None:
        sys.addaudithook(watch)
        work()

    return os.waitpid(forked(watched), 0)[1] == signal.SIGKILL


def test_killed_at_every_step_of_removing_a_journal(store_url: str) -> None:
    run_ids: list[str] = []
    number = 0
    while True:
        run_ids += leave_journals(store_url, 1, 500, FEW)
        if not killed_before_change(number, lambda: recover(store_url)):
            break
        number += 1
    assert number > 4, "a folder, its lock, its description and three segments"
    check_left(store_url, run_ids, 500, FEW)
    assert list(Path(f"{store_url}.spool").iterdir()) == []


def test_a_removal_that_was_killed_is_ended_by_the_next(store_url: str) -> None:
    run_ids = leave_journals(store_url, 1, 500, FEW)
    assert killed_before_change(2, lambda: recover(store_url))
    (rest,) = Path(f"{store_url}.spool").iterdir()
    assert rest.suffix == ".done"
    assert not journals_left(store_url) or rest.is_dir()
    recover(store_url)
    assert not rest.exists()
    check_left(store_url, run_ids, 500, FEW)
