"""What the dashboard does to runs, and what it says of it."""

from __future__ import annotations

from collections.abc import Generator

import pytest

import stepscope
from contracts.filled_store import fill
from stepscope.app import jobs, run_actions, store_keeper
from stepscope.app.jobs import Job, Jobs
from stepscope.app.store_keeper import StoreKeeper
from stepscope.storage.errors import BadInput, RunNotFound, StepscopeError
from stepscope.storage.model import Run
from stepscope.storage.read import Reader
from support import wait_until


@pytest.fixture
def store(store_url: str) -> Generator[str]:
    stepscope.init(store=store_url, name="first", tags=("old",)).finish()
    with store_keeper.serving(StoreKeeper(store_url)), jobs.serving(Jobs()):
        yield store_url


def runs(store: str) -> dict[str, Run]:
    with Reader.open(store) as reader:
        return {run.name: run for run in reader.runs(archived=True)}


def named(store: str, *names: str) -> dict[str, str]:
    found = runs(store)
    return {found[name].run_id: name for name in names}


def ended(job: Job) -> Job:
    wait_until(lambda: job.ended, what="the job")
    return job


def test_a_run_is_renamed_noted_and_tagged_and_nothing_else_of_it_changes(store: str) -> None:
    before = runs(store)["first"]
    assert run_actions.rename(before.run_id, " better ") == "The run is now called better."
    assert run_actions.note(before.run_id, "# why\n<b>x</b>") == "The note is kept."
    done = run_actions.tag({before.run_id: "better"}, ["new", " new "], ["old", "unknown"])
    assert done == "1 run tagged."
    after = runs(store)["better"]
    assert (after.notes, after.tags) == ("# why\n<b>x</b>", ("new",))
    for field in ("state", "finished_at", "duration", "config", "created_at", "archived_at"):
        assert getattr(after, field) == getattr(before, field)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (
            lambda run_id: run_actions.rename(run_id, "  "),
            "a run's name has at least one letter, but '' was given",
        ),
        (
            lambda run_id: run_actions.tag({run_id: "first"}, [" "], []),
            "0 runs changed, but not first. Of first: a tag",
        ),
        (lambda run_id: run_actions.restore({run_id: "first"}), "Of first: run .* is not archived"),
    ],
)
def test_what_is_refused_is_told_in_a_sentence(store: str, action: object, told: str) -> None:
    (run_id,) = named(store, "first")
    assert callable(action)
    with pytest.raises(BadInput, match=told):
        action(run_id)
    assert runs(store)["first"].tags == ("old",)


def test_a_run_that_is_gone_costs_the_others_nothing(store: str) -> None:
    (run_id,) = named(store, "first")
    with pytest.raises(BadInput, match=r"1 run changed, but not gone\. Of gone: there is no run 'NONE'"):
        run_actions.tag({"NONE": "gone", run_id: "first"}, ["x"], [])
    assert runs(store)["first"].tags == ("old", "x")
    with pytest.raises(RunNotFound, match="there is no run 'NONE'"):
        run_actions.rename("NONE", "x")


def test_runs_are_archived_and_come_back(store: str) -> None:
    names = named(store, "first")
    assert run_actions.archive(names).startswith("1 run archived.")
    assert runs(store)["first"].archived_at is not None
    assert run_actions.restore(names) == "1 run restored."
    assert runs(store)["first"].archived_at is None


def test_many_runs_are_deleted_as_a_job_and_what_still_trains_stays(store: str) -> None:
    for number in range(8):
        stepscope.init(store=store, name=f"n{number}").finish()
    fill(store, "kept")
    doomed = named(store, *(f"n{number}" for number in range(8)))
    with stepscope.init(store=store, name="trains") as run:
        run.log({"loss": 1.0}, step=0)
        job = ended(run_actions.delete({**doomed, run.id: "trains", "NONE": "gone"}))
        assert job.title == "Delete n0, n1, n2, n3, n4 and 5 other runs"
        assert job.error == "trains is still running and is not deleted. End the training, then delete again."
        run.log({"loss": 0.5}, step=1)
    found = runs(store)
    assert set(found) == {"first", "kept", "trains"}
    with stepscope.open(store) as reader:
        assert reader.run("trains").scalars("loss")["step"].tolist() == [0, 1]
        assert len(reader.run("kept").scalars("lr")) == 12


def test_without_a_dashboard_nothing_is_changed(store_url: str) -> None:
    with pytest.raises(StepscopeError, match="changed through the dashboard only"):
        run_actions.rename("X", "y")
    with pytest.raises(StepscopeError, match="changed through the dashboard only"):
        run_actions.delete({"X": store_url})
