"""Both GANs draw after each epoch, keep the weights of both networks, and count what can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_runs.sampling import Samples, finished_run, images_of, layers_of, metrics_of, names_of
from stepscope.storage.read import Reader

EPOCHS, BATCHES = 2, 7


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    store = tmp_path_factory.mktemp("gan") / "samples.db"
    options = ("--epochs", str(EPOCHS), "--batch-size", "256")
    for sample in ("gan_pytorch", "gan_keras"):
        assert "of the drawings are surely digits" in samples.run(sample, *options, store=store)
    return store


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_it_records_what_is_drawn_and_both_networks(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        run = finished_run(reader, f"gan-{framework}")
        assert images_of(reader, run.run_id) == {"drawn": {BATCHES: 1, 2 * BATCHES: 1}}
        assert names_of(reader, run.run_id, "graph") == {"model/generator", "model/discriminator"}
        weights = {name for name in names_of(reader, run.run_id, "histogram") if name.startswith("weights/")}
        assert {name.rpartition("/")[0] for name in weights} >= {
            f"weights/{network}/{layer}"
            for network in ("generator", "discriminator")
            for layer in ("dense1", "dense2", "out")
        }
        scalars = {series.name: series for series in reader.series(run.run_id, kind="scalar")}
        assert {scalars[f"loss/{each}"].count for each in ("generator", "discriminator")} == {
            EPOCHS * BATCHES
        }
        assert scalars["sure_digits"].last_value == run.summary["sure_digits"]
        assert scalars["classes_drawn"].last_value == run.summary["classes_drawn"]


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        runs = [reader.find_run(f"gan-{each}").run_id for each in ("pytorch", "keras")]
        of_torch, of_keras = (metrics_of(reader, run_id) for run_id in runs)
        assert layers_of(reader, runs[0]) == layers_of(reader, runs[1]) != set()
    # A step of the twin is one traced function, whose parts have no times of their own.
    assert {metric.partition("/")[0] for metric, _ in of_torch - of_keras} == {
        f"{part}_time" for part in ("data", "forward", "backward", "optimizer")
    }
    assert of_keras <= of_torch
