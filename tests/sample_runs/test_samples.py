"""The samples run as a user runs them, learn, and hang on one chart per metric."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from stepscope.storage.artifacts import artifacts_of_run
from stepscope.storage.kinds import KINDS
from stepscope.storage.names import parse_name
from stepscope.storage.read import Reader
from support import ROOT, run_python

SAMPLES = ROOT / "sample_runs"


def run_digits(framework: str, store: Path) -> str:
    pytest.importorskip({"pytorch": "torch", "keras": "tensorflow"}[framework])
    sample = SAMPLES / f"digits_{framework}.py"
    return run_python(sample, "--epochs", "8", "--store", store, "--device", "cpu", STEPSCOPE_STRICT="1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("samples") / "samples.db"
    for framework in ("pytorch", "keras"):
        printed = run_digits(framework, store)
        assert "test: loss" in printed
    return store


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_it_learns_and_records_everything(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        run = reader.find_run(f"digits-{framework}")
        assert run.state == "finished"
        assert run.dropped == {}
        assert run.summary["test_accuracy"] >= 0.95
        names = {series.name for series in reader.series(run.run_id)}
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
        assert (model.type, model.metadata["step"]) == ("model", 8 * 68)


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        metrics: dict[str, set[tuple[Any, ...]]] = {}
        last_steps: set[int | None] = set()
        for run in reader.runs(project="digits"):
            scalars = [
                s for s in reader.series(run.run_id, kind="scalar") if not s.name.startswith("system/")
            ]
            parsed = [parse_name(series.name, series.context) for series in scalars]
            metrics[run.name] = {(name.metric, name.split) for name in parsed}
            last_steps.add(max(series.last_step or 0 for series in scalars))
    # A step of model.fit is one traced function, whose parts have no times of their own.
    parts = {(f"{part}_time", None) for part in ("data", "forward", "backward", "optimizer")}
    assert metrics["digits-pytorch"] - metrics["digits-keras"] == parts
    assert metrics["digits-keras"] <= metrics["digits-pytorch"]
    assert {("loss", "train"), ("loss", "validation"), ("accuracy", "test")} <= metrics["digits-keras"]
    assert last_steps == {8 * 68}  # both count batches in the same way


def test_every_kind_is_there(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    run_python(SAMPLES / "every_kind.py", "--store", store, STEPSCOPE_STRICT="1")
    with Reader.open(store) as reader:
        run = reader.find_run("every-kind")
        series = {s.kind: s for s in reader.series(run.run_id) if not s.name.startswith("system/")}
        assert set(series) == {kind.name for kind in KINDS}
        assert series["scalar"].nan_count == 1
        assert run.summary["best_loss"] == series["scalar"].min_value
        for kind in set(series) - {"scalar"}:
            records = reader.records(series[kind])
            assert reader.load(series[kind], records[0]) is not None
        assert math.isfinite(series["scalar"].last_value or math.nan)
