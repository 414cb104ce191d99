"""Pictures of Keras models: drawn is what a calculation by hand gives, and the model stays as it was."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

import stepscope  # noqa: E402
from stepscope.storage.errors import BadInput  # noqa: E402
from stepscope.trackers.hooks.pictures import filter_grid, map_grid, saliency_pictures  # noqa: E402
from stepscope.trackers.keras import log_feature_maps, log_filters, log_predictions, log_saliency  # noqa: E402
from stored import Stored  # noqa: E402


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        yield run


@pytest.fixture
def model() -> Any:
    keras.utils.set_random_seed(0)
    block = keras.Sequential([keras.layers.Conv2D(4, 3, activation="relu", name="conv")], name="block")
    layers = [block, keras.layers.BatchNormalization(name="norm"), keras.layers.Flatten()]
    return keras.Sequential([keras.Input((8, 6, 1)), *layers, keras.layers.Dense(3, name="head")])


@pytest.fixture
def pictures() -> Any:
    return np.random.default_rng(0).random((5, 8, 6, 1), np.float32)


def drawn(run: Any, name: str) -> list[Any]:
    stored = Stored(run)
    series = stored.series["image", name]
    found = [stored.reader.load(series, record) for record in stored.reader.records(series)]
    return [(np.array(PIL.Image.open(io.BytesIO(one.data))), one.caption) for one in found]


def as_bytes(picture: Any) -> Any:
    pixels = np.rint(picture * 255).astype(np.uint8)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def test_filters(run: Any, model: Any) -> None:
    log_filters(run, model)
    kernel = model.layers[0].layers[0].kernel.numpy()
    ((picture, caption),) = drawn(run, "filters/block/conv")
    assert np.allclose(picture, as_bytes(filter_grid(kernel.transpose(3, 0, 1, 2))[0]), atol=1)
    assert caption.startswith("4 filters of 3 x 3 x 1")
    log_filters(run, model, "head", step=3)
    ((_, caption),) = drawn(run, "filters/head")
    assert caption.startswith("3 filters of 1 x 96 x 1")
    with pytest.raises(BadInput, match=r"no layer 'norm' has filters\. The layers are .*block/conv, norm"):
        log_filters(run, model, "norm")


def test_predictions(run: Any, pictures: Any) -> None:
    scores = np.eye(3)[[0, 1, 2, 0, 0]] * 100.0
    log_predictions(run, pictures, scores, np.array([0, 1, 1, 0, 0]), classes=["a", "b", "c"], most=3)
    found = drawn(run, "predictions")
    assert [caption for _, caption in found] == ["a · 100 % ✓", "b · 100 % ✓", "c · 100 % ✗ (is b)"]
    assert np.allclose(found[0][0], as_bytes(pictures[0]), atol=1)


def test_feature_maps(run: Any, model: Any, pictures: Any) -> None:
    model.compile("sgd", "mse")
    model.fit(pictures, np.zeros((5, 3)), verbose=0)  # pyright: ignore[reportArgumentType]
    mean = model.get_layer("norm").moving_mean.numpy()
    log_feature_maps(run, model, pictures)
    log_feature_maps(run, model, pictures, ["norm", "head"])
    truth = model.layers[0](pictures[:1]).numpy()[0]
    ((picture, caption),) = drawn(run, "feature_maps/block/conv")
    assert np.allclose(picture, as_bytes(map_grid(truth)[0]), atol=1)
    assert caption.startswith("4 maps of 6 x 4")
    assert Stored(run).names("feature_maps/") == {"feature_maps/block/conv", "feature_maps/norm"}
    assert np.array_equal(model.get_layer("norm").moving_mean.numpy(), mean)
    assert not [layer for layer in model._flatten_layers() if "call" in vars(layer)]
    with pytest.raises(BadInput, match="no layer that fits 'head' returned feature maps"):
        log_feature_maps(run, model, pictures, "head")


def test_saliency(run: Any, model: Any, pictures: Any) -> None:
    log_saliency(run, model, pictures, target=1, most=2)
    given = tf.constant(pictures[:2])
    with tf.GradientTape() as tape:
        tape.watch(given)
        score = tf.reduce_sum(model(given)[:, 1])
    truth = saliency_pictures(pictures[:2], tape.gradient(score, given).numpy())
    found = drawn(run, "saliency")
    assert [caption for _, caption in found] == ["what class 1 depends on"] * 2
    assert all(np.allclose(p, as_bytes(t), atol=1) for (p, _), t in zip(found, truth, strict=True))
    log_saliency(run, model, pictures, step=9)
    best = model(pictures).numpy().argmax(1)
    assert [c for _, c in drawn(run, "saliency")[2:]] == [
        f"what class {number} depends on" for number in best
    ]
