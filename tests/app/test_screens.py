"""Every page, run as Streamlit runs it, over stores in every condition; no browser."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import stepscope
from contracts.filled_store import fill
from feed import new_run
from pages import change, charts, opened, said
from stepscope.app.screens import tb
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

PAGES = (
    *("runs", "charts", "distributions", "media", "graph", "curves", "hyperparameters", "system"),
    *("compare", "run", "tb", "vd"),
)


def button(test: AppTest, label: str) -> Any:
    """Return the button of a label, which must be the only one."""
    (found,) = [one for one in test.button if one.label == label]
    return found


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that tests copy: to fill one takes longer than to draw most pages."""
    path = tmp_path_factory.mktemp("two") / "stepscope.db"
    fill(str(path), "baseline")
    fill(str(path), "wider", seed=1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def small(store: str, two_runs: Path) -> str:
    shutil.copy(two_runs, store)
    return store


@pytest.mark.parametrize("page", PAGES)
def test_without_a_store(store: str, page: str) -> None:
    test = opened(page)
    assert not test.exception
    assert not Path(store).exists()
    if page not in ("tb", "vd"):
        assert "No runs yet" in said(test)
        assert any(f"store='{store}'" in code.value for code in test.code)


@pytest.mark.parametrize("page", PAGES)
def test_with_an_empty_store(store: str, page: str) -> None:
    Writer.open(store).close()
    test = opened(page)
    assert not test.exception
    if page not in ("tb", "vd"):
        assert "No runs yet" in said(test)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("page", PAGES)
def test_with_a_small_store(page: str) -> None:
    test = opened(page)
    assert not test.exception
    assert not test.warning, said(test)
    assert not test.error


@pytest.fixture(scope="module")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a store of many runs, of which the newest has many series of each kind, and long ones."""
    store = str(tmp_path_factory.mktemp("large") / "stepscope.db")
    for number in range(120):
        with stepscope.init(
            store=store, project="many", config={"lr": number / 100, "width": number % 7}
        ) as run:
            run.log({"loss": 1 / (number + 1), "accuracy": number / 120}, step=number)
    fill(store, "full")
    with stepscope.init(store=store, project="digits", name="long") as run:
        for step in range(20_000):
            run.log({"loss": 1 / (step + 1)}, step=step)
        for number in range(150):
            run.log({f"metric{number}/value": 1.0, f"weights/layer{number}": np.arange(20.0)}, step=number)
            run.log({f"samples/{number}": stepscope.Image(np.zeros((4, 4)))}, step=number)
    return store


@pytest.mark.parametrize("page", PAGES)
def test_with_a_large_store(large_store: str, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", large_store)
    test = opened(page)
    assert not test.exception
    assert not test.error, said(test)
    assert not test.warning, said(test)


@pytest.mark.parametrize("page", PAGES)
def test_with_a_run_that_logged_nothing_yet(store: str, page: str) -> None:
    with Writer.open(store) as writer:
        new_run(writer)
    test = opened(page)
    assert not test.exception
    assert not test.error


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("tb", "vd")])
@pytest.mark.parametrize(
    ("breaks", "sentence"),
    [
        (lambda store: Path(store).write_bytes(b"garbage" * 999), "not a sound Stepscope store"),
        (lambda store: change(store, "UPDATE alembic_version SET version_num = 'zzz'"), "newer"),
        (lambda store: change(store, "DROP TABLE series"), "no such table: series"),
    ],
    ids=["no database", "of a newer version", "without a table"],
)
def test_with_a_store_that_cannot_be_read(
    small: str, page: str, breaks: Callable[[str], None], sentence: str
) -> None:
    breaks(small)
    test = opened(page)
    assert not test.exception
    assert sentence in said(test).replace("\\", "")


@pytest.mark.parametrize("page", PAGES)
def test_with_values_that_cannot_be_read(small: str, page: str) -> None:
    """Blobs, chunks and records of one run are damaged: the page says which, and shows the other run."""
    with Reader.open(small) as reader:
        wider, baseline = reader.runs()
    for table, column in (("chunks", "data"), ("records", "payload"), ("blobs", "data")):
        change(small, f"UPDATE {table} SET {column} = x'00' WHERE run_id = '{wider.run_id}'")
    test = opened(page, run=wider.run_id)
    assert not test.exception
    if page in ("charts", "distributions", "media", "graph"):
        told = [str(warning.value).replace("\\", "") for warning in test.warning]
        assert told
        assert all("cannot be shown" in one for one in told)
    if page in ("charts", "distributions"):
        assert any(baseline.name in alt for alt in charts(test))


@pytest.mark.parametrize(("framework", "told"), [("keras", True), ("torch", False)])
def test_keras_values_per_batch_are_told_to_be_running_means(store: str, framework: str, told: bool) -> None:
    with stepscope.init(store=store) as run:
        run.set_framework(framework)
        run.log({"batch_loss": 1.0}, step=0)
    assert ("running means over the epoch" in said(opened("charts"))) is told


@pytest.mark.usefixtures("small")
def test_a_chart_holds_both_runs_and_their_ranks() -> None:
    drawn = charts(opened("charts"))
    (alt,) = [alt for alt in drawn if alt.startswith("loss of")]
    assert alt == (
        "loss of baseline · train, baseline · train · rank 1, wider · train, wider · train · rank 1"
    )
    assert len({trace["line"]["color"] for trace in drawn[alt]["data"] if "line" in trace}) == 2


@pytest.mark.usefixtures("small")
def test_controls_change_the_charts() -> None:
    test = opened("charts", metrics="loss", x="relative", scale="log")
    (figure,) = charts(test).values()
    assert figure["layout"]["yaxis"]["type"] == "log"
    assert figure["layout"]["xaxis"]["title"]["text"] == "seconds since start"
    test.text_input(key="metrics").set_value("no such metric").run()
    assert "No metric fits" in said(test)
    test.text_input(key="metrics").set_value("*(").run()
    assert not test.exception


def test_smoothing_changes_long_lines_only(store: str) -> None:
    with stepscope.init(store=store) as run:
        for step, value in enumerate(np.random.default_rng(0).normal(size=100)):
            run.log({"loss": value}, step=step)
    test = opened("charts", metrics="loss")
    before = charts(test)
    assert [len(figure["data"]) for figure in before.values()] == [2]
    test.slider(key="smoothing").set_value(0.0).run()
    assert [len(figure["data"]) for figure in charts(test).values()] == [1]


def test_the_choice_of_runs_is_in_the_address_and_drives_the_page(small: str) -> None:
    with Reader.open(small) as reader:
        wider, baseline = reader.runs()
    test = opened("charts", runs=f"{baseline.run_id},<script>,{'x' * 99}")
    assert not any("wider" in alt for alt in charts(test))
    test.checkbox(key=f"pick_{wider.run_id}").check().run()
    assert any("wider" in alt for alt in charts(test))
    assert test.query_params["runs"] == f"{baseline.run_id},{wider.run_id}"
    button(test, "None").click().run()
    assert "No run is chosen" in said(test)
    button(test, "Newest").click().run()
    assert "runs" not in test.query_params


def run_id_of(name: str) -> str:
    with Reader.open() as reader:
        return reader.find_run(name).run_id


def test_what_a_run_lost_is_shown_with_it(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    with stepscope.init(store=store) as run:
        run.log({"loss": 1.0, "acc": None, "f1": "0.5"})
        run.log({"acc": None})
    stepscope.init(store=store).finish()
    told = "3 values were not stored: 2 because of “BadInput while logging 'acc'”, 1 because of"
    assert told in said(opened("run", runs=run.id)).replace("\\", "")


def test_names_that_look_like_code_are_shown_as_text(store: str) -> None:
    hostile = "<img src=x onerror=alert(1)> ![x](http://evil.example) :red[x] a__b"
    with stepscope.init(
        store=store, project=hostile, name=hostile, tags=(hostile,), config={"a": hostile}
    ) as run:
        run.log({hostile: 1.0, f"{hostile}/text": stepscope.Text(hostile)}, step=0)
        run.log({f"{hostile}/{hostile}": np.arange(9.0)}, step=0)
    for page in PAGES:
        test = opened(page)
        assert not test.exception
        assert "![" not in said(test).replace("\\!\\[", "")
        for figure in charts(test).values():
            assert "<img" not in json.dumps(figure)
        assert not any(element.proto.allow_html for element in test.markdown)


def test_what_is_endless_broken_or_of_no_size_is_shown_in_part(store: str) -> None:
    endless = "x" * 10_000
    for name in ("a", endless):
        with stepscope.init(store=store, project=endless if name == "a" else "b", name=name) as run:
            for flat in (np.zeros((1, 100_000)), np.zeros((100_000, 1))):
                run.log({"flat": stepscope.Image(flat, caption=f"half \ud800 {endless}")}, step=0)
            run.log({"click": stepscope.Audio(np.zeros(1, np.float32), 8000, caption="\ud800")}, step=0)
            run.log({"text": stepscope.Text("half \ud800")}, step=0)
    with Reader.open(store) as reader:
        ids = [run.run_id for run in reader.runs()]
    for page in ("runs", "charts", "media", "run"):
        test = opened(page, runs=",".join(ids))
        assert not test.exception
        assert not test.warning
        assert "x" * 300 not in said(test)
        if page == "media":
            assert "Too short to be played" in said(test)
            assert "half ?" in said(test)


def test_a_page_follows_the_chosen_runs_that_train_and_no_others(store: str) -> None:
    def listening(test: AppTest) -> dict[str, str]:
        [ear] = [
            one.proto for one in test.get("bidi_component") if one.proto.component_name == "stepscope_live"
        ]
        return json.loads(ear.json)

    with Writer.open(store) as writer:
        run = new_run(writer)
        before = listening(opened("charts"))
        assert before["follow"] == run.run_id
        assert listening(opened("charts"))["mark"] == before["mark"]
        writer.update_run(run.run_id, {"state": "finished", "finished_at": time.time()})
    after = listening(opened("charts"))
    assert after["follow"] == ""
    assert after["mark"] != before["mark"]


@pytest.mark.usefixtures("small")
def test_tensorboard_and_visdom_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Start it with: stepscope ui" in said(opened("tb")).replace("\\", "")
    assert "Start it with: stepscope ui" in said(opened("vd")).replace("\\", "")
    monkeypatch.setattr(tb, "PACKAGES", ("no_such_package",))
    assert 'pip install "stepscope[tensorboard]"' in said(opened("tb")).replace("\\", "")
