"""`stepscope import` and the choice of runs of `stepscope export`, as they are typed."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import stepscope
from made_source import MadePart, MadeSource
from stepscope.app.cli import main
from stepscope.app.commands import import_runs
from stepscope.storage.errors import BadInput
from stepscope.storage.read import Reader
from stepscope.trackers.sources.base import FoundRun
from support import ROOT, wait_until

FOLLOWING = """
import sys
sys.path.insert(0, "tests")
from made_source import MadePart, MadeSource
from stepscope.app.commands import import_runs
from stepscope.app.cli import main
import_runs.open_source = lambda what, place: MadeSource({"first": [MadePart("a", 5)]})
sys.exit(main(["import", "mlflow", "mlruns", "--store", sys.argv[1], *sys.argv[2:]]))
"""


def typed(monkeypatch: pytest.MonkeyPatch, source: MadeSource, *words: str) -> int:
    """Import from a source that was made, in place of MLflow's."""
    monkeypatch.setattr(import_runs, "open_source", lambda _what, _place: source)
    return main(["import", "mlflow", "mlruns", *words])


def test_it_says_what_came_and_what_comes_next(
    store_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = MadePart("a", 2500, problems={3: "a: 7 bytes at 3\nare damaged."})
    source = MadeSource({"first": [torn], "second": [MadePart("a", 5)]}, piece=1000)
    assert typed(monkeypatch, source, "--store", store_url, "--project", "mine") == 0
    said = capsys.readouterr()
    assert said.err == "Note: a: 7 bytes at 3 are damaged.\n"
    assert said.out.splitlines() == [
        "Made: 2 runs in mlruns: 2 new.",
        f"Imported 2,505 points and 4 other values into {store_url}.",
        f"Look at it: stepscope ui --store {store_url}",
    ]
    source.made["first"][0].count = 2600
    assert typed(monkeypatch, source, "--store", store_url) == 0
    assert "2 runs in mlruns: 1 changed, 1 as before." in capsys.readouterr().out
    assert typed(monkeypatch, source, "--store", store_url) == 0
    assert "Imported no new values into" in capsys.readouterr().out


def test_json_has_the_keys_of_the_guide(
    store_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MadeSource({"first": [MadePart("a", 25)]})
    assert typed(monkeypatch, source, "--store", store_url, "--json") == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    page = (ROOT / "docs" / "guide" / "commands.md").read_text()
    section = page.partition("\n### import\n")[2].partition("\n#")[0].partition("\nJSON:")[2]
    assert set(printed) == set(re.findall(r"`(\w+)`", section))
    assert (printed["new"], printed["points"], printed["done"], printed["total"]) == (1, 25, 25, 25)


def test_it_fails_when_nothing_can_come(
    store_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stepscope.init(store=store_url, name="first")
    run.finish()
    source = MadeSource({"first": [MadePart("a", 25)]}, run_id=run.id)
    assert typed(monkeypatch, source, "--store", store_url) == 1
    assert "delete it first: stepscope rm" in capsys.readouterr().err


def test_a_place_without_runs_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "mlflow", str(tmp_path / "none"), "--store", str(tmp_path / "s.db")]) == 1
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith("stepscope: expected MLflow's mlruns/")


def test_whoever_follows_may_begin_before_there_is_anything(
    store_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(MadeSource):
        def runs(self) -> Sequence[FoundRun]:
            with Reader.open(store_url) as reader:
                if reader.runs():
                    signal.raise_signal(signal.SIGINT)
            return super().runs()

    def opened(what: str, place: str) -> MadeSource:
        if next(looks, None) is not None:
            raise BadInput(f"expected {what} at {place}, but there is no such folder.")
        return Interrupted({"first": [MadePart("a", 5)]})

    looks = iter(range(2))
    monkeypatch.setattr(import_runs, "open_source", opened)
    monkeypatch.setattr(import_runs, "LOOK_SECONDS", 0.01)
    assert main(["import", "mlflow", "mlruns", "--follow", "--store", store_url]) == 0
    said = capsys.readouterr()
    assert said.err == "Note: expected mlflow at mlruns, but there is no such folder. It is waited for.\n"
    assert "Imported 5 points" in said.out


def test_it_fails_when_nothing_of_it_can_be_read(
    store_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MadeSource({}, problems=["a.log does not say what run it is of."])
    assert typed(monkeypatch, source, "--store", store_url) == 1
    assert "a.log does not say what run it is of" in capsys.readouterr().err


def test_ctrl_c_ends_what_follows(store_url: str) -> None:
    command = [sys.executable, "-c", FOLLOWING, store_url, "--follow"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def came() -> bool:
        if not Path(store_url).exists():
            return False
        try:
            with Reader.open(store_url) as reader:
                return bool(reader.runs() and reader.series(reader.runs()[0].run_id))
        except stepscope.StepscopeError:
            return False

    try:
        wait_until(came)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, said.splitlines()[0]) == (0, "Made: 1 run in mlruns: 1 new.")


def test_a_terminal_gets_a_bar_and_a_log_does_not(store_url: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", FOLLOWING, store_url], cwd=ROOT, stdout=out, stderr=theirs
        )
        os.close(theirs)
        shown = _all_of(ours)
        assert process.wait(30) == 0
    assert "6 values " not in (tmp_path / "out").read_text()
    assert re.search(r"1 run, 6 values\s+\d+%", shown)


def _all_of(terminal: int) -> str:
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode()
        parts.append(part)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--all"], 3),
        (["--project", "a"], 2),
        (["--project", "a", "--filter", "lr < 1"], 1),
        (["two", "one"], 2),
    ],
)
def test_an_export_takes_runs_by_name_by_choice_or_all(
    store_url: str, tmp_path: Path, words: list[str], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, project, lr in (("one", "a", 0.5), ("two", "a", 2.0), ("three", "b", 0.5)):
        with stepscope.init(store=store_url, name=name, project=project, config={"lr": lr}) as run:
            run.log({"loss": lr}, step=0)
    assert main(["archive", "--store", store_url, "three"]) == 0
    capsys.readouterr()
    assert main(["export", "csv", *words, "--to", str(tmp_path / "out"), "--store", store_url]) == 0
    assert capsys.readouterr().out.startswith(
        f"Exported {count} runs with" if count > 1 else "Exported 1 run"
    )


def test_an_export_of_a_project_that_is_not_there(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stepscope.init(store=store_url, project="digits").finish()
    words = ["--project", "digit", "--to", str(tmp_path), "--store", store_url]
    assert main(["export", "csv", *words]) == 1
    assert "there is no project 'digit'. Near names: 'digits'" in capsys.readouterr().err
