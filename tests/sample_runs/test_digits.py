"""The digits learn, leave what every default of the hooks records, and hang on one chart per metric."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_runs.sampling import PARTS_OF_A_STEP, Samples, finished_run, layers_of, metrics_of, names_of
from stepscope.storage.artifacts import artifacts_of_run
from stepscope.storage.read import Reader

EPOCHS, BATCHES = 2, 68


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    store = tmp_path_factory.mktemp("digits") / "samples.db"
    for sample in ("digits_pytorch", "digits_keras"):
        assert "test: loss" in samples.run(sample, "--epochs", str(EPOCHS), store=store)
    return store


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_it_learns_and_records_everything(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        run = finished_run(reader, f"digits-{framework}")
        assert run.summary["test_accuracy"] >= 0.8
        assert {"train_loss", "train_accuracy", "test_loss"} <= set(run.summary)
        names = names_of(reader, run.run_id, "scalar") | names_of(reader, run.run_id, "histogram")
        assert {"learning_rate", "gradient_norm", "step_time", "samples_per_second", "epoch"} <= names
        layers = {"conv1", "conv2", "dense", "out"}
        for what in ("weights", "gradients", "activations"):
            assert layers <= {name.split("/")[1] for name in names if name.startswith(f"{what}/")}
        assert len(reader.series(run.run_id, kind="graph")) == 1
        images = {series.name: series for series in reader.series(run.run_id, kind="image")}
        assert set(images) == {"filters/conv1", "predictions", "feature_maps/conv1", "saliency"}
        first, *_ = reader.records(images["predictions"])
        assert "%" in reader.load(images["predictions"], first).caption
        (model,) = artifacts_of_run(reader, run.run_id)
        assert (model.type, model.metadata["step"]) == ("model", EPOCHS * BATCHES)


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        runs = {run.name: run.run_id for run in reader.runs(project="digits")}
        of_torch, of_keras = (metrics_of(reader, runs[f"digits-{each}"]) for each in ("pytorch", "keras"))
        assert layers_of(reader, runs["digits-pytorch"]) == layers_of(reader, runs["digits-keras"]) != set()
        last_steps = {
            max(series.last_step or 0 for series in reader.series(run_id, kind="scalar"))
            for run_id in runs.values()
        }
    assert of_torch - of_keras == PARTS_OF_A_STEP
    assert of_keras <= of_torch
    assert {("loss", "train"), ("loss", "validation"), ("accuracy", "test")} <= of_keras
    assert last_steps == {EPOCHS * BATCHES}  # both count batches in the same way
