"""The Runs page, run as Streamlit runs it; no browser."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import stepscope
from contracts.filled_store import fill
from feed import Feed, new_run
from pages import opened, said
from stepscope.app import queries, url_state
from stepscope.app.analysis import run_columns
from stepscope.app.views.words import brief
from stepscope.app.widgets import run_picker, run_table
from stepscope.storage.maintain import archive_run
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from stepscope.storage.write_run import insert_run

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


@pytest.fixture
def small(store: str) -> list[str]:
    return [fill(store, "baseline"), fill(store, "wider", seed=1)]


def table(test: AppTest) -> dict[str, Any]:
    """Return what the table of runs was given."""
    assert not test.exception
    (found,) = [one for one in test.get("bidi_component") if one.proto.component_name == run_table.NAME]
    return json.loads(found.proto.bytes)


def column(test: AppTest, key: str) -> list[Any]:
    (found,) = [one["values"] for one in table(test)["columns"] if one["key"] == key]
    return found


def keys(test: AppTest) -> list[str]:
    return [one["key"] for one in table(test)["columns"]]


def texts(values: Sequence[str]) -> str:
    return json.dumps(values, separators=(",", ":"))


def test_the_usual_columns_are_what_tells_runs_apart(small: list[str]) -> None:
    test = opened("runs", runs=small[0])
    told = table(test)
    assert told["names"] == ["wider", "baseline"]
    assert told["ticked"] == [small[0]]
    assert {"state", "created_at", "duration", "train/loss", "odd"} <= set(keys(test))
    assert not {"project", "group", "framework", "tags", "config.lr"} & set(keys(test))
    assert column(test, "state") == [["finished", "finished", None]] * 2
    assert column(test, "odd") == [1e300, 1e300]


@pytest.mark.usefixtures("small")
def test_columns_and_sorting_are_in_the_address() -> None:
    wanted = ["config.optimizer.name", "train/loss.min", "odd.last", "no.such", "id"]
    test = opened("runs", table=texts(wanted), sort="-train/loss.min")
    assert keys(test) == wanted
    assert table(test)["sort"] == "-train/loss.min"
    assert column(test, "config.optimizer.name") == ["sgd", "sgd"]
    with Reader.open() as reader, stepscope.open() as opened_store:
        assert column(test, "id") == [run.run_id for run in reader.runs()]
        assert column(test, "train/loss.min") == [
            run.metric("train/loss", "min") for run in opened_store.runs()
        ]
    assert column(test, "no.such") == [None, None]
    test.multiselect(key="table").set_value(["duration"]).run()
    assert keys(test) == ["duration"]
    assert test.query_params["table"] == '["duration"]'
    next(one for one in test.button if one.label == "Usual columns").click().run()
    assert "table" not in test.query_params


@pytest.mark.parametrize(
    "forged", ["{", "[1, [2]]", '"a"', texts(["x" * 999]), "[" * 9999, texts(["a"] * 999)]
)
def test_forged_columns_are_left_out(small: list[str], forged: str) -> None:
    test = opened("runs", table=forged)
    assert len(table(test)["ids"]) == len(small)
    assert len(keys(test)) <= url_state.MOST_TEXTS


@pytest.mark.parametrize("seed", [2**63 + 5, 2**53 + 1, 10**400, np.random.SeedSequence(2**100).entropy])
def test_whole_numbers_that_no_browser_holds_are_shown_to_the_last_digit(store: str, seed: int) -> None:
    for value in (seed, -1):
        stepscope.init(store=store, config={"seed": value, "lr": 0.1 if value == -1 else 10**400}).finish()
    test = opened("runs")
    assert not test.warning
    assert column(test, "config.seed") == ["-1", brief(str(seed), run_columns.LONGEST)]
    assert column(test, "config.lr") == ["0.1", brief(str(10**400), run_columns.LONGEST)]


@pytest.mark.usefixtures("small")
def test_a_table_that_cannot_be_drawn_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_columns.Listing, "steps", property(lambda _: 1 / 0))
    test = opened("runs")
    assert not test.exception
    assert "The table of runs cannot be shown" in said(test)


@pytest.mark.usefixtures("small")
def test_runs_are_found_by_any_word_of_theirs() -> None:
    test = opened("runs", find="WIDER digits")
    assert table(test)["names"] == ["wider"]
    test.text_input(key="find").set_value("nothing like it").run()
    assert "No run fits" in said(test)


def test_a_filter_keeps_what_passes(store: str) -> None:
    with Writer.open(store) as writer:
        for lr in (0.001, 0.1):
            feed = Feed(writer, new_run(writer, config={"lr": lr}, name=f"of {lr}").run_id)
            feed.points("val_loss", [0.5, lr, 0.5])
            feed.end()
    test = opened("runs", filter="lr < 0.01 and val/loss.min < 0.3")
    assert table(test)["names"] == ["of 0.001"]
    test.text_input(key="filter").set_value("val/loss.min > 0.3 or lr > 0.05").run()
    assert table(test)["names"] == ["of 0.1"]
    assert test.query_params["filter"] == "val/loss.min > 0.3 or lr > 0.05"
    test.text_input(key="filter").set_value("").run()
    assert len(table(test)["names"]) == 2


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "train/los.min < 1",
            "column 1: there is no field, config entry or metric 'train/los.min' in any run",
        ),
        ("lr <", "column 5: a name, a number or a text is expected here, but the end came"),
        ("__import__('os')", "column 1: `__import__(`: a filter calls no functions"),
    ],
)
def test_a_mistake_in_the_filter_stands_under_it_and_hides_nothing(text: str, told: str) -> None:
    test = opened("runs", filter=text)
    assert told in said(test).replace("\\", "")
    assert len(table(test)["ids"]) == 2
    if "los" in text:
        assert "'train/loss'" in said(test).replace("\\", "")


def test_runs_are_gathered_in_groups_with_colours(store: str) -> None:
    for lr in (0.5, 0.25, 0.5):
        stepscope.init(store=store, config={"lr": lr}).finish()
    group = table(opened("runs", group_by="config.lr"))["group"]
    assert group["title"] == "lr"
    assert group["order"] == ["0.25", "0.5"]
    assert group["values"] == ["0.5", "0.25", "0.5"]
    assert len(set(group["colours"].values())) == 2


def test_a_running_run_tells_how_far_it_is(store: str) -> None:
    with Writer.open(store) as writer:
        plain = new_run(writer)
        of_epochs = new_run(writer, config={"epochs": 10})
        of_steps = new_run(writer, config={"trainer": {"max_steps": 200}})
        for run, name, values in (
            (plain, "loss", [1.0] * 1500),
            (of_epochs, "epoch", [1.0, 2.0, 3.0]),
            (of_steps, "loss", [1.0] * 51),
        ):
            feed = Feed(writer, run.run_id)
            feed.points(name, values)
            feed.points("system/cpu", [1.0], [99_999])
            feed.store()
    test = opened("runs", table=texts(["state", "id"]))
    states = dict(zip(column(test, "id"), column(test, "state"), strict=True))
    assert states[plain.run_id] == ["running", "step 1,499", None]
    assert states[of_epochs.run_id] == ["running", "epoch 3 of 10", 0.3]
    assert states[of_steps.run_id] == ["running", "step 50 of 200", 0.25]


def test_numbers_that_are_none_are_words(store: str) -> None:
    with stepscope.init(store=store) as run:
        run.log({"a": math.nan, "b": math.inf, "c": -math.inf})
    test = opened("runs", table=texts(["a", "b", "c", "a.min"]))
    assert [column(test, key) for key in ("a", "b", "c", "a.min")] == [["NaN"], ["∞"], ["-∞"], [None]]


def test_alerts_are_counted_in_a_column(store: str) -> None:
    with stepscope.init(store=store) as run:
        run.alert("too hot")
        run.alert("too cold")
    stepscope.init(store=store).finish()
    assert column(opened("runs"), "alerts") == [None, 2]


def test_what_a_run_lost_is_a_column(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    with stepscope.init(store=store) as run:
        run.log({"loss": 1.0, "acc": None})
    stepscope.init(store=store).finish()
    assert column(opened("runs"), "lost") == [None, 1]


def test_archived_runs_are_shown_when_asked_for_and_change_no_colour(small: list[str]) -> None:
    before = table(opened("runs"))
    with Writer.open() as writer:
        archive_run(writer, small[0])
    test = opened("runs")
    assert table(test)["ids"] == small[1:]
    assert table(test)["colours"] == before["colours"][:1]
    test = opened("runs", archived="true")
    assert column(test, "state") == [["finished", "finished", None], ["finished", "finished, archived", None]]
    shown = table(test)
    assert (shown["ids"], shown["colours"]) == (before["ids"], before["colours"])
    with Writer.open() as writer:
        archive_run(writer, small[1])
    assert "No run fits" in said(opened("runs"))


def test_a_run_that_is_deleted_while_the_page_is_drawn_costs_nothing(
    small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = table(opened("runs"))
    # The page asks twice: for its list, then for the colours and names of all runs.
    later = SimpleNamespace(all_runs=lambda: [run for run in queries.all_runs() if run.run_id != small[1]])
    monkeypatch.setattr(run_picker, "queries", later)
    shown = table(opened("runs", group_by="name"))
    assert (shown["ids"], shown["colours"]) == (before["ids"], before["colours"])


@pytest.mark.usefixtures("small")
def test_the_field_for_columns_is_told_what_is_chosen_at_each_drawing() -> None:
    test = opened("runs")
    for _ in range(2):
        test.run()
        (field,) = [one for one in test.multiselect if one.key == "table"]
        assert field.proto.set_value  # else the browser, which makes it when it is opened, has it empty
        assert field.value == keys(test)


def test_2000_runs_are_all_in_the_table(store: str) -> None:
    made = [
        Run(
            f"{number:010d}",
            "many",
            f"n{number}",
            RunState.RUNNING,
            1.7e9 + number,
            1.7e9,
            config={"seed": number},
        )
        for number in range(2000)
    ]
    with Writer.open(store) as writer:
        # In one transaction: two thousand of them take some seconds.
        writer.transact(lambda connection: [insert_run(connection, run) for run in made])
    test = opened("runs")
    assert table(test)["ids"] == [run.run_id for run in reversed(made)]
    assert column(test, "config.seed")[:2] == [1999, 1998]
    test.text_input(key="filter").set_value("seed in (3, 1500)").run()
    assert table(test)["names"] == ["n1500", "n3"]
