"""Two ranks in one run, in both frameworks, and the same training on one device to compare with."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_runs.sampling import PARTS_OF_A_STEP, Samples, finished_run, layers_of, metrics_of, names_of
from stepscope.storage.read import Reader

EPOCHS, BATCHES = 1, 11
ALONE = {"pytorch": ["one-device", "data-parallel"], "keras": ["one-device"]}
TOGETHER = {"pytorch": "ddp-pytorch", "keras": "mirrored-keras"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    store = tmp_path_factory.mktemp("distributed") / "samples.db"
    for framework in TOGETHER:
        printed = samples.run(f"distributed_{framework}", "--epochs", str(EPOCHS), store=store)
        assert "steps a second" in printed
    return store


def ranks_of(reader: Reader, run_id: str, name: str) -> dict[int | None, int]:
    """Return rank -> number of values."""
    found = [series for series in reader.series(run_id, kind="scalar") if series.name == name]
    return {series.context.get("rank"): series.count for series in found}


@pytest.mark.parametrize("framework", TOGETHER)
def test_two_ranks_are_one_run(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        run = finished_run(reader, TOGETHER[framework])
        for name in ("loss/train", "accuracy/train"):
            assert ranks_of(reader, run.run_id, name) == {0: EPOCHS * BATCHES, 1: EPOCHS * BATCHES}
        assert names_of(reader, run.run_id, "graph") == {"model"}
        assert run.config["ranks"] == 2


@pytest.mark.parametrize("framework", TOGETHER)
def test_every_run_says_how_fast_and_how_good(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        for name in (TOGETHER[framework], *(f"{name}-{framework}" for name in ALONE[framework])):
            run = finished_run(reader, name)
            assert set(run.summary) == {
                "steps_a_second",
                *(f"{split}_{metric}" for split in ("train", "test") for metric in ("loss", "accuracy")),
            }
            assert run.summary["steps_a_second"] > 0
            assert run.summary["test_accuracy"] > 0.1


def test_replicas_learn_what_one_device_learns(store: Path) -> None:
    with Reader.open(store) as reader:
        alone, together = (finished_run(reader, name) for name in ("one-device-keras", "mirrored-keras"))
    assert alone.summary["test_loss"] == pytest.approx(together.summary["test_loss"], rel=0.02)


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        runs = [finished_run(reader, run).run_id for run in TOGETHER.values()]
        of_torch, of_keras = (metrics_of(reader, run_id) for run_id in runs)
        assert layers_of(reader, runs[0]) == layers_of(reader, runs[1]) != set()
    assert of_torch - of_keras == PARTS_OF_A_STEP
    assert of_keras <= of_torch
