"""The System page, run as Streamlit runs it; no browser."""

from __future__ import annotations

import time

import pytest

import stepscope
from pages import charts, opened, said
from stepscope.app.views.words import NOTHING


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """Return a store, a run of two ranks and one that said nothing of its machine; no test changes them."""
    store = str(tmp_path_factory.mktemp("system") / "stepscope.db")
    with stepscope.init(store=store, name="two ranks", console=False) as run:
        began = time.time()
        for second in range(0, 60, 5):
            for rank in (0, 1):
                values = {
                    **{"system/cpu_percent": 40.0 + rank, "system/gpu0/utilization_percent": 90.0},
                    **{"step_time": 0.1 + 0.05 * rank, "data_time": 0.01, "forward_time": 0.02 + 0.05 * rank},
                    **{"memory/gpu:0/peak": 8e9, "system/fan_rpm": 900.0},
                }
                run.log_past(values, step=second, time=began + second, context={"rank": rank})
    with stepscope.init(store=store, name="silent", console=False) as silent:
        silent.log({"loss": 1.0}, step=0)
    return store, run.id, silent.id


@pytest.fixture
def ids(made: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv("STEPSCOPE_STORE", made[0])
    return made[1:]


def test_one_run_with_its_headlines_and_the_slow_rank(ids: tuple[str, str]) -> None:
    test = opened("system", runs=ids[0])
    assert not test.exception
    assert {one.label: (one.value, one.delta) for one in test.metric} == {
        "Step time": ("0.125 s", "peak 0.15 s"),
        "GPU use": ("90 %", "peak 90 %"),
        "Processor": ("40.5 %", "peak 41 %"),
    }
    assert "Rank 1 is the slowest: 0.15 s a step, 20% more" in said(test)
    drawn = charts(test)
    parts = drawn["Step time of each rank of two ranks"]
    assert [trace["name"] for trace in parts["data"]] == ["waiting for data", "forward", "everything else"]
    alts = sorted(alt for alt in drawn if alt.startswith(("GPU use", "Peak", "Processor")))
    assert alts[0] == "GPU use, % of two ranks · gpu0 · rank 0, two ranks · gpu0 · rank 1"
    assert len({trace["line"]["color"] for trace in drawn[alts[0]]["data"]}) == 2
    assert drawn[alts[0]]["layout"]["yaxis"]["range"] == [0, 102]
    assert "fan\\_rpm" not in said(test)


def test_a_first_step_that_compiles_does_not_flatten_the_others(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    with stepscope.init(store=store_url, name="compiled", console=False) as run:
        for step in range(40):
            run.log({"step_time": 60.0 if step == 0 else 0.1 + step / 1000}, step=step)
    figure = charts(opened("system"))["Step time in seconds of compiled"]
    assert figure["layout"]["yaxis"]["range"][1] < 0.2
    assert "1 above the axis, up to 60" in figure["layout"]["title"]["subtitle"]["text"]


def test_ranks_side_by_side_share_a_scale(ids: tuple[str, str]) -> None:
    drawn = charts(opened("system", runs=ids[0], system_ranks="side by side"))
    both = [figure for alt, figure in drawn.items() if "Step time in seconds" in alt]
    assert [figure["layout"]["yaxis"]["range"] for figure in both] == [[0.0, pytest.approx(0.1575)]] * 2
    assert any(alt.startswith("rank 1 · Step time in seconds of two ranks") for alt in drawn)


def test_several_runs_are_rows_of_a_table(ids: tuple[str, str]) -> None:
    test = opened("system", runs=",".join(ids))
    table = test.dataframe[0].value
    assert dict(zip(table["Run"], table["GPU use, %"], strict=True)) == {
        "silent": NOTHING,
        "two ranks": "90 ↑ 90",
    }


def test_what_was_not_recorded_is_said(ids: tuple[str, str]) -> None:
    assert "have recorded nothing of their machine and speed" in said(opened("system", runs=ids[1]))
    assert "No cost was recorded" in said(opened("system", runs=ids[0]))
