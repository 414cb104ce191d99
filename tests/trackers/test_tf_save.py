"""save_model of Keras: each form is loaded by what serves it, and answers as the model does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

import stepscope  # noqa: E402
from stepscope.storage.errors import BadInput  # noqa: E402
from stepscope.trackers.keras import save_model  # noqa: E402

INPUTS = np.random.default_rng(0).random((3, 6, 6, 1), np.float32)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        yield run


@pytest.fixture
def model() -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((6, 6, 1)), *layers])


def saved_as(run: Any, model: Any, form: str, tmp_path: Path, **more: Any) -> Path:
    run.log({"loss": 1.0}, step=7)
    artifact = save_model(run, model, formats=(form,), **more)[form]
    assert artifact.size > 0
    assert len(artifact.digest) == 64
    assert artifact.metadata["format"] == form
    return Path(artifact.download(tmp_path / "models"))


def test_saved_model_in_the_folder_that_tensorflow_serving_takes(
    run: Any, model: Any, tmp_path: Path
) -> None:
    folder = saved_as(run, model, "saved_model", tmp_path)
    assert [path.name for path in folder.iterdir()] == ["7"]
    serve = tf.saved_model.load(str(folder / "7")).signatures["serving_default"]
    (answer,) = serve(tf.constant(INPUTS)).values()
    assert np.allclose(answer, model(INPUTS), atol=1e-6)


def test_litert(run: Any, model: Any, tmp_path: Path) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(
        str(saved_as(run, model, "litert", tmp_path))
    )
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], INPUTS.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], INPUTS)
    interpreter.invoke()
    assert np.allclose(interpreter.get_tensor(answer["index"]), model(INPUTS), atol=1e-6)


def test_onnx(run: Any, model: Any, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator
    session = evaluator(str(saved_as(run, model, "onnx", tmp_path)))
    (answer,) = session.run(None, {session.input_names[0]: INPUTS})
    assert np.allclose(answer, model(INPUTS), atol=1e-6)


def test_keras(run: Any, model: Any, tmp_path: Path) -> None:
    loaded: Any = keras.saving.load_model(saved_as(run, model, "keras", tmp_path, name="net"))
    assert np.allclose(loaded(INPUTS), model(INPUTS))


def test_a_model_of_ones_own_that_was_never_called(run: Any, tmp_path: Path) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(2)

        def call(self, given: Any) -> Any:
            return self.inner(given["first"]) + given["second"]

    model = Own()
    with pytest.raises(BadInput, match="save_model needs an example_input of a model that was never called"):
        save_model(run, model)
    inputs = {"first": np.ones((4, 3), np.float32), "second": np.ones((4, 2), np.float32)}
    folder = saved_as(run, model, "saved_model", tmp_path, example_input=inputs)
    loaded = tf.saved_model.load(str(folder / "7"))
    answer = loaded.serve({key: one[:2] for key, one in inputs.items()})
    assert np.allclose(answer, model(inputs)[:2])


def test_what_cannot_be_saved_is_told(run: Any, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r'knows the formats "saved_model", .*, but got \'pickle\''):
        save_model(run, model, formats=("pickle",))
    with pytest.raises(BadInput, match="save_model needs a Keras model here, but got str"):
        save_model(run, "model")
    monkeypatch.setattr("stepscope.trackers.keras.save.find_spec", lambda _: None)
    with pytest.raises(BadInput, match="it needs the package tf2onnx"):
        save_model(run, model, formats="onnx")


def test_one_format_that_fails_leaves_the_others(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    monkeypatch.setattr("stepscope.trackers.keras.save.find_spec", lambda _: None)
    with stepscope.init(store=tmp_path / "s.db") as run:
        assert list(save_model(run, model, formats=("onnx", "keras"))) == ["keras"]
    assert "while saving a model as onnx: it needs the package tf2onnx" in caplog.text
