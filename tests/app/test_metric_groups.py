from __future__ import annotations

from stepscope.app.metric_groups import by_metric, fitting, sections
from stepscope.storage.model import Run, RunState, Series


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
    assert list(fitting(metrics, "(")) == []
    assert list(fitting(metrics, "")) == list(metrics)


def test_sections() -> None:
    metrics = ["system/cpu", "zeta", "loss", "head/loss", "learning_rate/0", "accuracy", "gradient_norm"]
    assert sections(metrics) == {
        "metrics": ["loss", "accuracy", "zeta"],
        "training": ["gradient_norm", "learning_rate/0"],
        "head": ["head/loss"],
        "system": ["system/cpu"],
    }
