"""Several ranks, one run: whoever comes first, however they were launched."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from stepscope.storage.model import Run as StoredRun
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.trackers import distributed
from stepscope.trackers.distributed import Place, find_place
from support import forked, wait_until

TORCHRUN = {
    "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0",
}  # fmt: skip


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget how the tests themselves were launched."""
    for name in [
        name for name in os.environ if name.startswith(("SLURM_", "OMPI_", "PMI", "RANK", "WORLD_"))
    ]:
        monkeypatch.delenv(name)


def as_rank(rank: int, work: Callable[[], object], environ: Mapping[str, str] = TORCHRUN) -> int:
    """Start a process of a launch; this process is the launcher."""

    def do() -> None:
        os.environ.update(environ, RANK=str(rank), LOCAL_RANK=str(rank))
        work()

    return forked(do)


def at_once(ranks: Iterable[int], work: Callable[[], object], environ: Mapping[str, str] = TORCHRUN) -> None:
    """Let all ranks begin together, once the last of them is there.

    A run that ended before a process began is one of an earlier launch, and these runs are short.
    """
    reading, writing = os.pipe()

    def do() -> None:
        os.close(writing)
        os.read(reading, 1)  # returns when nobody can write any more
        work()

    children = [as_rank(rank, do, environ) for rank in ranks]
    os.close(writing)
    os.close(reading)
    wait_for(*children)


def in_turn(folder: Path, order: tuple[int, ...], work: Callable[[], object]) -> None:
    """Start all ranks at once, as launchers do, and let one work after the other."""

    def begin(place: int) -> Callable[[], object]:
        def do() -> None:
            wait_until(lambda: place == 0 or (folder / f"{place - 1}.done").exists())
            work()
            (folder / f"{place}.done").touch()

        return do

    wait_for(*(as_rank(rank, begin(place)) for place, rank in enumerate(order)))


def wait_for(*children: int) -> None:
    codes = {child: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
    assert set(codes.values()) == {0}


def log_some(store: str, steps: int = 3) -> None:
    rank = int(os.environ["RANK"])
    with stepscope.init(store=store, name="both", config={"by": rank}) as run:
        assert run.rank == rank
        for step in range(steps):
            run.log({"loss": rank + step / 10}, step=step)
        run.log({"acc": 1.0}, step=0, context={"split": "val"})


def contexts(store: str, run: StoredRun, name: str = "loss") -> list[dict[str, Any]]:
    with Reader.open(store) as reader:
        found = [dict(one.context) for one in reader.series(run.run_id, name=name)]
    return sorted(found, key=lambda context: context["rank"])


def only_run(store: str) -> StoredRun:
    with Reader.open(store) as reader:
        (run,) = reader.runs()
        return run


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_ranks_are_one_run_whoever_is_first(
    store_url: str, tmp_path: Path, order: tuple[int, int]
) -> None:
    in_turn(tmp_path, order, lambda: log_some(store_url))
    run = only_run(store_url)
    assert (run.name, run.state, dict(run.config)) == ("both", RunState.FINISHED, {"by": 0})
    assert contexts(store_url, run) == [{"rank": 0}, {"rank": 1}]
    assert contexts(store_url, run, "acc") == [{"rank": 0, "split": "val"}, {"rank": 1, "split": "val"}]
    with stepscope.open(store_url) as store:
        (told,) = store.runs()
        np.testing.assert_array_equal(told.scalars("loss")["value"], [0.0, 0.1, 0.2])
        np.testing.assert_array_equal(told.scalars("loss", context={"rank": 1})["value"], [1.0, 1.1, 1.2])
        assert told.last["loss"] == 0.2


def test_ranks_that_come_at_once(each_store_url: str) -> None:
    four = {**TORCHRUN, "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4"}
    at_once(range(4), lambda: log_some(each_store_url), four)
    assert [one["rank"] for one in contexts(each_store_url, only_run(each_store_url))] == [0, 1, 2, 3]


def test_a_launch_after_the_other_is_another_run(store_url: str) -> None:
    for _ in range(2):
        at_once((0, 1), lambda: log_some(store_url))
    with Reader.open(store_url) as reader:
        runs = reader.runs()
    assert len(runs) == 2
    assert all(len(contexts(store_url, run)) == 2 for run in runs)


def test_a_rank_that_ends_leaves_the_run_open(store_url: str) -> None:
    begun, released = Path(store_url).with_suffix(".begun"), Path(store_url).with_suffix(".released")

    def stay() -> None:
        with stepscope.init(store=store_url):
            begun.touch()
            wait_until(released.exists)

    first = as_rank(0, stay)
    wait_until(begun.exists)
    wait_for(as_rank(1, lambda: log_some(store_url)))
    run = only_run(store_url)
    assert run.state is RunState.RUNNING
    assert contexts(store_url, run) == [{"rank": 1}]
    released.touch()
    wait_for(first)
    assert only_run(store_url).state is RunState.FINISHED


def _count(store: str) -> int:
    with Reader.open(store) as reader:
        return len(reader.runs())


def test_two_jobs_at_once_on_one_machine(store_url: str) -> None:
    # Each launcher is a process of its own, and both tell their ranks the same words.
    def launch() -> None:
        at_once((1, 0), lambda: log_some(store_url))

    wait_for(forked(launch), forked(launch))
    with Reader.open(store_url) as reader:
        runs = reader.runs()
    assert len(runs) == 2
    assert all(contexts(store_url, run) == [{"rank": 0}, {"rank": 1}] for run in runs)


def test_two_that_both_are_rank_0_are_two_runs(store_url: str) -> None:
    # As two programs in one batch script of Slurm, which is rank 0 itself.
    slurm = {"SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_JOB_ID": "7"}

    def work() -> None:
        del os.environ["RANK"]
        with stepscope.init(store=store_url) as run:
            run.log({"loss": 1.0})

    wait_for(as_rank(0, work, slurm), as_rank(0, work, slurm))
    assert _count(store_url) == 2


def test_a_second_run_of_one_program_is_another_one(store_url: str) -> None:
    def twice() -> None:
        log_some(store_url)
        log_some(store_url)

    at_once((0, 1), twice)
    with Reader.open(store_url) as reader:
        assert [len(contexts(store_url, run)) for run in reader.runs()] == [2, 2]


def test_ranks_resume_one_run_together(store_url: str) -> None:
    at_once((0, 1), lambda: log_some(store_url))

    def go_on() -> None:
        with stepscope.init(store=store_url, resume="both") as run:
            run.log({"loss": 5.0 + run.rank}, step=1)

    at_once((1, 0), go_on)
    run = only_run(store_url)
    assert (run.attempt, run.state) == (1, RunState.FINISHED)
    with stepscope.open(store_url) as store:
        told = store.run("both")
        for rank in (0, 1):
            np.testing.assert_array_equal(
                told.scalars("loss", context={"rank": rank})["value"], [rank, 5.0 + rank]
            )


def test_what_the_run_is_rank_0_says(store_url: str, tmp_path: Path) -> None:
    def work() -> None:
        with stepscope.init(store=store_url) as run:
            run.config["rank"] = run.rank
            run.set_tags(f"by {run.rank}")
            run.log({"loss": 1.0})

    in_turn(tmp_path, (0, 1), work)
    run = only_run(store_url)
    assert (dict(run.config), run.tags) == ({"rank": 0}, ("by 0",))


def tf_config(task: str) -> str:
    cluster = {"chief": ["a:1"], "worker": ["b:1"], "ps": ["c:1"]}
    return json.dumps({"cluster": cluster, "task": {"type": task, "index": 0}})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "0"}, (1, 4, 0)),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "8", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "7"}, (3, 8, 1)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "1"}, None),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "3"}, (2, 3, None)),
        ({"PMI_RANK": "0", "PMI_SIZE": "2"}, (0, 2, None)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, None),
        ({"RANK": "one", "WORLD_SIZE": "2"}, None),
        ({"RANK": "5", "WORLD_SIZE": "2"}, None),
        ({"TF_CONFIG": tf_config("worker")}, (1, 2, None)),
        ({"TF_CONFIG": tf_config("ps")}, None),
        ({"TF_CONFIG": "none"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_where_a_process_stands(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: tuple[int, int, int | None] | None
) -> None:
    monkeypatch.setattr(distributed, "_torch_distributed", lambda: None)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    place = find_place()
    assert (place and (place.rank, place.size, place.local_rank)) == expected


def launched(environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as patch:
        patch.setattr(distributed, "_torch_distributed", lambda: None)
        patch.setattr(distributed, "_inits", iter([0]))
        for name, value in environ.items():
            patch.setenv(name, value)
        place = find_place()
    assert place is not None
    return place.run_id(0)


@pytest.mark.parametrize("change", ["SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT", "MASTER_PORT"])
def test_another_job_is_another_run(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    step = {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}
    same = [
        launched({**step, "SLURM_PROCID": rank, "SLURMD_NODENAME": f"n{rank}"}, monkeypatch) for rank in "01"
    ]
    assert same[0] == same[1]
    assert len(same[0]) == 10
    assert launched({**step, change: "9"}, monkeypatch) != same[0]


def test_an_earlier_launch_is_stepped_over() -> None:
    place, now = Place(1, 2, 1, "some launch"), time.time()
    run = StoredRun("0123456789", "p", "n", RunState.RUNNING, now, now)
    assert place.is_ours(run)
    began = distributed.process_began()
    other = {
        "ended before": {"state": RunState.FINISHED, "finished_at": began - 1},
        "long ago": {"created_at": began - 100},
        "its process is gone": {"host": os.uname().nodename, "pid": 2**22 + 1},
        "killed": {"state": RunState.KILLED},
    }
    for why, facts in other.items():
        assert not place.is_ours(StoredRun(**{**run.to_json(), **facts})), why
    assert len({place.run_id(generation) for generation in range(100)}) == 100
