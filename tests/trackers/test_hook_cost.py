"""A hook measures what it costs, shows it, and looks less often when that is too much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stepscope
from stepscope.storage.errors import BadInput
from stepscope.storage.read import Reader
from stepscope.trackers.hooks.cost import Cost
from stepscope.trackers.hooks.output import Output
from stepscope.trackers.settings import read_settings


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    monkeypatch.setenv("STEPSCOPE_COST_BUDGET", "2")
    with stepscope.init() as run:
        yield run


def go_on(cost: Cost, steps: int, spent: float, seconds: float | None = 0.1) -> None:
    for _ in range(steps):
        cost.spend(spent)
        cost.end_step(seconds)


def percents(run: Any, name: str = "system/stepscope/cost_percent") -> list[float]:
    assert run.flush()
    reader = Reader.open()
    series = [series for series in reader.series(run.id) if series.name == name]
    return [value for one in series for value in reader.points(one).last.tolist()]


def test_within_its_budget_a_hook_goes_on_as_asked(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    cost = Cost(run, Output(run, None, "Hook"), 10)
    go_on(cost, 20, 5.0)  # warm-up: compilation and the like
    go_on(cost, 100, 0.001)
    assert cost.factor == 1
    assert percents(run) == pytest.approx([1.0])
    assert "budget" not in caplog.text


def test_past_its_budget_it_looks_half_as_often_and_says_so_once(
    run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cost = Cost(run, Output(run, "critic", "Hook"), 10)
    go_on(cost, 20 + 99, 0.01)
    assert cost.factor == 1
    go_on(cost, 1, 0.01)
    assert cost.factor == 2
    go_on(cost, 199, 0.01)
    assert cost.factor == 2  # a window holds as many looks as before
    go_on(cost, 1, 0.01)
    assert cost.factor == 4
    assert caplog.text.count("the tracker took 10.0 % of the step time, more than its budget of 2 %") == 1
    assert "STEPSCOPE_COST_BUDGET" in caplog.text
    assert percents(run, "system/stepscope/critic/cost_percent")


def test_a_short_window_decides_nothing(run: Any) -> None:
    cost = Cost(run, Output(run, None, "Hook"), 1)
    go_on(cost, 1000, 0.0005, 0.001)
    assert cost.factor == 1  # a second in all: one slow moment of the machine would decide
    cost.close()
    assert percents(run) == pytest.approx([50.0])


def test_a_step_of_unknown_length_does_not_count(run: Any) -> None:
    cost = Cost(run, Output(run, None, "Hook"), 1)
    go_on(cost, 500, 1.0, None)
    assert cost.factor == 1


@pytest.mark.parametrize("text", ["much", "0", "-1", "nan"])
def test_a_budget_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("STEPSCOPE_COST_BUDGET", text)
    with pytest.raises(BadInput, match=rf"STEPSCOPE_COST_BUDGET must be a percentage .* but is '{text}'"):
        read_settings()
