"""The Curves page, run as Streamlit runs it; no browser."""

from __future__ import annotations

import numpy as np
import pytest

import stepscope
from pages import charts, components, opened, said

POINTS = 24


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a store with two runs that logged curves and shapes at two steps; no test changes it."""
    store = str(tmp_path_factory.mktemp("curves") / "stepscope.db")
    rng = np.random.default_rng(0)
    labels = rng.random(60) > 0.5
    rows = [[str(place % 3), str(place)] for place in range(POINTS)]
    for shift, name in enumerate(("first", "second")):
        with stepscope.init(store=store, name=name, console=False) as run:
            for step in (10 + shift, 20 + shift):
                scores = np.clip(0.5 * labels + 0.5 * rng.random(60), 0, 1)
                vectors = rng.normal(size=(POINTS, 5)) + np.arange(POINTS)[:, None] % 3
                pictures = np.full((POINTS, 4, 4, 1), np.arange(POINTS)[:, None, None, None] / POINTS)
                run.log({"pr": stepscope.PrCurve(labels, scores)}, step=step)
                run.log(
                    {"vectors": stepscope.Embedding(vectors, rows, pictures, ["class", "number"])}, step=step
                )
                run.log({"cloud": stepscope.Mesh(rng.random((9, 3)))}, step=step)
    return store


@pytest.fixture(autouse=True)
def store(made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", made)


def test_the_newest_step_of_all_kinds() -> None:
    test = opened("curves")
    assert not test.exception
    assert not test.warning
    drawn = charts(test)
    (curves,) = [figure for alt, figure in drawn.items() if alt.startswith("pr: precision over recall")]
    assert [trace["name"].split(" · ")[:2] for trace in curves["data"]] == [
        ["first", "step 20"],
        ["second", "step 21"],
    ]
    averages = drawn["pr: average precision over the steps of first, second"]
    assert len(averages["data"][0]["x"]["bdata"]) > 0
    embedding = drawn["embedding vectors of run first at step 20"]
    assert [trace["name"] for trace in embedding["data"]] == ["0", "1", "2"]
    assert embedding["data"][1]["text"][0] == "class: 1<br>number: 1"
    assert drawn["mesh cloud of run second at step 21"]["data"][0]["type"] == "scatter3d"
    (slider,) = components(test, "stepscope_step_slider")
    assert slider["labels"] == ["step 10", "step 11", "step 20", "step 21"]


def test_the_step_of_the_address_and_the_nearest_one_of_each_run() -> None:
    drawn = charts(opened("curves", step="11"))
    assert "embedding vectors of run second at step 11" in drawn
    first = drawn["embedding vectors of run first at step 10"]
    assert "first · step 10, the nearest" in first["layout"]["title"]["text"]


def test_embeddings_in_space_by_another_column_and_by_neighbours() -> None:
    test = opened("curves", curves="vectors", curves_space="3-D", curves_colour="number")
    drawn = charts(test)
    assert len(drawn) == 2
    trace = drawn["embedding vectors of run first at step 20"]["data"][0]
    assert trace["type"] == "scatter3d"
    assert trace["marker"]["showscale"]
    assert [one["sentence"][:30] for one in components(test, "stepscope_webgl")] == [
        "This browser cannot draw in sp"
    ]
    flat = charts(opened("curves", curves="vectors", curves_method="t-SNE"))
    assert "24 vectors of 5 t-SNE in 2 dimensions" in str(flat["embedding vectors of run first at step 20"])


def test_names_that_are_not_there_get_a_sentence() -> None:
    assert "No name contains" in said(opened("curves", curves="nothing like it"))
