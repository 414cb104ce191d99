"""The Run page, run as Streamlit runs it; no browser."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

import stepscope
from feed import new_run
from pages import change, components, opened, said
from stepscope.app import store_keeper
from stepscope.app.screens import run as run_screen
from stepscope.app.store_keeper import StoreKeeper
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


def plain(test: AppTest) -> str:
    return said(test).replace("\\", "")


def cells(test: AppTest) -> set[str]:
    return {str(cell) for frame in test.dataframe for cell in frame.value.to_numpy().ravel()}


@pytest.mark.usefixtures("store")
def test_a_failure_is_told_with_its_place() -> None:
    with suppress(ZeroDivisionError), stepscope.init(tags=("first",)) as run:
        run.log({"loss": 1.0})
        raise ZeroDivisionError("of <b>zero</b>")
    test = opened("run")
    assert not test.exception
    told = [str(one.value).replace("\\", "") for one in test.error]
    assert told[0].startswith("**ZeroDivisionError: of <b>zero</b>**")
    assert f"{__file__}, line " in told[0]
    assert any("of <b>zero</b>" in code.value for code in test.code)
    assert f"[Charts](charts?runs={run.id})" in said(test)


def test_an_imported_run_tells_where_it_comes_from_and_repeats_no_error(store: str) -> None:
    with Writer.open(store) as writer:
        environment = {"imported": "TensorBoard: /logs/first"}
        run = new_run(writer, host="box", environment=environment)
        writer.update_run(run.run_id, {"state": RunState.FAILED, "error": "exit code 1"})
    test = opened("run")
    assert not test.exception
    assert "/logs/first" in plain(test)
    assert "box" in plain(test)
    assert "process" not in plain(test)
    assert [one.value for one in test.error] == ["**exit code 1**"]
    assert not test.expander


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("Metrics", {"loss", "0.5"}),
        ("Config", {"optimizer.name", "sgd", "best"}),
        ("Environment", {"python"}),
    ],
)
def test_each_part_shows_what_was_captured(part: str, expected: set[str]) -> None:
    with stepscope.init(config={"optimizer": {"name": "sgd"}}) as run:
        run.log({"loss": 0.5})
        run.summary["best"] = 0.5
    assert expected <= cells(opened("run", part=part))


@pytest.mark.parametrize("part", ["Metrics", "Console", "Artifacts", "Config", "Code"])
def test_a_run_that_logged_nothing_says_so_in_each_part(store: str, part: str) -> None:
    with Writer.open(store) as writer:
        new_run(writer)
    test = opened("run", part=part)
    assert not test.exception
    assert not test.warning


@pytest.mark.usefixtures("store")
def test_console_output_is_searched_and_bars_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with stepscope.init(name="talks"):
        print("val <b>0.98</b>")
        print(" 50%|█████     | 1/2 [00:01<00:01]careful", file=sys.stderr)
    capsys.readouterr()
    (shown,) = components(opened("run", part="Console"), "stepscope_console")
    assert shown["rows"] == [
        [1, "stdout", "val <b>0.98</b>", None],
        [2, "stderr", " 50%|█████     | 1/2 [00:01<00:01]", 0.5],
        [2, "stderr", "careful", None],
    ]
    test = opened("run", part="Console", console_find="CARE")
    (found,) = components(test, "stepscope_console")
    assert (found["rows"], found["find"]) == ([[2, "stderr", "careful", None]], "CARE")
    assert "1 of 2 lines" in plain(test)
    (errors,) = components(opened("run", part="Console", console_stream="stderr"), "stepscope_console")
    assert len(errors["rows"]) == 2


def test_how_far_a_running_run_is(store: str) -> None:
    run = stepscope.init(store=store, config={"epochs": 8})
    try:
        run.log({"epoch": 2, "loss": 1.0}, step=20)
        assert run.flush()
        test = opened("run")
        assert not test.exception
        (bar,) = test.get("progress")
        assert (bar.proto.value, "epoch 2 of 8 · about" in bar.proto.text) == (25, True)
    finally:
        run.finish()
    assert not opened("run").get("progress")


def test_notes_are_written_as_markdown_and_load_nothing(store: str) -> None:
    with stepscope.init(store=store, notes="before ![x](http://evil.example/x.png)"):
        pass
    with store_keeper.serving(StoreKeeper(store)):
        test = opened("run", part="Notes")
        assert "![x]" not in said(test)
        test.button(key="edit_notes").click().run()
        test.text_area[0].set_value("# after")
        test.button(key="save_notes").click().run()
        assert not test.exception
    with Reader.open(store) as reader:
        assert reader.runs()[0].notes == "# after"
    assert "# after" in said(opened("run", part="Notes"))


@pytest.mark.usefixtures("store")
def test_notes_that_cannot_be_kept_say_why() -> None:
    stepscope.init().finish()
    test = opened("run", part="Notes")
    test.button(key="edit_notes").click().run()
    test.button(key="save_notes").click().run()
    assert "Start it with: stepscope ui" in plain(test)
    test.button(key="cancel_notes").click().run()
    assert not test.error


def test_a_long_diff_is_cut_and_says_so(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_screen, "LONGEST_DIFF", 10)
    stepscope.init(store=store).finish()
    git = '{"git": {"commit": "abc", "diff": "0123456789ABCDE"}}'
    change(store, f"UPDATE runs SET environment = '{git}'")
    test = opened("run", part="Code")
    assert [code.value for code in test.code] == ["0123456789"]
    assert "5 more characters are not shown" in said(test)


def test_the_program_stands_below_the_code_and_not_among_the_facts(store: str) -> None:
    stepscope.init(store=store).finish()
    program = '{"program": {"path": "/x/train.py", "text": "lr = 0.1", "truncated": false}, "python": "3"}'
    change(store, f"UPDATE runs SET environment = '{program}'")
    test = opened("run", part="Code")
    assert [code.value for code in test.code] == ["lr = 0.1"]
    assert "The program, /x/train.py" in plain(test)
    assert "lr = 0.1" not in cells(opened("run", part="Environment"))
