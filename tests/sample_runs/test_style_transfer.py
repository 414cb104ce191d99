"""Both paint: content, style and result at the same steps; with given weights, too."""

from __future__ import annotations

import subprocess
import sys
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

EPOCHS, BATCHES, STEPS = 1, 23, 20


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    store = tmp_path_factory.mktemp("style") / "samples.db"
    for sample in ("style_transfer_pytorch", "style_transfer_keras"):
        options = ("--epochs", str(EPOCHS), "--steps", str(STEPS), "--size", "32")
        assert "Features: a small network that" in samples.run(sample, *options, store=store)
    return store


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_it_records_content_style_and_result(store: Path, framework: str) -> None:
    trained = EPOCHS * BATCHES
    with Reader.open(store) as reader:
        run = finished_run(reader, f"style-{framework}")
        assert images_of(reader, run.run_id) == {
            "content": {0: 1},
            "style": {0: 1},
            "result": {trained + step: 1 for step in range(0, STEPS + 1, 10)},
        }
        assert names_of(reader, run.run_id, "graph") == {"model"}
        assert run.config["features"].startswith("a small network that learned")
        assert run.config["features"] in run.notes
        assert {"train_loss", "train_accuracy", "test_loss", "test_accuracy"} <= set(run.summary)
        assert run.summary["style_loss"] < run.summary["style_loss_at_first"]
        assert 0 < run.summary["content_loss"] < 10


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        runs = [reader.find_run(f"style-{each}").run_id for each in ("pytorch", "keras")]
        of_torch, of_keras = (metrics_of(reader, run_id) for run_id in runs)
        assert layers_of(reader, runs[0]) == layers_of(reader, runs[1]) != set()
    assert of_torch - of_keras == PARTS_OF_A_STEP
    assert of_keras <= of_torch


def test_pytorch_takes_the_weights_of_vgg_16(tmp_path: Path, samples: Samples) -> None:
    torch = pytest.importorskip("torch")
    plan = (
        (0, 3, 64),
        (2, 64, 64),
        (5, 64, 128),
        (7, 128, 128),
        (10, 128, 256),
        (12, 256, 256),
        (14, 256, 256),
    )
    layers = {number: torch.nn.Conv2d(channels, filters, 3) for number, channels, filters in plan}
    weights = {
        f"features.{number}.{name}": values
        for number, layer in layers.items()
        for name, values in layer.state_dict().items()
    }
    torch.save(weights, tmp_path / "weights.pth")
    paint_with_weights("pytorch", tmp_path / "weights.pth", samples)


@pytest.mark.long
def test_keras_takes_the_weights_of_vgg_16(tmp_path: Path, samples: Samples) -> None:
    make = (
        "import keras; model = keras.applications.VGG16(include_top=False, weights=None); "
        "model.save_weights('vgg16.weights.h5')"
    )
    subprocess.run([sys.executable, "-c", make], cwd=tmp_path, check=True)
    paint_with_weights("keras", tmp_path / "vgg16.weights.h5", samples)


def paint_with_weights(framework: str, weights: Path, samples: Samples) -> None:
    store = weights.parent / "samples.db"
    options = ("--weights", weights, "--steps", "1", "--size", "16")
    printed = samples.run(f"style_transfer_{framework}", *options, store=store)
    assert f"Features: VGG-16, from {weights.name}" in printed
    with Reader.open(store) as reader:
        run = finished_run(reader, f"style-{framework}")
        assert images_of(reader, run.run_id)["result"] == {0: 1}
        assert "test_loss" not in run.summary
