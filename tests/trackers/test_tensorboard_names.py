"""Names of runs and series in TensorBoard."""

from __future__ import annotations

from typing import Any

import pytest

from stepscope.storage.model import Run, RunState, Series
from stepscope.trackers.sinks.tensorboard.names import Place, places, run_id_of, run_name

RUN_ID = "7K2M9QX4AB"


def series(number: int, name: str, kind: str = "scalar", **context: Any) -> Series:
    return Series(RUN_ID, number, name, kind, context)


def test_a_split_is_a_sub_run_and_what_else_is_in_the_context_stays_in_the_tag() -> None:
    found = places(
        [
            series(1, "loss", split="train"),
            series(2, "loss", split="validation", rank=1),
            series(3, "loss", rank=1),
            series(4, "both/x", line="sin", rank=1),
            series(5, "both/x", line="sin", split="train"),
        ]
    )
    assert found == {
        1: Place("train", "loss"),
        2: Place("validation", "loss [rank=1]"),
        3: Place("", "loss [rank=1]"),
        4: Place("both_x_sin", "both/x [rank=1]"),
        5: Place("train", "both/x [line=sin]"),
    }
    assert [found[number].run("a") for number in (1, 3)] == ["a/train", "a"]


def test_of_very_many_lines_most_stay_in_the_tags() -> None:
    found = places([series(number, "loss", line=f"{number:04}") for number in range(1000)])
    assert found[0] == Place("loss_0000", "loss")
    assert found[999] == Place("", "loss [line=0999]")
    assert len({place.sub_run for place in found.values()}) == 101


def test_no_two_series_share_a_place() -> None:
    found = places(
        [
            series(1, "x", "image"),
            series(2, "x"),
            series(3, "x (image)"),
            series(4, "x", split="a b"),
            series(5, "x", split="a/b"),
            series(6, "x", split="a_b"),
        ]
    )
    assert found[2] == Place("", "x")
    assert found[1] == Place("", "x (image 1)")
    assert len(set(found.values())) == 6


def test_a_split_that_is_no_name_of_a_folder_stays_in_the_tag() -> None:
    assert places([series(1, "loss", split="..")]) == {1: Place("", "loss [split=..]")}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("baseline", "baseline-7K2M9QX4AB"),
        ("a/b: c", "a_b_ c-7K2M9QX4AB"),
        ("", "7K2M9QX4AB"),
        ("x-0000000000", "x-0000000000-7K2M9QX4AB"),
        ("ÄÖ ü", "ÄÖ ü-7K2M9QX4AB"),
    ],
)
def test_the_id_is_found_in_the_name_of_a_run_and_of_its_sub_runs(name: str, shown: str) -> None:
    run = Run(RUN_ID, "p", name, RunState.FINISHED, 0.0, 0.0)
    assert run_name(run) == shown
    assert run_id_of(run_name(run)) == RUN_ID
    assert run_id_of(Place("train", "loss").run(run_name(run))) == RUN_ID


@pytest.mark.parametrize("name", ["", ".", "x-7K2M9QX4A", "x-7K2M9QX4AL", f"{RUN_ID}/a/b", f"x/{RUN_ID}"])
def test_what_is_no_name_of_a_run_has_no_id(name: str) -> None:
    assert run_id_of(name) is None
