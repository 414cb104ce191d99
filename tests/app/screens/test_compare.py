"""The Compare page, as Streamlit runs it."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stepscope
from made_runs import train
from pages import charts, opened, said
from stepscope.app.screens import compare

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest
    from streamlit.testing.v1.element_tree import TextInput


def words(test: AppTest) -> str:
    return said(test).replace("\\", "")


def headings(test: AppTest) -> list[list[str]]:
    return [list(frame.value.columns) for frame in test.dataframe]


def cells(test: AppTest) -> list[list[str]]:
    return [row for frame in test.dataframe for row in frame.value.astype(str).to_numpy().tolist()]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """A store with a PyTorch and a Keras run, the second worse from epoch 10 on, and their ids."""
    store = str(tmp_path_factory.mktemp("compared") / "store.db")
    keras = {"shift": 0.3, "seed": 1, "config": {"lr": 0.2}}
    return store, [train(store, "torch"), train(store, "keras", "keras", **keras)]


@pytest.fixture
def pair(filled: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of these runs; nobody may change them."""
    monkeypatch.setenv("STEPSCOPE_STORE", filled[0])
    return filled[1]


@pytest.mark.usefixtures("pair")
def test_a_pair_is_compared_over_all_axes() -> None:
    test = opened("compare")
    assert not test.exception
    assert not test.warning
    told = words(test)
    for sentence in (
        "Final accuracy · validation: torch",
        "The curves of accuracy · validation of torch and keras part at epoch 11.",
        "The models of torch and keras are the same layer by layer",
        "Different: 1 of config",
    ):
        assert sentence in told
    assert headings(test)[0][:4] == ["Metric", "Run", "Train", "Validation"]
    assert ["≠", "lr", "0.1", "0.2"] in cells(test)
    assert {alt.split(" of ")[0] for alt in charts(test)} == {
        "loss · validation", "loss · train", "accuracy · validation"
    }  # fmt: skip
    test.segmented_control(key="compare_x").set_value("step").run()
    assert "part at step 110" in words(test)


@pytest.mark.usefixtures("pair")
def test_what_is_the_same_is_shown_on_request() -> None:
    test = opened("compare")
    assert not any("=" in row[0] for row in cells(test))
    test.segmented_control(key="compare_part_control").set_value("Packages").run()
    assert test.query_params["compare_part"] == "Packages"
    assert "are the same for all runs" in words(test)
    test.toggle(key="compare_all").set_value(True).run()
    assert any(row[0] == "=" for row in cells(test))
    assert "are the same for all runs" not in words(test)


def value_input(test: AppTest) -> TextInput:
    (found,) = [one for one in test.text_input if one.label.startswith("Time to a value")]
    return found


def test_the_viewer_picks_baseline_metric_and_value(pair: list[str]) -> None:
    test = opened("compare", baseline=pair[1])
    assert [row[1] for row in cells(test)[:2]] == ["keras", "torch"]
    test.selectbox(key="compare_metric_control").set_value("loss · validation").run()
    value_input(test).set_value("0.5").run()
    assert ["Step", "40", "40"] in cells(test)
    assert test.query_params["compare_metric"] == "loss · validation"
    assert test.query_params["compare_value"] == "0.5"
    for no_number in ("soon", "nan", "-inf"):
        value_input(test).set_value(no_number).run()
        assert f"“{no_number}” is no number" in words(test)
        assert not test.warning
    test.selectbox(key="baseline_control").set_value(pair[0]).run()
    assert test.query_params["baseline"] == pair[0]


def test_programs_stand_beside_each_other(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "keras"):
        script = tmp_path / f"digits_{name}.py"
        script.write_text(f"import {name}\nimport stepscope\n")
        monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
        train(store, name)
    test = opened("compare")
    assert not test.exception
    assert "Lines of code: torch 2, 1 of them Stepscope's; keras 2, 1 of them Stepscope's." in words(test)
    assert ["Script", "digits_torch.py", "digits_keras.py"] in cells(test)
    assert [one.value for one in test.code] == [
        "import torch\nimport stepscope",
        "import keras\nimport stepscope",
    ]


def test_one_run_asks_for_another(store: str) -> None:
    train(store, "alone")
    assert "A comparison needs two runs" in words(opened("compare"))


def test_many_runs_are_compared_up_to_a_limit(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "MOST_RUNS", 3)
    ids: list[str] = []
    for number in range(4):
        with stepscope.init(store=store, name="same", config={"seed": number}) as run:
            run.log({"loss": float(number)})
            ids.append(run.id)
    test = opened("compare", runs=",".join(ids))
    assert not test.exception
    assert "The first 3 of 4 runs are compared" in words(test)
    assert ["loss", "same", "3", "1", "0 to 2"] in cells(test)


def test_runs_with_nothing_in_common(store: str) -> None:
    for name in ("reward", "loss"):
        with stepscope.init(store=store, name=name, config={name: 1}) as run:
            run.log({name: 1.0})
    test = opened("compare")
    assert not test.exception
    assert not test.warning
    assert "No metric of these runs has more than one value." in words(test)
    assert ["≠", "loss", "–", "1"] in cells(test)  # noqa: RUF001


def test_a_baseline_without_a_graph_is_named(store: str) -> None:
    with stepscope.init(store=store, project="made", name="bare") as run:
        run.log({"loss": 1.0})
    train(store, "torch")
    assert "The baseline, bare, has logged no graph" in words(opened("compare"))


def test_groups_are_those_of_the_sidebar(store: str) -> None:
    for number in range(4):
        with stepscope.init(store=store, config={"lr": 0.1 * (1 + number % 2)}) as run:
            run.log({"loss": float(number)})
    told = cells(opened("compare", group_by="config.lr"))
    assert ["loss", "config.lr 0.1", "2", "1", "0 to 2"] in told
    assert ["loss", "config.lr 0.2", "2", "2", "1 to 3"] in told


def test_what_is_broken_is_said_and_the_rest_is_compared(store: str) -> None:
    pair = [train(store, "torch"), train(store, "keras", "keras")]
    with closing(sqlite3.connect(store)) as connection, connection:
        for table, column in (("chunks", "data"), ("records", "payload"), ("tails", "data")):
            connection.execute(f"UPDATE {table} SET {column} = x'00' WHERE run_id = ?", (pair[1],))
    test = opened("compare")
    assert not test.exception
    assert any("run keras cannot be read" in str(one.value).replace("\\", "") for one in test.warning)
    # What is broken all over does not fill the page.
    assert len(test.warning) == compare.MOST_TROUBLES
    assert "more that cannot be read" in test.expander[0].label
    assert headings(test)[0][:3] == ["Metric", "Run", "Train"]


def test_names_that_look_like_code_stay_names(store: str) -> None:
    evil = "<img src=x onerror=alert(1)> ![x](http://evil.example) :red[x]"
    for number in (0, 1):
        with stepscope.init(store=store, name=evil, config={evil: evil * number}, tags=(evil,)) as run:
            for step in range(3):
                run.log({evil: 1.0 + number}, step=step)
    test = opened("compare")
    assert not test.exception
    assert "![" not in said(test).replace("\\!\\[", "")
    assert "<img" not in str(charts(test).values())
    assert all("<img" not in element.proto.body for element in test.get("html"))
