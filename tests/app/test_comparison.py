"""What runs differ in, what they reached, and where their curves part."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import stepscope
from made_runs import BATCHES, EPOCHS, compared, train
from stepscope.app.comparison.changes import CodeDifference, code_difference
from stepscope.app.comparison.compare import Comparison, axes, partings
from stepscope.app.comparison.curves import Axis, Curve, averaged, parting, together
from stepscope.app.comparison.facts import facts_of, machines
from stepscope.app.comparison.metrics import MetricRow, higher_is_better
from stepscope.app.comparison.repeats import spreads
from stepscope.app.comparison.targets import arrivals, default_target
from stepscope.app.comparison.words import in_short
from stepscope.app.views.words import NOTHING
from stepscope.storage.model import Run, RunState


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """A PyTorch and a Keras run of one task, the second worse from epoch 10 on."""
    store = str(tmp_path_factory.mktemp("pair") / "store.db")
    ids = [train(store, "torch"), train(store, "keras", "keras", shift=0.3, seed=1, config={"lr": 0.2})]
    return compared(store, ids)


def row(found: Comparison, name: str) -> MetricRow:
    return next(one for one in found.metrics if one.name == name)


def differing(facts: Any) -> dict[str, tuple[str, ...]]:
    return {fact.name: fact.values for fact in facts if fact.differs}


def test_both_frameworks_land_on_one_row_without_renaming(pair: Comparison) -> None:
    assert [one.name for one in pair.metrics] == [
        "loss · validation",
        "loss · train",
        "accuracy · validation",
    ]
    assert all(all(cell is not None for cell in one.cells) for one in pair.metrics)


def test_batches_are_averaged_over_epochs_where_the_other_run_logs_epochs(pair: Comparison) -> None:
    torch, keras = row(pair, "loss · train").cells
    assert torch
    assert keras
    assert (torch.note, keras.note) == ("mean of an epoch", "")
    assert torch.curve
    assert len(torch.curve) == EPOCHS
    assert torch.points
    assert torch.last == pytest.approx(torch.points.mean[-BATCHES:].mean())


def test_final_and_best_values(pair: Comparison) -> None:
    loss, accuracy = row(pair, "loss · validation"), row(pair, "accuracy · validation")
    assert loss.last[1] == pytest.approx(np.exp(-4) + 0.3, abs=0.05)
    best = [one for one in loss.best if one]
    assert best[0].step in range(15 * BATCHES, EPOCHS * BATCHES + 1)
    assert best[1].step == 10 * BATCHES
    assert best[0].value < best[1].value
    assert [one.value for one in accuracy.best if one] == [pytest.approx(1 - one.value / 4) for one in best]


def test_the_time_to_a_value(pair: Comparison) -> None:
    accuracy = row(pair, "accuracy · validation")
    target = default_target(accuracy)
    assert target
    worst = min(one.value for one in accuracy.best if one)
    assert target == pytest.approx(0.95 * worst, rel=1e-3)
    assert [one.step for one in arrivals(accuracy, target) if one] == [60, 60]
    assert [one.step if one else None for one in arrivals(accuracy, 0.98)] == [130, None]
    assert all(one.seconds > 0 for one in arrivals(accuracy, target) if one)


def test_a_target_below_zero_is_still_one_that_all_reach(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        for value in (-1.0, -2.0, -1.5):
            run.log({"loss": value})
    (one,) = compared(store_url, [run.id]).metrics
    assert default_target(one) == pytest.approx(-1.9)
    assert [each.step for each in arrivals(one, -1.9) if each] == [1]


def test_what_a_run_said_of_its_metrics_goes_before_their_names(store_url: str) -> None:
    ids: list[str] = []
    for best in (1.0, 2.0):
        with stepscope.init(store=store_url, name=f"best {best}") as run:
            run.define_metric("odds", goal="maximize")
            for value in (0.5, best):
                run.log({"odds": value, "loss": value})
            ids.append(run.id)
    found = compared(store_url, ids)
    assert {one.name: one.higher_is_better for one in found.metrics} == {"odds": True, "loss": False}
    assert [one.value for one in row(found, "odds").best if one] == [1.0, 2.0]


def test_what_costs_are_known(pair: Comparison) -> None:
    known = {cost.name: cost.values for cost in pair.costs}
    assert known["Throughput, median"] == (100.0, 200.0)
    assert known["Step time, 95 % below"] == (pytest.approx(10.0), pytest.approx(10.0))
    assert known["Parameters"] == (96, 96)
    assert known["FLOPs of one sample, forward"] == (192, 192)
    assert all(value is not None and 0 <= value < 20 for value in known["Time to the first step"])
    assert "Peak memory of a GPU" not in known


def test_the_peak_of_a_device_is_that_of_all_devices(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        run.log({"memory/cuda:0/peak": 3e9, "memory/cuda:1/peak": 2e9, "memory/cuda:0/allocated": 9e9})
        run.log({"memory/cuda:0/peak": 4e9})
    known = {cost.name: cost.values for cost in compared(store_url, [run.id]).costs}
    assert known["Peak memory of a GPU"] == (4.0,)


def test_curves_part_at_the_step_from_which_they_differ(pair: Comparison) -> None:
    found = {(one.row.name, one.axis): one.parting for axis in Axis for one in partings(pair, axis)}
    for name in ("loss · validation", "loss · train"):
        assert found[name, Axis.STEP].at == 11 * BATCHES
        assert found[name, Axis.EPOCH].at == 11
        assert found[name, Axis.STEP].higher
        assert found[name, Axis.STEP].gap == pytest.approx(0.3, abs=0.03)
        assert not found[name, Axis.STEP].meet
    assert not found["accuracy · validation", Axis.STEP].higher
    assert axes(pair) == tuple(Axis)


def test_a_run_beside_itself_differs_in_nothing(store_url: str) -> None:
    run_id = train(store_url, "only")
    found = compared(store_url, [run_id, run_id])
    for facts in (found.config, found.packages, found.environment, found.repository, found.summary):
        assert not differing(facts)
    assert {one.parting.at for one in partings(found, Axis.STEP)} == {None}
    assert found.graphs[0].alignment.same


def test_two_seeds_of_one_training_never_part(store_url: str) -> None:
    found = compared(store_url, [train(store_url, "a"), train(store_url, "a", seed=3)])
    assert {one.parting.at for one in partings(found, Axis.STEP)} == {None}
    assert not any(one.parting.reason for one in partings(found, Axis.STEP))


def test_runs_with_nothing_in_common(store_url: str) -> None:
    with stepscope.init(store=store_url, config={"a": 1}) as one:
        one.log({"loss": 1.0})
    with stepscope.init(store=store_url, config={"b": 2}) as two:
        two.log({"reward": 1.0})
    found = compared(store_url, [one.id, two.id])
    assert differing(found.config) == {"a": ("1", NOTHING), "b": (NOTHING, "2")}
    assert {each.name: each.last for each in found.metrics} == {"loss": (1.0, None), "reward": (None, 1.0)}
    assert partings(found, Axis.STEP) == ()
    assert axes(found) == (Axis.STEP, Axis.RELATIVE)


def test_what_is_not_known_of_the_code_is_no_difference(pair: Comparison) -> None:
    def last(known: bool, same: bool) -> str:
        code = (CodeDifference("", known=known, same=same),)
        return in_short(replace(pair, code=code), None, None, [])[-1]

    # How much the machine's facts differ depends on what this process had loaded when the first run began.
    told = r"Different: 1 of config, \d+ of machine and settings\. The same: packages\."
    assert re.fullmatch(told, last(known=False, same=False))
    assert "machine and settings, code. The same: packages." in last(known=True, same=False)
    assert last(known=True, same=True).endswith("The same: packages, code.")


def test_repetitions_are_told_by_their_median_and_spread(store_url: str) -> None:
    ids = [train(store_url, "a", seed=seed) for seed in range(3)]
    found = compared(store_url, [*ids, train(store_url, "b")])
    (spread,) = (
        one
        for one in spreads(found, {"a": ids, "b": [found.runs[3].run.run_id]})
        if one.row.name == "loss · validation"
    )
    assert spread.group == "a"
    assert spread.values == tuple(sorted(row(found, "loss · validation").last[:3]))  # pyright: ignore
    assert spread.values[0] <= spread.median <= spread.values[-1]


def test_what_cannot_be_read_is_said_and_the_rest_is_compared(store_url: str) -> None:
    ids = [train(store_url, "good"), train(store_url, "bad")]
    with closing(sqlite3.connect(store_url)) as connection, connection:
        for table, column in (("chunks", "data"), ("records", "payload"), ("tails", "data")):
            connection.execute(f"UPDATE {table} SET {column} = x'00' WHERE run_id = ?", (ids[1],))
    found = compared(store_url, ids)
    assert any("of run bad cannot be read" in one for one in found.troubles)
    assert not any("run good" in one for one in found.troubles)
    assert all(value is not None for value in row(found, "loss · validation").last)


def test_of_a_graph_the_differing_layers_are_told(store_url: str) -> None:
    ids = [train(store_url, "torch"), train(store_url, "keras", "keras", width=16)]
    (parity,) = compared(store_url, ids).graphs
    assert not parity.alignment.same
    assert len(parity.alignment.differing) == 2


# ---- where curves part, on made ones


def noisy(
    rng: np.random.Generator, many: int, shift: float = 0.0, at: float = 0.6, scale: float = 0.02
) -> Curve:
    x = np.arange(many, dtype=np.float64)
    level = 2 * np.exp(-5 * x / many) + 0.1 + np.where(x >= at * many, shift, 0.0)
    return Curve(x, level + scale * rng.normal(size=many))


@pytest.mark.parametrize("many", [25, 100, 1000])
def test_equal_curves_with_noise_are_hardly_ever_taken_for_parted(many: int) -> None:
    rng = np.random.default_rng(0)
    false = sum(parting(noisy(rng, many), noisy(rng, many)).at is not None for _ in range(200))
    assert false <= 8


@pytest.mark.parametrize("many", [25, 100, 1000])
def test_a_known_parting_is_found(many: int) -> None:
    rng = np.random.default_rng(1)
    found = [parting(noisy(rng, many), noisy(rng, many, shift=0.1)) for _ in range(50)]
    at = [one.at / many for one in found if one.at is not None]
    assert len(at) == 50
    assert np.median(at) == pytest.approx(0.6, abs=0.05)
    assert all(one.higher for one in found)


def test_curves_that_meet_again_are_said_to() -> None:
    rng = np.random.default_rng(2)
    apart = noisy(rng, 200)
    bump = np.where((apart.x > 80) & (apart.x < 120), 0.3, 0.0)
    found = parting(noisy(rng, 200), Curve(apart.x, apart.y + bump))
    assert found.at == pytest.approx(81, abs=4)
    assert found.meet


def test_after_curves_have_crossed_the_median_tells_which_one_lies_above() -> None:
    x = np.arange(100.0)
    one = noisy(np.random.default_rng(5), 100)
    found = parting(one, Curve(x, one.y + np.where(x < 15, 1.0, -0.5)))
    assert found.at == 0
    assert (found.higher, found.gap) == (False, pytest.approx(0.5))


def test_one_odd_point_is_no_parting() -> None:
    rng = np.random.default_rng(3)
    odd = noisy(rng, 100)
    odd.y[50] += 50.0
    assert parting(noisy(rng, 100), odd).at is None


def test_rounding_is_no_difference() -> None:
    one = noisy(np.random.default_rng(4), 100)
    assert parting(one, Curve(one.x, one.y.astype(np.float32).astype(np.float64))).at is None


def test_too_few_points_tell_nothing() -> None:
    few = Curve(np.arange(3.0), np.zeros(3))
    assert "3 shared points are too few, 8 are needed" in parting(few, few).reason
    apart = Curve(np.arange(100.0, 120.0), np.zeros(20))
    assert parting(noisy(np.random.default_rng(0), 50), apart).points == 0


def test_the_denser_curve_is_averaged_over_the_places_of_the_other() -> None:
    dense = Curve(np.arange(1.0, 101.0), np.arange(1.0, 101.0))
    sparse = Curve(np.array([10.0, 20.0, 30.0]), np.zeros(3))
    x, one, _ = together(dense, sparse)
    assert x.tolist() == [10, 20, 30]
    assert one.tolist() == [5.5, 15.5, 25.5]
    assert averaged(sparse, np.array([5.0, 15.0, 40.0])).x.tolist() == [15.0, 40.0]


# ---- facts


def test_facts_of_lists_and_nothing() -> None:
    found = facts_of([{"a": [1, 2], "b": "x"}, {"a": [1, 2]}])
    assert [(one.name, one.values, one.differs) for one in found] == [
        ("a", ("[1, 2]", "[1, 2]"), False),
        ("b", ("x", NOTHING), True),
    ]


def test_settings_of_two_frameworks_are_laid_on_one_row() -> None:
    runs = [Run("1", "p", "a", RunState.FINISHED, 0, 1, framework=one) for one in ("torch", "keras")]
    torch = {"pid": 1, "reproducibility": {"torch": {"seed": 0, "autocast": None}}}
    keras = {
        "pid": 2,
        "reproducibility": {"tensorflow": {"seed": 1, "autocast": "bf16"}, "keras": {"seed": 1}},
    }
    assert differing(machines(runs, [torch, keras])) == {
        "framework": ("torch", "keras"),
        "framework.seed": ("0", "1"),
        "framework.autocast": (NOTHING, "bf16"),
        "keras.seed": (NOTHING, "1"),
    }


def git(commit: str, diff: str = "", **others: Any) -> dict[str, Any]:
    return {"git": {"commit": commit, "branch": "main", "diff": diff, **others}}


def change(name: str, line: str) -> str:
    return (
        f"diff --git a/{name} b/{name}\nindex 1..2\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-old\n+{line}\n"
    )


def test_what_is_known_of_the_code() -> None:
    same = code_difference(git("abc", change("f.py", "x")), git("abc", change("f.py", "x")))
    assert same.same
    assert same.said == "Both ran commit abc with the same uncommitted changes."
    unknown = code_difference({"git": None}, git("abc"))
    assert "of their code nothing is known" in unknown.said
    assert not unknown.known
    other = code_difference(git("abc"), git("def"))
    assert "The commits differ: abc and def. `git diff abc def` shows" in other.said
    assert not code_difference(git("abc", diff_truncated=True), git("abc")).same


def test_where_both_runs_changed_a_file_their_changes_are_compared() -> None:
    base = change("same.py", "x") + change("net.py", "width = 8")
    found = code_difference(
        git("abc", base), git("abc", change("same.py", "x") + change("net.py", "width = 9"))
    )
    assert "their uncommitted changes differ" in found.said
    assert "same.py" not in found.diff
    assert "-+width = 8" in found.diff
    assert "++width = 9" in found.diff


def test_what_one_run_alone_changed_since_the_commit_is_the_difference() -> None:
    net = change("net.py", "width = 9")
    heads = ["--- baseline: net.py", "+++ this run: net.py"]
    there = code_difference(git("abc"), git("abc", net)).diff.splitlines()
    assert there == [*heads, "@@ -1 +1 @@", "-old", "+width = 9"]
    back = code_difference(git("abc", net), git("abc")).diff.splitlines()
    assert back == [*heads, "@@ -1 +1 @@", "+old", "-width = 9"]
    endless = change("f.py", "\n+".join(map(str, range(5000))))
    assert len(code_difference(git("abc"), git("abc", endless)).diff.splitlines()) == 2001
    # Of another commit nothing is known but its name: only the changes can be compared.
    assert "changes in this run" in code_difference(git("abc"), git("def", net)).diff


@pytest.mark.parametrize(
    ("metric", "higher"),
    [("accuracy", True), ("accuracy/top5", True), ("loss", False), ("head/f1", True), ("perplexity", False)],
)
def test_which_way_is_better(metric: str, higher: bool) -> None:
    assert higher_is_better(metric) is higher
