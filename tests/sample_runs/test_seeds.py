"""Each seed is a run; a framework's runs are a group, and become one line with a band."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_runs.sampling import Samples, finished_run, layers_of, metrics_of
from stepscope.app.analysis.grouping import groups
from stepscope.storage.read import Reader

FRAMEWORKS = ("pytorch", "keras")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    store = tmp_path_factory.mktemp("seeds") / "s.db"
    for framework in FRAMEWORKS:
        printed = samples.run(
            f"seeds_{framework}", "--epochs", "1", "--seeds", "2", "--seed", "7", store=store
        )
        assert "test: accuracy" in printed
    return store


def test_each_seed_is_a_run_that_ends_with_its_figures(store: Path) -> None:
    with Reader.open(store) as reader:
        for framework in FRAMEWORKS:
            runs = [finished_run(reader, f"seed-{seed}-{framework}") for seed in (7, 8)]
            assert [run.config["seed"] for run in runs] == [7, 8]
            assert runs[0].summary["train_loss"] != runs[1].summary["train_loss"]
            assert min(run.summary["test_accuracy"] for run in runs) > 0.3


def test_the_runs_are_one_group_a_framework(store: Path) -> None:
    with Reader.open(store) as reader:
        found = groups(reader.runs(project="seeds"), "group")
    assert {value: len(runs) for value, runs in found.items()} == dict.fromkeys(FRAMEWORKS, 2)


def test_all_hang_on_the_same_charts(store: Path) -> None:
    with Reader.open(store) as reader:
        runs = reader.runs(project="seeds")
        metrics = {run.name: metrics_of(reader, run.run_id) for run in runs}
        layers = [layers_of(reader, run.run_id) for run in runs]
    assert all(each == layers[0] != set() for each in layers)
    shared = set.intersection(*metrics.values())
    assert shared == metrics["seed-7-keras"]
    for metric in ("loss", "accuracy"):
        assert {(metric, "train"), (metric, "validation"), (metric, "test")} <= shared
