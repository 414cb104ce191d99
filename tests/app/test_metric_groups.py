from __future__ import annotations

import numpy as np

from stepscope.app.analysis.metric_groups import by_metric, fitting, last_values, sections
from stepscope.storage.model import LastValues, Run, RunState, Series, SeriesName


def run(run_id: str, created_at: float) -> Run:
    return Run(run_id, "p", run_id, RunState.FINISHED, created_at, created_at)


def series(run_id: str, *names: str) -> list[Series]:
    return [Series(run_id, place, name, "scalar") for place, name in enumerate(names)]


RUNS = (run("keras", 2.0), run("torch", 1.0))
FOUND = [
    *series("keras", "batch_loss", "epoch_val_loss"),
    *series("torch", "loss/train", "loss/val", "system/cpu"),
]


def test_a_keras_and_a_torch_run_hang_on_one_chart_the_older_first() -> None:
    metrics = by_metric(RUNS, FOUND)
    assert list(metrics) == ["loss", "system/cpu"]
    assert [one.words(one.run.name) for one in metrics["loss"]] == [
        "torch · train",
        "torch · validation",
        "keras · train · per batch",
        "keras · validation · per epoch",
    ]


def test_ranks_are_told_apart() -> None:
    ranked = Series("torch", 9, "loss", "scalar", {"rank": 1, "split": "val"})
    (one,) = by_metric(RUNS, [ranked])["loss"]
    assert one.words("torch") == "torch · validation · rank 1"


def test_a_filter_is_an_expression_or_else_plain_text() -> None:
    metrics = by_metric(RUNS, FOUND)
    assert list(fitting(metrics, "LOSS")) == []
    assert list(fitting(metrics, "loss|acc")) == ["loss"]
    assert list(fitting(metrics, "epoch_val")) == ["loss"]
    assert list(fitting(metrics, "(")) == list(metrics)
    assert list(fitting(metrics, "")) == list(metrics)


def test_sections() -> None:
    metrics = ["system/cpu", "zeta", "loss", "head/loss", "learning_rate/0", "accuracy", "gradient_norm"]
    assert sections(metrics) == {
        "metrics": ["loss", "accuracy", "zeta"],
        "training": ["gradient_norm", "learning_rate/0"],
        "head": ["head/loss"],
        "system": ["system/cpu"],
    }


def test_losses_of_several_networks_come_before_what_hooks_log() -> None:
    metrics = ["step_time/generator", "loss/generator", "head/loss", "accuracy/top5", "sure_digits"]
    assert list(sections(metrics)) == ["metrics", "loss", "accuracy", "training", "head"]


def test_last_values_are_those_of_the_metrics_that_most_runs_have() -> None:
    names = ("acc", "batch_loss", "epoch_loss", "loss", "system/cpu", "rare")
    found = LastValues(
        run_ids=("new", "old", "empty"),
        names=(*(SeriesName(name, "scalar") for name in names), SeriesName("loss", "scalar", {"rank": 1})),
        run=np.array([0, 0, 0, 0, 0, 1, 1, 1]),
        name=np.array([2, 1, 0, 4, 6, 3, 0, 5]),
        value=np.array([0.5, 9.0, np.inf, 7.0, 8.0, 0.25, 0.75, 6.0]),
        min=np.zeros(8),
        max=np.ones(8),
        step=np.zeros(8, np.int64),
    )
    every = {"accuracy": [np.inf, 0.75, None], "loss · train": [0.5, None, None], "rare": [None, 6.0, None]}
    assert last_values(found, 10) | every == last_values(found, 10)
    assert list(last_values(found, 1)) == ["accuracy"]
    values, whole = np.array([]), np.array([], np.int64)
    nothing = LastValues((), (), whole, whole, values, values, values, whole)
    assert last_values(nothing, 5) == {}
