"""However a network is written, its layers, its weights and what it learns are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sample_runs.sampling import Samples, finished_run, layers_of, metrics_of
from stepscope.storage.read import Reader

STYLES = {"pytorch": ("sequential", "subclassed"), "keras": ("sequential", "functional", "subclassed")}
LAYERS = [("conv", 160), ("dense", 8224), ("out", 330)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    store = tmp_path_factory.mktemp("styles") / "s.db"
    for framework in STYLES:
        samples.run(f"model_styles_{framework}", "--epochs", "1", store=store)
    return store


def only(reader: Reader, run_id: str, kind: str) -> Any:
    (series,) = reader.series(run_id, kind=kind)
    (record,) = reader.records(series)
    return reader.load(series, record)


@pytest.mark.parametrize("framework", list(STYLES))
def test_all_styles_have_one_table_of_layers_and_learn_the_same(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        runs = [finished_run(reader, f"{style}-{framework}") for style in STYLES[framework]]
        assert [run.group for run in runs] == list(STYLES[framework])
        tables = [only(reader, run.run_id, "table") for run in runs]
        graphs = [only(reader, run.run_id, "graph") for run in runs]
    assert all(table == tables[0] for table in tables)
    assert [(name, parameters) for name, _type, parameters in tables[0].rows] == LAYERS
    for graph in graphs:
        assert [
            (each.path, each.parameters) for each in graph.layers if each.path and each.parameters
        ] == LAYERS
    losses = [run.summary["test_loss"] for run in runs]
    assert losses == pytest.approx([losses[0]] * len(losses), rel=1e-4)


def test_all_hang_on_the_same_charts(store: Path) -> None:
    with Reader.open(store) as reader:
        runs = reader.runs(project="model-styles")
        metrics = {run.name: metrics_of(reader, run.run_id) for run in runs}
        layers = [layers_of(reader, run.run_id) for run in runs]
    assert all(each == layers[0] != set() for each in layers)
    assert set.intersection(*metrics.values()) == metrics["sequential-keras"]
    splits = {(metric, split) for metric in ("loss", "accuracy") for split in ("train", "test")}
    assert splits <= metrics["sequential-keras"]
