"""`stepscope artifacts` and `stepscope get`; alerts in `stepscope show`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stepscope
from stepscope.app.cli import main


@pytest.fixture
def filled(store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    (tmp_path / "words.txt").write_text("a b")
    with stepscope.init(store=store_url, project="p", name="maker") as run:
        run.alert("too warm", level="info", step=3)
        run.log_artifact(tmp_path / "words.txt", "words", type="dataset", aliases=["best"])
    capsys.readouterr()
    return store_url


def test_artifacts_are_listed_and_written(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["artifacts", "--store", filled]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["project", "artifact", "aliases", "type"]
    assert line.startswith("p        words:v0  best, latest  dataset")
    to = str(tmp_path / "there")
    assert main(["get", "words:best", "--project", "p", "--to", to, "--store", filled]) == 0
    assert Path(capsys.readouterr().out.strip()).read_text() == "a b"
    assert main(["get", "words", "--project", "p", "--to", to, "--store", filled]) == 1
    assert "needs a new or an empty folder" in capsys.readouterr().err
    assert main(["get", "word", "--store", filled]) == 1
    assert "project 'default'" in capsys.readouterr().err


def test_the_json_tells_all_of_it(filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["artifacts", "--project", "p", "--json", "--store", filled]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["artifacts"]
    assert (listed["version"], listed["files"][0]["path"], listed["size"]) == ("v0", "words.txt", 3)
    arguments = [
        "get",
        "words",
        "--project",
        "p",
        "--to",
        str(tmp_path / "there"),
        "--json",
        "--store",
        filled,
    ]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["artifact"] == listed
    assert main(["show", "maker", "--json", "--store", filled]) == 0
    (alert,) = json.loads(capsys.readouterr().out)["alerts"]
    assert (alert["title"], alert["level"], alert["step"]) == ("too warm", "info", 3)
    assert main(["show", "maker", "--store", filled]) == 0
    assert "info      3  too warm" in capsys.readouterr().out


def test_a_store_without_artifacts_says_so(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    stepscope.init(store=store_url).finish()
    assert main(["artifacts", "--store", store_url]) == 0
    assert capsys.readouterr().out == "no artifacts\n"
