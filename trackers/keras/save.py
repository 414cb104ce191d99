"""Saves a Keras model in the forms that servers and devices load, each as an artifact of the run."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from ...storage.artifacts import Artifact
from ...storage.errors import BadInput
from ..run import Run

_keras: Any = keras  # its types say little


def save_model(
    run: Run,
    model: Any,
    example_input: Any = None,
    formats: Sequence[str] = ("saved_model",),
    name: str = "model",
) -> dict[str, Artifact]:
    """Save a model with a run, with size and digest; what a format cannot say is told, the others are saved.

    | format | artifact | who loads it |
    |---|---|---|
    | "saved_model" | the folder `<name>`, with `<version>/saved_model.pb` | TensorFlow Serving, Triton |
    | "litert" | `<name>.tflite` | LiteRT (TensorFlow Lite) on phones and small devices |
    | "onnx" | `<name>.onnx`, with tf2onnx installed | ONNX Runtime, Triton, OpenVINO Model Server |
    | "keras" | `<name>.keras` | keras.saving.load_model, to train on |

    The version is the run's step, as TensorFlow Serving takes the folder with the largest number.

    Args:
        run: from stepscope.init.
        model: a Keras model.
        example_input: a batch, or a structure of batches as the model takes it; needed for a model that was
            never called. The batch's length stays open.
        formats: which of those in the table; one or several.
        name: of the artifact, and of the model in a server.

    Returns:
        The artifact of each format that could be saved.
    """
    saved: dict[str, Artifact] = {}
    with run.guard("saving a model"), tempfile.TemporaryDirectory(prefix="stepscope-") as folder:
        wanted = _checked(model, formats)
        signature = _signature(model, example_input)
        for one in wanted:
            with run.guard(f"saving a model as {one}"):
                path = _FORMATS[one](model, Path(folder), name, signature, max(run.step, 1))
                facts = {"format": one, "framework": f"keras {_keras.__version__}", "step": max(run.step, 0)}
                saved[one] = run.log_artifact(path, type="model", metadata=facts)
    return saved


def _checked(model: Any, formats: Sequence[str]) -> list[str]:
    if not isinstance(model, _keras.Model):
        raise BadInput(f"save_model needs a Keras model here, but got {type(model).__name__}")
    wanted = [formats] if isinstance(formats, str) else list(formats)
    unknown = [one for one in wanted if one not in _FORMATS]
    if unknown:
        known = ", ".join(f'"{one}"' for one in _FORMATS)
        raise BadInput(f"save_model knows the formats {known}, but got {unknown[0]!r}")
    return wanted


def _signature(model: Any, example: Any) -> Any:
    """Return the inputs' shapes and types, None where the model knows them."""
    if example is None:
        if not model.built:
            raise BadInput("save_model needs an example_input of a model that was never called")
        # A functional model knows its inputs' structure, a Sequential its one input.
        inputs = getattr(getattr(model, "_functional", None) or model, "_inputs_struct", None)
        return None if inputs is None else [_keras.tree.map_structure(_spec, inputs)]
    if not model.built:
        model(example)
    return [_keras.tree.map_structure(_spec, example)]


def _spec(batch: Any) -> Any:
    dtype = _keras.backend.standardize_dtype(batch.dtype)
    return _keras.InputSpec(shape=(None, *batch.shape[1:]), dtype=dtype)


def _as_saved_model(model: Any, folder: Path, name: str, signature: Any, version: int) -> Path:
    options = {} if signature is None else {"input_signature": signature}
    model.export(folder / name / str(version), format="tf_saved_model", verbose=False, **options)
    return folder / name


def _as_litert(model: Any, folder: Path, name: str, signature: Any, version: int) -> Path:  # noqa: ARG001
    options = {} if signature is None else {"input_signature": signature}
    model.export(folder / f"{name}.tflite", format="litert", verbose=False, **options)
    return folder / f"{name}.tflite"


def _as_onnx(model: Any, folder: Path, name: str, signature: Any, version: int) -> Path:  # noqa: ARG001
    if find_spec("tf2onnx") is None and _keras.backend.backend() == "tensorflow":
        raise BadInput("it needs the package tf2onnx. Run: pip install tf2onnx")
    model.export(folder / f"{name}.onnx", format="onnx", verbose=False, input_signature=signature)
    return folder / f"{name}.onnx"


def _as_keras(model: Any, folder: Path, name: str, signature: Any, version: int) -> Path:  # noqa: ARG001
    model.save(folder / f"{name}.keras")
    return folder / f"{name}.keras"


_FORMATS: dict[str, Callable[[Any, Path, str, Any, int], Path]] = {
    "saved_model": _as_saved_model,
    "litert": _as_litert,
    "onnx": _as_onnx,
    "keras": _as_keras,
}
