"""The Distributions page, run as Streamlit runs it; no browser."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import stepscope
from pages import change, charts, components, opened, said
from stepscope.app.screens.distributions import A_PAGE
from stepscope.storage.read import Reader

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


@pytest.fixture
def two(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Fill a store with one network in the words of two frameworks."""
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    rng = np.random.default_rng(0)
    for name, variable in (("torch", "weight"), ("keras", "kernel")):
        with stepscope.init(name=name) as run:
            for step in range(3):
                run.log({f"weights/conv1/{variable}": rng.normal(size=200)}, step=step * 10)
            run.log({"gradients/conv1/bias": np.array([1.0, math.nan, math.inf])}, step=0)
    return store_url


def zoom_of(key: str, *ends: float | None) -> str:
    name = hashlib.sha256(f"{key} None".encode()).hexdigest()[:8]
    return json.dumps([f"{name}:" + ":".join("" if end is None else str(end) for end in ends)])


def keys(store: str, style: str) -> list[str]:
    with Reader.open(store) as reader:
        ids = [(s.run_id, s.series_id) for run in reversed(reader.runs()) for s in reader.series(run.run_id)]
        names = [s.name for run in reversed(reader.runs()) for s in reader.series(run.run_id)]
    found = [f"{run} {one}" for (run, one), name in zip(ids, names, strict=True) if "weights" in name]
    return [f"histogram {style} {one}" for one in found] + [f"histogram {style} {' '.join(found)}"]


def title_of(figure: dict[str, Any]) -> str:
    return figure["layout"]["title"]["text"]


@pytest.mark.usefixtures("two")
def test_runs_lie_side_by_side_under_their_own_names() -> None:
    test = opened("distributions", layers="conv1/")
    assert not test.exception
    assert [title_of(figure) for figure in charts(test).values()] == [
        "<b>conv1/weight · torch</b>",
        "<b>conv1/kernel · keras</b>",
        "<b>conv1/bias · torch</b>",
        "<b>conv1/bias · keras</b>",
    ]
    notes = [figure["layout"]["title"].get("subtitle", {}).get("text") for figure in charts(test).values()]
    assert notes[2] == "2 \u00d7 NaN or ∞ left out"


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("searched", ["weights/conv1/weight", "kernel"])
def test_one_layer_of_two_frameworks_lies_in_one_chart(searched: str) -> None:
    drawn = charts(opened("distributions", layers="weights", layout="overlaid"))
    (figure,) = drawn.values()
    assert title_of(figure) == "<b>conv1/weight</b>"
    assert len({trace["line"].get("color") for trace in figure["data"]} - {None}) == 2
    found = charts(opened("distributions", layers=searched))
    assert "weights/conv1/kernel of keras" in found


@pytest.mark.usefixtures("two")
def test_one_step_of_all_layers_follows_a_slider() -> None:
    test = opened("distributions", style="one step", step="12", layers="weights", layout="overlaid")
    (slider,) = components(test, "stepscope_step_slider")
    assert (slider["places"], slider["at"]) == ([0, 10, 20], 12)
    (figure,) = charts(test).values()
    assert figure["layout"]["title"]["subtitle"]["text"] == "torch: step 10  ·  keras: step 10"


def test_a_zoom_in_height_is_binned_anew(two: str) -> None:
    key = keys(two, "heat map")[0]
    zoom = zoom_of(key, None, None, 0.25, 0.5)
    test = opened("distributions", style="heat map", layers="conv1/weight", zoom=zoom)
    figure = charts(test)["weights/conv1/weight of torch"]
    at = numbers(figure["data"][0]["y"])
    assert at.min() > 0.25
    assert at.max() < 0.5


def numbers(packed: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])


def test_a_zoom_in_steps_reads_more_of_them(two: str) -> None:
    with stepscope.init(name="long") as run:
        for step in range(300):
            run.log({"weights/conv1/weight": np.arange(5.0) + step}, step=step)
    with Reader.open(two) as reader:
        (series,) = reader.series(run.id)
    key = f"histogram bands {run.id} {series.series_id}"

    def steps(**query: str) -> np.ndarray:
        (figure,) = charts(opened("distributions", runs=run.id, **query)).values()
        return numbers(figure["data"][0]["x"])

    whole = steps()
    assert len(whole) == 100
    near = steps(zoom=zoom_of(key, 100.5, 120, None, None))
    assert set(range(100, 121)) <= set(near.tolist())
    assert {0, 299} <= set(near.tolist())


def test_the_step_that_was_clicked_is_shown_until_it_is_closed(two: str) -> None:
    with Reader.open(two) as reader:
        run = reader.find_run("torch").run_id
        (series,) = [one for one in reader.series(run) if one.name.startswith("weights")]
    bins = json.dumps([f"{run} {series.series_id} at 10"])
    test = opened("distributions", runs=run, layers="weights", bins=bins)
    assert "conv1/weight at one step" in charts(test)
    assert "torch, step 10: numbers 200" in said(test).replace("\\", "")
    [close] = [one for one in test.button if one.label == "Close"]
    close.click().run()
    assert "conv1/weight at one step" not in charts(test)
    assert "bins" not in test.query_params


@pytest.mark.parametrize("forged", ["nan", "<script>"])
def test_a_forged_step_is_the_newest(two: str, forged: str) -> None:
    with Reader.open(two) as reader:
        run = reader.find_run("torch").run_id
        (series,) = [one for one in reader.series(run) if one.name.startswith("weights")]
    bins = json.dumps([f"{run} {series.series_id} at {forged}"])
    test = opened("distributions", runs=run, layers="weights", bins=bins)
    assert not test.exception
    assert "step 20" in said(test)


def test_hundreds_of_layers_come_in_pages(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    with stepscope.init() as run:
        run.log({f"weights/block{number:03}/weight": np.arange(9.0) for number in range(100)}, step=0)
    test = opened("distributions")
    assert len(charts(test)) == A_PAGE
    assert len(charts(opened("distributions", layers="block07"))) == 10


def test_a_layer_that_one_run_lacks_leaves_its_place_empty(two: str) -> None:
    with Reader.open(two) as reader:
        keras, torch = [run.run_id for run in reader.runs()]
    change(two, f"DELETE FROM series WHERE name LIKE 'gradients%' AND run_id = '{torch}'")
    test = opened("distributions", layers="gradients")
    assert [title_of(figure) for figure in charts(test).values()] == ["<b>conv1/bias · keras</b>"]
    both = opened("distributions", layers="conv1/", runs=f"{keras},{torch}")
    (row,) = [one for one in both.expander if "Gradients" in one.label]
    assert [len(column.children) for column in row.columns] == [0, 1]
    assert "gray[1]" in row.label


@pytest.mark.parametrize("style", ["bands", "one step"])
def test_a_run_that_cannot_be_read_takes_no_other_away(two: str, style: str) -> None:
    with Reader.open(two) as reader:
        sick = reader.find_run("keras").run_id
    change(two, f"UPDATE records SET payload = x'00' WHERE run_id = '{sick}'")
    test: AppTest = opened("distributions", layers="weights", layout="overlaid", style=style)
    assert not test.exception
    assert "histogram weights/conv1/kernel of run keras cannot be shown" in said(test).replace("\\", "")
    (figure,) = charts(test).values()
    assert figure["data"]
