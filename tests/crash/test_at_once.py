"""Eight processes that begin at the same moment, in a store that is not there yet or is an old one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import stepscope
from feed import series_of
from killed import KILLS, ended_well, kill_after, random_moments, recover_all
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.verify import verify
from stepscope.storage.write import Writer
from support import ROOT, forked

PROCESSES = 8
POINTS = 2000

pytestmark = [pytest.mark.crash, pytest.mark.timeout(60 + 3 * KILLS)]


def train(store: Path, gate: int) -> None:
    os.read(gate, 1)  # returns in all of them when the parent closes its end
    with stepscope.init(store=store, project="at once") as run:
        for step in range(POINTS):
            run.log({"loss": step / 3}, step=step)
        run.log({"words": stepscope.Text(f"by {os.getpid()}")}, step=0)


def begin(store: Path) -> list[int]:
    """Start trainings that all go on at the same moment."""
    gate, opened = os.pipe()

    def work() -> None:
        os.close(opened)
        train(store, gate)

    children = [forked(work) for _ in range(PROCESSES)]
    os.close(gate)
    os.close(opened)
    return children


@pytest.mark.parametrize("old", [False, True], ids=["a new store", "an old store"])
@pytest.mark.parametrize("round_", range(max(1, KILLS // 40)))
def test_all_of_them_log(tmp_path: Path, old: bool, round_: int) -> None:  # noqa: ARG001
    store = tmp_path / "runs.db"
    if old:
        shutil.copy(ROOT / "tests" / "upgrade_assets" / "schema_001.db", store)
    children = begin(store)
    assert [ended_well(child) for child in children] == [True] * PROCESSES
    recover_all(str(store))
    with Reader.open(store) as reader:
        runs = reader.runs(project="at once")
        assert sorted(run.pid for run in runs) == sorted(children)
        for run in runs:
            assert (run.state, run.dropped) == (RunState.FINISHED, {})
            points = reader.points(series_of(reader, run.run_id, "loss"))
            np.testing.assert_array_equal(points.last, np.arange(POINTS) / 3)
            words = series_of(reader, run.run_id, "words")
            assert reader.load(words, reader.records(words)[0]).text == f"by {run.pid}"


@pytest.mark.parametrize("old", [False, True], ids=["a new store", "an old store"])
def test_some_of_them_are_killed_meanwhile(tmp_path: Path, old: bool) -> None:
    # In the midst of making the tables, or of the upgrade and its backup.
    rng = random_moments(f"at once, old {old}")
    for number in range(max(1, KILLS // 40)):
        store = tmp_path / f"runs{number}.db"
        if old:
            shutil.copy(ROOT / "tests" / "upgrade_assets" / "schema_001.db", store)
        children = begin(store)
        for child in children[: PROCESSES // 2]:
            kill_after(child, rng.random() * 0.1)
        assert [ended_well(child) for child in children[PROCESSES // 2 :]] == [True] * (PROCESSES // 2)
        recover_all(str(store))
        with Reader.open(store) as reader:
            complete = [run for run in reader.runs(project="at once") if run.state is RunState.FINISHED]
            assert {run.pid for run in complete} >= set(children[PROCESSES // 2 :])
            for run in complete:
                assert series_of(reader, run.run_id, "loss").count == POINTS


def test_the_one_that_upgrades_is_killed(tmp_path: Path) -> None:
    rng = random_moments("upgrades")
    store = tmp_path / "runs.db"
    asset = ROOT / "tests" / "upgrade_assets" / "schema_001.db"
    for _ in range(max(3, KILLS // 10)):
        shutil.copy(asset, store)
        for end in ("-wal", "-shm"):
            Path(f"{store}{end}").unlink(missing_ok=True)
        kill_after(forked(lambda: Writer.open(store).close()), rng.random() * 0.1)
        Writer.open(store).close()
        recover_all(str(store))
        with Reader.open(store) as reader:
            assert reader.runs()
            assert verify(reader).faults == ()
