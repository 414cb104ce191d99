"""Runs in groups: by what, under which words, in which order."""

from __future__ import annotations

from typing import Any

from stepscope.app.analysis import grouping
from stepscope.app.views.words import NOTHING
from stepscope.storage.model import Run, RunState


def runs(*configs: dict[str, Any], **fields: Any) -> list[Run]:
    return [
        Run(f"{at}", "p", f"n{at}", RunState.FINISHED, 0.0, 1.0, config=config, **fields)
        for at, config in enumerate(configs)
    ]


def test_only_what_tells_runs_apart_is_offered() -> None:
    found = runs(
        {"lr": 0.1, "same": 1, "o": {"name": "adam"}}, {"lr": 0.2, "same": 1}, {"lr": 0.1, "same": 1}
    )
    assert grouping.keys(found) == ["config.lr", "config.o.name"]
    assert grouping.keys([*found, *runs({}, framework="torch", tags=("b", "a"))]) == [
        *("framework", "tags", "config.lr", "config.same", "config.o.name")
    ]
    seeds = runs(*({"seed": seed} for seed in range(grouping.MOST_GROUPS + 1)))
    assert grouping.keys(seeds) == []
    assert grouping.keys(seeds[1:]) == ["config.seed"]
    assert grouping.keys([]) == []


def test_groups_are_ordered_numbers_by_size_and_what_is_missing_last() -> None:
    found = runs({"x": 10.0}, {}, {"x": 9}, {"x": "b"}, {"x": 9.0}, {"x": True})
    ordered = grouping.groups(found, "config.x")
    assert list(ordered) == ["9", "10", "True", "b", NOTHING]
    assert [run.run_id for run in ordered["9"]] == ["2", "4"]
    assert grouping.value_of(runs({"x": "y" * 999})[0], "config.x") == "y" * 59 + "…"
    assert list(grouping.groups(runs({}, group=None) + runs({}, group="a"), "group")) == ["a", NOTHING]
