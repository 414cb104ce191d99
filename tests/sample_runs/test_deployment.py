"""Every serving form is an artifact that answers as the model does, with its size and its latency."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_runs.sampling import PARTS_OF_A_STEP, Samples, finished_run, layers_of, metrics_of
from stepscope.storage.artifacts import artifacts_of_run
from stepscope.storage.read import Reader

FORMS = {"pytorch": ["export", "torchscript"], "keras": ["saved_model", "litert"]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    pytest.importorskip("ai_edge_litert")
    store = tmp_path_factory.mktemp("deployment") / "samples.db"
    for framework in FORMS:
        printed = samples.run(f"deployment_{framework}", "--epochs", "1", "--calls", "5", store=store)
        assert "test: loss" in printed
    return store


@pytest.mark.parametrize("framework", FORMS)
def test_every_form_answers_as_the_model_does(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        run = finished_run(reader, f"deployment-{framework}")
        artifacts = artifacts_of_run(reader, run.run_id)
        assert {artifact.metadata["format"] for artifact in artifacts} == set(FORMS[framework])
        (table,) = reader.series(run.run_id, kind="table")
        (record,) = reader.records(table)
        rows = reader.load(table, record).rows
    assert [row[0] for row in rows] == ["in_program", *FORMS[framework]]
    for form, size, one, many, difference in rows:
        assert 20_000 < size < 1_000_000
        assert min(one, many) > 0
        assert difference < 1e-4
        kept = [f"{form}_{what}" for what in ("latency_ms_1", "latency_ms_64", "difference")]
        assert [run.summary[key] for key in kept] == [one, many, difference]
        assert run.summary[f"{form}_size_kib"] == size / 1024
    assert {"train_loss", "train_accuracy", "test_loss", "test_accuracy"} <= set(run.summary)


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        runs = [finished_run(reader, f"deployment-{framework}").run_id for framework in FORMS]
        of_torch, of_keras = (metrics_of(reader, run_id) for run_id in runs)
        assert layers_of(reader, runs[0]) == layers_of(reader, runs[1]) != set()
    assert of_torch - of_keras == PARTS_OF_A_STEP
    assert of_keras <= of_torch
