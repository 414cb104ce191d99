"""`stepscope runs` and `stepscope show`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from contracts.filled_store import CONFIG, fill
from stepscope.app.cli import main
from stepscope.storage.maintain import archive_run
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], store_url: str) -> Any:
    """Return a function that runs a subcommand on the test's store and returns what it printed."""

    def run(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main([*arguments, "--store", store_url]) == code
        said = capsys.readouterr()
        return said.out if code == 0 else said.err

    return run


def test_runs_are_a_table_with_their_last_values(store_url: str, say: Any) -> None:
    fill(store_url, "first")
    second = fill(store_url, "second", project="other")
    head, newest, oldest = say("runs").splitlines()
    assert head.split()[:6] == ["id", "name", "project", "state", "started", "duration"]
    assert "loss · train" in head
    assert newest.startswith(f"{second}  second  other")
    assert "finished" in oldest
    assert len(say("runs", "--project", "other").splitlines()) == 2


def test_a_store_without_runs_says_so(store_url: str, say: Any) -> None:
    Writer.open(store_url).close()
    assert say("runs") == f"0 runs in {store_url}\n"
    assert json.loads(say("runs", "--json")) == {"store": store_url, "runs": []}


def test_archived_runs_are_listed_when_asked_for(store_url: str, say: Any) -> None:
    kept, hidden = fill(store_url, "kept"), fill(store_url, "hidden")
    with Writer.open(store_url) as writer:
        archive_run(writer, hidden)
    assert hidden not in say("runs")
    everything = say("runs", "--all")
    assert "archived" in everything.splitlines()[0]
    assert hidden in everything
    assert kept in everything


def test_runs_as_json_tell_all_that_is_known(store_url: str, say: Any) -> None:
    run_id = fill(store_url)
    (run,) = json.loads(say("runs", "--json"))["runs"]
    assert run["run_id"] == run_id
    assert run["config"] == CONFIG
    assert run["state"] == "finished"
    assert run["duration"] > 0
    assert run["last_values"]["both"] == 1.5
    assert "train/loss [rank=1]" in run["last_values"]


def test_runs_can_be_filtered(store_url: str, say: Any) -> None:
    fill(store_url)
    with stepscope.init(project="p", name="hot", config={"lr": 10.0}, store=store_url) as run:
        run.log({"loss": float("nan")})
    (found,) = json.loads(say("runs", "--json", "--filter", "config.lr > 1"))["runs"]
    assert found["name"] == "hot"
    assert found["last_values"] == {"loss": "NaN"}  # JSON has no NaN
    assert "lrr" in say("runs", "--filter", "lrr > 1", code=1)


def test_one_run_is_shown_with_everything(store_url: str, say: Any) -> None:
    run_id = fill(store_url)
    with stepscope.init(resume=run_id, store=store_url) as run:
        run.log({"train/loss": 0.25}, step=50)
    shown = say("show", "baseline")
    for part in (run_id, "optimizer.name", "sgd", "attempts", "train/loss [rank=1]", "histogram", "size"):
        assert part in shown
    line = next(line for line in shown.splitlines() if line.startswith("odd "))
    assert line.split() == ["odd", "scalar", "4", "3", "1e+300", "1e+300", "1e+300", "3"]
    assert "environment" in shown
    assert "packages" not in shown


def test_one_run_as_json(store_url: str, say: Any) -> None:
    run_id = fill(store_url)
    found = json.loads(say("show", run_id[:5].lower(), "--json"))
    assert set(found) == {"store", "run", "attempts", "series", "size", "alerts"}
    assert found["run"]["run_id"] == run_id
    assert "numpy" in found["run"]["environment"]["packages"]
    with Reader.open(store_url) as reader:
        assert len(found["series"]) == len(reader.series(run_id))
    odd = next(one for one in found["series"] if one["name"] == "odd")
    assert (odd["count"], odd["nan_count"], odd["label"], odd["kind"]) == (4, 1, "odd", "scalar")
    assert found["size"]["total_bytes"] == found["size"]["database_bytes"] + found["size"]["file_bytes"]
    assert found["attempts"][0]["attempt"] == 0


def test_what_was_dropped_and_why_is_shown(store_url: str, say: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STRICT", "0")
    with stepscope.init(project="p", name="odd", store=store_url) as run:
        run.log({"loss": np.zeros((2, 2), dtype=object)})
    shown = say("show", "odd")
    assert "value was not stored" in shown or "values were not stored" in shown
    assert json.loads(say("show", "odd", "--json"))["run"]["dropped"]


def test_a_run_that_is_not_there_is_said(store_url: str, say: Any) -> None:
    fill(store_url)
    assert "nobody" in say("show", "nobody", code=1)


def test_the_program_is_named_but_not_printed(
    store_url: str, say: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "train.py"
    script.write_text("secret_of_mine = 1\n")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    stepscope.init(name="scripted", store=store_url).finish()
    shown = say("show", "scripted")
    assert str(script.resolve()) in shown
    assert "process.peak_memory_gb" in shown
    assert "secret_of_mine" not in shown
