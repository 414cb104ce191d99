"""The Media page, run as Streamlit runs it; no browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import pytest

import stepscope
from contracts.filled_store import fill
from pages import change, charts, components, opened, said
from stepscope.app import queries
from stepscope.app.screens import media
from stepscope.app.widgets import media_section
from stepscope.storage.read import Reader
from stepscope.trackers.sinks.tensorboard.layout import LAYOUT_NAME

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


@pytest.fixture
def small(store: str) -> list[str]:
    return [fill(store, "baseline"), fill(store, "wider", seed=1)]


def slider(test: AppTest) -> dict[str, Any]:
    (found,) = components(test, "stepscope_step_slider")
    return found


def boards(test: AppTest) -> dict[str, dict[str, Any]]:
    return {one["what"]: one for one in components(test, "stepscope_media_board")}


@pytest.mark.usefixtures("small")
def test_all_follow_one_step_and_the_nearest_one_is_named() -> None:
    test = opened("media", step="3")
    assert not test.exception
    assert slider(test)["at"] == 3
    assert slider(test)["labels"] == ["step 2", "step 5", "step 7"]
    # Two texts, two tones and what was logged at step 5 alone.
    assert said(test).count(":orange[step 2]") == 4
    assert ":orange[step 5]" in said(test)
    assert "step 7" not in said(test)
    assert "<script>" in said(test)
    assert said(opened("media", step="2")).count(":gray[step 2]") == 4


@pytest.mark.usefixtures("store")
def test_the_layout_of_an_imported_tensorboard_is_no_text_to_read() -> None:
    assert media.TENSORBOARDS_LAYOUT == LAYOUT_NAME
    with stepscope.init() as run:
        run.log({"note": stepscope.Text("words"), LAYOUT_NAME: stepscope.Text("{}")}, step=0)
    test = opened("media")
    assert [expander.label for expander in test.expander] == ["**Note** :gray[1]"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("forged", ["nan", "<script>", "1e999"])
def test_a_forged_step_is_no_step(forged: str) -> None:
    test = opened("media", step=forged)
    assert not test.exception
    assert slider(test)["at"] is None
    assert ":gray[step 7]" in said(test)


@pytest.mark.usefixtures("small")
def test_every_kind_of_medium_is_there() -> None:
    test = opened("media", runs=run_id_of("baseline"))
    assert not test.exception
    assert not test.warning
    assert set(boards(test)) == {"image digit", "video film"}
    assert {"audio", "figure"} <= {one.split()[0] for one in charts(test)}
    tables = [frame.value.to_numpy().ravel().tolist() for frame in test.dataframe]
    assert any("<script>alert('x')</script>" in cells for cells in tables)
    [figure] = [figure for alt, figure in charts(test).items() if alt.startswith("figure")]
    assert figure["data"][0]["y"] == [1, 2]
    assert "two bars" in said(test)


def run_id_of(name: str) -> str:
    with Reader.open() as reader:
        return reader.find_run(name).run_id


def test_pictures_are_told_to_the_browser_by_run_and_step(small: list[str]) -> None:
    board = boards(opened("media"))["image digit"]
    assert [run["id"] for run in board["runs"]] == small
    first = board["runs"][0]
    assert (first["steps"], first["positions"], first["most"]) == ([2, 5, 7], [2, 5, 7], 1)
    [[frame], *_] = first["frames"]
    assert (frame["width"], frame["height"], frame["caption"]) == (8, 8, "<digit> 2")
    assert len(frame["digest"]) == 64


@pytest.mark.usefixtures("store")
def test_runs_of_other_step_counts_meet_by_epoch_or_progress() -> None:
    for name, steps in (("quick", 10), ("slow", 1000)):
        with stepscope.init(name=name) as run:
            for epoch in range(3):
                values = {"picture": stepscope.Image(np.eye(4)), "notes": stepscope.Text(name)}
                run.log(values | ({"epoch": epoch} if name == "slow" else {}), step=epoch * steps)
    progress = opened("media", by="progress", progress="50")
    assert slider(progress)["labels"] == ["0 %", "50 %", "100 %"]
    assert [run["positions"] for run in boards(progress)["image picture"]["runs"]] == [[0, 50, 100]] * 2
    assert ":gray[step 1,000]" in said(progress)
    assert ":gray[step 10]" in said(progress)
    epochs = opened("media", by="epoch", epoch="1")
    assert slider(epochs)["labels"] == ["epoch 0", "epoch 1", "epoch 2"]
    assert "Without a logged `epoch`, and so always at their newest step: quick" in said(epochs)
    assert [run["positions"][0] for run in boards(epochs)["image picture"]["runs"]] == [None, 0]
    assert ":gray[step 1,000]" in said(epochs)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("wipe", "sliders"), [("runs", 1), ("steps", 2)])
def test_a_wipe_is_for_pictures_and_in_the_address(wipe: str, sliders: int) -> None:
    test = opened("media", wipe=wipe, before="2")
    drawn = boards(test)
    assert (drawn["image digit"]["wipe"], drawn["video film"]["wipe"]) == (wipe, "off")
    found = components(test, "stepscope_step_slider")
    assert [one["at"] for one in found] == [None, 2][:sliders]


@pytest.mark.usefixtures("store")
def test_values_of_a_step_are_a_row_and_very_many_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media_section, "MOST_FRAMES", 48)
    many = [stepscope.Image(np.zeros((2, 2))) for _ in range(media_section.AT_ONE_STEP + 1)]
    with stepscope.init() as run:
        for step in range(5):
            run.log({"grid": many}, step=step)
    test = opened("media")
    (strip,) = boards(test)["image grid"]["runs"]
    assert (strip["most"], strip["steps"]) == (media_section.AT_ONE_STEP, [1, 4])
    assert f"The first {media_section.AT_ONE_STEP} values of a step are shown." in said(test)


@pytest.mark.usefixtures("store")
def test_a_long_series_offers_some_of_its_steps_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "STEPS_A_SERIES", 3)
    monkeypatch.setattr(queries.frames, "__defaults__", (3,))
    with stepscope.init() as run:
        for step in range(9):
            run.log({"notes": stepscope.Text(str(step))}, step=step)
    test = opened("media")
    assert slider(test)["places"] == [0, 4, 8]
    assert "Of a longer series, 3 evenly chosen steps are offered." in said(test)


@pytest.mark.usefixtures("store")
def test_figures_that_are_pictures_follow_the_slider_in_the_browser() -> None:
    plt = pytest.importorskip("matplotlib.figure")
    with stepscope.init() as run:
        for step in range(2):
            drawn = plt.Figure(figsize=(2, 1))
            drawn.subplots().plot([step, 2])
            run.log({"mpl": stepscope.Figure(drawn), "plotly": stepscope.Figure(go.Figure())}, step=step)
    test = opened("media")
    board = boards(test)["figure mpl"]
    assert (board["scale"], board["size"]) == (2, 400)
    assert [alt for alt in charts(test) if alt.startswith("figure plotly")]


def test_one_damaged_row_costs_its_own_run_alone(small: list[str], store: str) -> None:
    sick, well = small
    change(store, f"UPDATE records SET meta = '{{}}' WHERE run_id = '{sick}'")
    test = opened("media")
    assert not test.exception
    assert "image digit of run baseline cannot be shown" in said(test).replace("\\", "")
    assert [run["id"] for run in boards(test)["image digit"]["runs"]] == [well]


@pytest.mark.usefixtures("store")
def test_two_kinds_in_one_name_are_two_sections() -> None:
    with stepscope.init(project="two kinds") as run:
        run.log({"sample": [stepscope.Image(np.zeros((4, 4))), stepscope.Text("dark")]})
    test = opened("media", runs=run.id)
    assert not test.exception
    assert [one.label for one in test.expander] == ["**Sample** :gray[1]"] * 2


@pytest.mark.usefixtures("small")
def test_names_are_searched() -> None:
    assert set(boards(opened("media", media="DIG"))) == {"image digit"}
    assert "No name contains **no such**" in said(opened("media", media="no such"))
