"""Both networks are visualised with the same pictures at the same steps, and fooled."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_runs.sampling import (
    PARTS_OF_A_STEP,
    Samples,
    finished_run,
    images_of,
    layers_of,
    metrics_of,
    names_of,
)
from stepscope.storage.read import Reader

EPOCHS, BATCHES, CLIMB = 3, 45, 40


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    store = tmp_path_factory.mktemp("visualised") / "samples.db"
    for sample in ("network_visualisation_pytorch", "network_visualisation_keras"):
        options = ("--epochs", str(EPOCHS), "--climb", str(CLIMB))
        assert "visualised: " in samples.run(sample, *options, store=store)
    return store


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_it_records_each_way_to_look_at_each_step(store: Path, framework: str) -> None:
    trained = EPOCHS * BATCHES
    with Reader.open(store) as reader:
        run = finished_run(reader, f"visualised-{framework}")
        assert images_of(reader, run.run_id) == {
            "saliency": {epoch * BATCHES: 5 for epoch in (1, 2, 3)},
            "fooling": {trained + step: 9 for step in range(0, CLIMB + 1, 5)},
            "class_visualisation": {trained + CLIMB + step: 10 for step in range(0, CLIMB + 1, 5)},
        }
        assert names_of(reader, run.run_id, "graph") == {"model"}
        (series,) = [
            each for each in reader.series(run.run_id, kind="image") if each.name == "class_visualisation"
        ]
        *_, last = reader.records(series)
        assert reader.load(series, last).caption.startswith("a 9: ")


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_it_says_how_well_it_went(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        run = finished_run(reader, f"visualised-{framework}")
        scores = {series.name: series for series in reader.series(run.run_id, kind="scalar")}
    summary = run.summary
    assert summary["test_accuracy"] >= 0.85
    assert {"train_loss", "train_accuracy", "test_loss", "fooled_of_9", "visualised_of_10"} <= set(summary)
    assert 0 < summary["fooling_change_of_a_pixel"] < 0.3
    assert summary["visualised_read_by_other_of_10"] >= 5
    for name in ("fooling_score", "class_visualisation_score"):
        assert (scores[name].last_value or 0) > (scores[name].min_value or 0)


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        runs = [reader.find_run(f"visualised-{each}").run_id for each in ("pytorch", "keras")]
        of_torch, of_keras = (metrics_of(reader, run_id) for run_id in runs)
        assert layers_of(reader, runs[0]) == layers_of(reader, runs[1]) != set()
    assert of_torch - of_keras == PARTS_OF_A_STEP
    assert of_keras <= of_torch
