"""Settings and metrics as columns, and what a setting means for a metric."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import stepscope
from stepscope.app.analysis.importance import FEWEST, first, ranking
from stepscope.app.analysis.metric_goals import more_is_better
from stepscope.app.analysis.trials import Column, Trials, column_of, trials_of, values_of, within
from stepscope.storage.metric_definitions import MetricDefinition
from stepscope.storage.name_rules import Naming
from stepscope.storage.read import Reader
from stepscope.storage.read_hparams import hparams_of


def read(store: str) -> Trials:
    with Reader.open(store) as reader:
        runs = reader.runs()
        ids = [run.run_id for run in runs]
        return trials_of(runs, reader.last_values(ids), hparams_of(reader, ids), Naming())


def test_what_differs_becomes_columns_and_what_is_the_same_is_told(store_url: str) -> None:
    for number, rate in enumerate((0.1, 0.001)):
        config = {
            "lr": rate,
            "opt": {"name": "sgd" if number else "adam"},
            "epochs": 3,
            "folder": f"/{number}",
            "schedule": "cosine" if number else None,
        }
        with stepscope.init(store=store_url, config=config, name=f"trial {number}") as run:
            for step, loss in enumerate((3.0, 1.0 + number, math.inf)):
                run.log({"val/loss": loss, "system/cpu_percent": 9.0, "train/loss": loss}, step=step)
            if number:
                run.log({"trial": stepscope.HParams({"lr": 0.002, "width": 8}, {"best": 0.5})}, step=0)
                run.summary["note"] = "text"
                run.summary["size"] = 7
    found = read(store_url)
    assert found.same == {"epochs": "3"}
    assert {name: [column.cell(row) for row in (0, 1)] for name, column in found.parameters.items()} == {
        "folder": ["/1", "/0"],
        "lr": [0.002, 0.1],
        "opt.name": ["sgd", "adam"],
        "schedule": ["cosine", None],
        "width": [8.0, None],
    }
    assert list(found.metrics) == ["loss · validation", "loss · train", "best", "summary size"]
    loss = found.metrics["loss · validation"]
    np.testing.assert_array_equal(values_of(loss, "min"), [2.0, 1.0])
    np.testing.assert_array_equal(values_of(loss, "max"), [3.0, 3.0])
    np.testing.assert_array_equal(values_of(loss, "last"), [math.nan, math.nan])
    assert loss.logged_as == {"val/loss"}
    np.testing.assert_array_equal(found.metrics["best"].last, [0.5, math.nan])


def test_a_damaged_trial_does_not_hide_the_others(store_url: str) -> None:
    from pages import change

    ids: list[str] = []
    for name in ("sound", "damaged"):
        with stepscope.init(store=store_url, name=name, config={"of": name}) as run:
            run.log({"trial": stepscope.HParams({"width": 8})}, step=0)
            ids.append(run.id)
    change(store_url, f"UPDATE records SET payload = x'00' WHERE run_id = '{ids[1]}'")
    assert Path(store_url).exists()
    with Reader.open(store_url) as reader:
        assert {one: dict(said.values) for one, said in hparams_of(reader, ids).items()} == {
            ids[0]: {"width": 8}
        }


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([0.1, 0.001, None], True),
        ([16, 32, 64], True),
        ([0.1, 0.2, 0.3], False),
        ([0.005, *(number / 20 for number in range(1, 13))], False),
        ([10.0**-power for power in range(6)], True),
        ([0.0, 0.1, 100.0], False),
        ([-1.0, 1000.0], False),
        ([None, None], False),
    ],
)
def test_numbers_that_span_decades_lie_on_a_logarithmic_axis(values: list[float | None], log: bool) -> None:
    column = column_of("x", values)
    assert column.log is log
    assert column.words == ()
    known = np.isfinite(column.numbers)
    np.testing.assert_allclose(
        column.places[known], np.log10(column.numbers[known]) if log else column.numbers[known]
    )


def test_words_truth_values_and_what_is_no_number_are_places() -> None:
    column = column_of("x", ["b", "a", None, True, 10**400, ["a", 1]])
    assert column.words == tuple(sorted(["b", "a", "True", f"{'1' + '0' * 58}…", "['a', 1]"]))
    assert [column.text(row) for row in range(4)] == ["b", "a", None, "True"]
    assert column_of("seed", [10**400, 5, math.nan]).cell(0) is None


def test_a_range_keeps_what_lies_in_it_and_drops_what_is_missing() -> None:
    column = column_of("lr", [0.1, 0.01, None, 0.001])
    np.testing.assert_array_equal(
        within([(column, (-2.5, -0.5))], 4), [True, True, False, False][:1] * 2 + [False] * 2
    )
    assert within([], 4).all()


def data(rows: int) -> tuple[list[Column], np.ndarray]:
    rng = np.random.default_rng(0)
    rate, kind, noise = 10 ** rng.uniform(-4, -1, rows), rng.choice(["a", "b"], rows), rng.normal(size=rows)
    metric = np.log10(rate) + 0.5 * (kind == "b") + 0.05 * rng.normal(size=rows)
    columns = [
        column_of("rate", rate.tolist()),
        column_of("kind", kind.tolist()),
        column_of("noise", noise.tolist()),
    ]
    return [*columns, column_of("same", [1] * rows)], metric


def test_what_matters_comes_first_with_its_direction_the_same_each_time() -> None:
    columns, metric = data(120)
    metric[:3] = math.nan
    found = ranking(columns, metric)
    assert found is not None
    assert [one.name for one in found.settings] == ["rate", "kind", "noise"]
    rate, kind, noise = found.settings
    assert rate.share > 0.7 > kind.share > 0.01 > noise.share
    assert rate.correlation is not None
    assert rate.correlation > 0.8
    assert kind.correlation is None
    assert sum(one.share for one in found.settings) == pytest.approx(1)
    assert (found.runs, found.warning) == (117, "")
    assert found.explained > 0.8
    assert ranking(columns, metric) == found


def test_the_first_look_is_at_what_matters_also_where_the_best_is_in_the_middle() -> None:
    columns, _ = data(120)
    rng = np.random.default_rng(1)
    metric = (np.log10(columns[0].numbers) + 2.5) ** 2 + 0.01 * rng.normal(size=120)
    assert [one.name for one in first(columns[::-1], metric, 1)] == ["rate"]
    assert "rate" in [one.name for one in first(columns, metric, 2)]
    assert first(columns, metric, 9) == columns
    assert first(columns, np.full(120, np.nan), 2) == columns[:2]


def test_few_runs_are_warned_of_and_fewer_are_refused() -> None:
    columns, metric = data(20)
    found = ranking(columns, metric)
    assert found is not None
    assert found.warning.startswith(("Only 20 runs", "The settings explain next to nothing"))
    columns, metric = data(FEWEST - 1)
    assert ranking(columns, metric) is None
    assert ranking([], np.arange(50.0)) is None
    assert ranking([column_of("x", list(range(50)))], np.ones(50)) is None


def test_the_good_end_of_a_metric_is_its_name_unless_it_was_defined() -> None:
    assert more_is_better("accuracy")
    assert not more_is_better("loss")
    assert more_is_better("samples_per_second")
    defined = MetricDefinition("val/*", None, (), "maximize", hidden=False)
    assert more_is_better("loss", ["val/loss"], [defined])
    assert not more_is_better("loss", ["train/loss"], [defined])
    drawn_over = MetricDefinition("*", step_metric="epoch", summary=(), goal="minimize", hidden=False)
    assert more_is_better("accuracy", ["accuracy"], [drawn_over])
