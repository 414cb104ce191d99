"""`stepscope rename`, `archive`, `restore` and `rm`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from contracts.filled_store import fill
from feed import Feed, new_run
from stepscope.app.cli import main
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer


class Terminal(io.StringIO):
    """Standard input of a person who types."""

    def isatty(self) -> bool:
        return True


def names(store_url: str) -> list[str]:
    with Reader.open(store_url) as reader:
        return sorted(run.name for run in reader.runs())


def test_a_run_is_renamed(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = fill(store_url, "first")
    assert main(["rename", "first", "second", "--store", store_url]) == 0
    assert capsys.readouterr().out == f"{run_id} is now called second\n"
    assert main(["rename", run_id[:4], "third", "--store", store_url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run_id": run_id, "name": "third", "old_name": "second"}
    assert names(store_url) == ["third"]
    assert main(["rename", "third", "", "--store", store_url]) == 1
    assert "a run's name has at least one letter" in capsys.readouterr().err


def test_runs_are_archived_and_restored(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = fill(store_url, "first"), fill(store_url, "second")
    assert main(["archive", "first", second, first, "--store", store_url]) == 0
    assert capsys.readouterr().out == f"{first} (first) is archived\n{second} (second) is archived\n"
    assert names(store_url) == []
    assert main(["archive", "first", "--store", store_url]) == 1
    assert "is archived already" in capsys.readouterr().err
    assert main(["restore", "first", "--store", store_url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": [{"run_id": first, "name": "first"}]}
    assert names(store_url) == ["first"]


def test_deleting_asks_first(
    store_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = fill(store_url, "first")
    fill(store_url, "second")
    for answer in ("n\n", "\n", ""):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert main(["rm", "first", "--store", store_url]) == 1
        said = capsys.readouterr()
        assert f"{run_id}  digits: first, finished" in said.err
        assert "Delete 1 run for good? [y/N] Nothing was deleted" in said.err
    assert names(store_url) == ["first", "second"]
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert main(["rm", "first", "--store", store_url]) == 0
    assert f"{run_id} (first) is deleted: " in capsys.readouterr().out
    assert names(store_url) == ["second"]


def test_nobody_to_ask_needs_yes(
    store_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = fill(store_url, "first")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["rm", "first", "--store", store_url]) == 1
    assert "nobody can answer here. Pass --yes to delete at once" in capsys.readouterr().err
    assert main(["rm", "first", "--yes", "--json", "--store", store_url]) == 0
    (deleted,) = json.loads(capsys.readouterr().out)["deleted"]
    assert deleted["run_id"] == run_id
    assert deleted["database_bytes"] > 0
    assert names(store_url) == []


def test_a_living_run_needs_force(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Writer.open(store_url) as writer:
        run = new_run(writer, name="alive")
        feed = Feed(writer, run.run_id)
        feed.points("loss", [1.0])
        feed.store()
        assert main(["rm", "alive", "--yes", "--store", store_url]) == 1
        assert "is still running" in capsys.readouterr().err
        assert main(["rm", "alive", "--yes", "--force", "--store", store_url]) == 0
        assert names(store_url) == []
        feed.journal.close()


@pytest.mark.parametrize("verb", ["rename", "archive", "restore", "rm"])
def test_a_store_that_is_not_there_is_not_made(
    verb: str, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["name"] if verb == "rename" else []
    assert main([verb, "run", *more, "--store", store_url]) == 1
    assert "there is no store at" in capsys.readouterr().err
    assert not Path(store_url).exists()
