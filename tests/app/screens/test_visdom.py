"""The Visdom page where Visdom's own cannot be had: its windows, drawn by the dashboard."""

from __future__ import annotations

from typing import Any

import pytest

import stepscope
from contracts.filled_store import fill
from pages import charts, opened, said
from stepscope.app.visdom_live.windows import windows
from stepscope.storage.read import Reader
from support import wait_until


@pytest.fixture
def two(store: str) -> list[str]:
    return [fill(store, "alpha"), fill(store, "beta", seed=1)]


def titles(test: Any) -> list[str]:
    found = [str(one.value).replace("\\", "") for one in test.markdown]
    return [one.strip("*") for one in found if one.startswith("**")]


@pytest.mark.usefixtures("two")
def test_it_draws_the_windows_and_says_why() -> None:
    test = opened("vd")
    assert not test.exception
    assert not test.warning
    assert "The dashboard draws these windows itself, instead of Visdom" in said(test)
    drawn = charts(test)
    assert [trace["name"] for trace in drawn["learning_rate"]["data"]] == ["beta · lr", "alpha · lr"]
    assert drawn["weights/fc1 · beta"]["data"][0]["type"] == "bar"
    assert drawn["corner · beta"]["data"][0]["type"] == "mesh3d"
    assert "model · alpha (modules)" in drawn
    assert {"config · beta", "digit · beta", "tone · beta", "film · beta"} <= set(titles(test))
    assert "<script>alert('ä')</script>" in test.code[0].value


@pytest.mark.usefixtures("two")
def test_a_history_has_a_slider_over_its_pictures() -> None:
    test = opened("vd", windows="digit")
    assert set(titles(test)) == {"digit · beta", "digit · alpha"}
    assert "step 7: <digit> 7" in said(test).replace("\\", "")
    test.slider[0].set_value(1).run()
    assert "step 2: <digit> 2" in said(test).replace("\\", "")


@pytest.mark.usefixtures("two")
def test_windows_are_found_by_their_titles_and_shown_page_by_page() -> None:
    first = titles(opened("vd"))
    assert len(first) == 24
    assert "weights/fc1 · alpha" not in first
    assert "weights/fc1 · alpha" in titles(opened("vd", windows="ALPHA"))
    assert "No window has 'nothing' in its title" in said(opened("vd", windows="nothing")).replace("\\", "")


def test_windows_are_made_again_when_a_run_has_logged(store: str) -> None:
    with stepscope.init(store=store, name="live", console=False) as run:
        run.log({"loss": 1.0}, step=0)
        assert run.flush()
        with Reader.open(store) as reader:
            before = windows(reader, [run.id], "one")
            run.log({"accuracy": 0.5}, step=1)
            assert run.flush()
            assert windows(reader, [run.id], "one") is before
            after = windows(reader, [run.id], "two")
            while_it_trains = windows(reader, [run.id], "three", live=True)
            assert wait_until(lambda: windows(reader, [run.id], "four", live=True) is not while_it_trains)
    assert {one["title"] for one in after} - {one["title"] for one in before} == {"accuracy"}


def test_without_runs_there_is_a_welcome(store: str) -> None:
    assert not opened("vd").exception
    assert store
