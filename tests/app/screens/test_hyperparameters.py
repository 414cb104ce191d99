"""The Hyperparameters page, run as Streamlit runs it; no browser."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

import stepscope
from pages import charts, opened, said
from stepscope.app.analysis.trials import column_of
from stepscope.app.views.parallel import figure, ranks

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """Return a store with nine trials and their ids, made once: no test changes it."""
    store_url = str(tmp_path_factory.mktemp("sweep") / "stepscope.db")
    ids: list[str] = []
    for number in range(9):
        config = {"lr": 10.0 ** -(1 + number % 4), "norm": "ab"[number % 2], "epochs": 1}
        with stepscope.init(store=store_url, name=f"trial {number}", config=config, console=False) as run:
            run.log({"val/loss": 1.0 + number, "val/acc": number / 10, "late": math.nan}, step=0)
            ids.append(run.id)
    return store_url, ids


@pytest.fixture
def sweep(made: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("STEPSCOPE_STORE", made[0])
    return made[1]


def parallel(test: AppTest) -> dict[str, Any]:
    (drawn,) = [
        json.loads(one.proto.bytes)
        for one in test.get("bidi_component")
        if one.proto.component_name == "stepscope_parallel"
    ]
    return drawn


@pytest.mark.usefixtures("sweep")
def test_axes_best_runs_and_importance_of_all_runs() -> None:
    test = opened("hyperparameters")
    assert not test.exception
    drawn = parallel(test)
    assert [axis["name"] for axis in drawn["axes"]] == ["lr", "norm", "loss · validation (min)"]
    assert [axis["log"] for axis in drawn["axes"]] == [True, False, False]
    assert drawn["axes"][1]["ticks"] == [[0.0, "a"], [1.0, "b"]]
    assert drawn["names"][0] == "trial 8"
    assert drawn["alt"] == "Parallel coordinates of 2 settings and loss · validation (min) of 9 runs"
    table = test.dataframe[0].value
    assert table["Run"].tolist()[:2] == ["trial 0", "trial 1"]
    assert "Importance of each setting for loss · validation (min)" in charts(test)
    assert "From 9 runs" in said(test)
    assert "the same in all: epochs\\=1" in said(test)


@pytest.mark.usefixtures("sweep")
def test_the_metric_decides_which_end_is_best_and_the_viewer_may_differ() -> None:
    test = opened("hyperparameters", aim="accuracy · validation")
    assert test.dataframe[0].value["Run"].tolist()[0] == "trial 8"
    assert "blue is best (highest)" in said(test)
    test.segmented_control(key="aim_best").set_value("lowest").run()
    assert test.dataframe[0].value["Run"].tolist()[0] == "trial 0"
    assert parallel(test)["axes"][-1]["name"] == "accuracy · validation (min)"
    test.segmented_control(key="aim_value").set_value("last").run()
    assert parallel(test)["axes"][-1]["name"] == "accuracy · validation (last)"


def test_ranges_of_the_address_keep_runs_and_can_be_cleared(sweep: list[str]) -> None:
    brushes = json.dumps(
        [
            json.dumps(["lr", -2.5, 0.0]),
            json.dumps(["gone", 1, 0]),
            "nonsense",
            "[1]",
            '["lr",NaN,1]',
            '["lr",0,1e999]',
        ]
    )
    test = opened("hyperparameters", brushes=brushes, runs=sweep[0])
    assert test.dataframe[0].value["Run"].tolist() == ["trial 0", "trial 1", "trial 4", "trial 5", "trial 8"]
    assert parallel(test)["brushes"] == {"gone": [0, 1], "lr": [-2.5, 0]}
    assert set(parallel(test)["chosen"]) == {sweep[0]}
    (clear,) = [one for one in test.button if one.label == "Clear ranges"]
    clear.click().run()
    assert len(test.dataframe[0].value) == 9
    assert "brushes" not in test.query_params


def test_the_best_runs_are_chosen_for_all_pages(sweep: list[str]) -> None:
    test = opened("hyperparameters", find="trial")
    (choose,) = [one for one in test.button if one.label == "Choose the best 9"]
    choose.click().run()
    assert test.query_params["runs"] == [",".join(sweep)] or test.query_params["runs"] == ",".join(sweep)


def test_settings_and_runs_of_the_viewers_choice_and_a_scatter_matrix(sweep: list[str]) -> None:
    test = opened("hyperparameters", matrix="true", settings="norm", find=sweep[3])
    first, *_ = parallel(opened("hyperparameters", settings="norm"))["axes"]
    assert first["name"] == "norm"
    assert "do not differ in any setting" in said(test)
    matrix = charts(opened("hyperparameters", matrix="true"))[
        "Scatter matrix of 2 settings and loss · validation (min)"
    ]
    assert [trace["xaxis"] for trace in matrix["data"]] == ["x", "x2", "x3"]


def test_runs_without_numbers_or_settings_get_a_sentence(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    stepscope.init(store=store_url, config={"lr": 1}).finish()
    assert "have logged no numbers yet" in said(opened("hyperparameters"))
    with stepscope.init(store=store_url, config={"lr": 1}) as run:
        run.log({"loss": 1.0})
    assert "No run is chosen" in said(opened("hyperparameters", trials="chosen", runs="none"))
    assert "do not differ in any setting" in said(opened("hyperparameters"))


def test_ranks_and_axes_with_missing_values() -> None:
    values = column_of("loss", [1.0, None, 3.0, 2.0])
    assert ranks(values.numbers, more_is_better=False).tolist()[2:] == [0.0, 0.5]
    drawn = figure([column_of("x", [None] * 4)], values, list("abcd"), list("abcd"), more_is_better=True)
    assert [axis["gaps"] for axis in drawn["axes"]] == [True, True]
    assert ranks(column_of("x", [2.0, 2.0]).numbers, more_is_better=True).tolist() == [1.0, 1.0]
