"""Pictures of what a Keras model sees and has learned, one call each.

Each calls the model in inference mode, on its own, and leaves it as it was; the pictures wait for it.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...storage.errors import BadInput
from ..arrays import to_array
from ..hooks import pictures
from ..hooks.layers import wanted_layers
from ..run import Run
from .input_gradient import gradient_of
from .model import walk_layers
from .tap import own_call, set_call

_keras: Any = keras  # its types say little


def log_filters(run: Run, model: Any, layer: str | None = None, *, step: int | None = None) -> None:
    """Record the filters of a layer as one picture, `filters/<layer>`.

    Args:
        run: from stepscope.init.
        model: a built Keras model.
        layer: path of a convolution, or of a dense layer (each column is drawn as a square where it can be).
            Left out, the first of them.
        step: the step of the picture; left out, the run's.
    """
    with run.guard("drawing filters"):
        path, found = _layer(model, layer)
        picture, caption = pictures.filter_grid(_filters(found))
        pictures.log_pictures(run, f"filters/{path}", [picture], [caption], step)


def log_predictions(
    run: Run,
    inputs: Any,
    outputs: Any,
    labels: Any = None,
    *,
    classes: Sequence[str] | None = None,
    most: int = pictures.MOST_SAMPLES,
    step: int | None = None,
) -> None:
    """Record samples with what was predicted for them, as `predictions`.

    Args:
        run: from stepscope.init.
        inputs: (samples, height, width, channels), as Keras' image_data_format says; numbers within 0..1,
            bytes, or any others, which are stretched to 0..1.
        outputs: (samples, classes) of scores, logits or probabilities; or (samples,) of class numbers.
        labels: (samples,) of class numbers, or one-hot.
        classes: names of the classes.
        most: how many samples are drawn at most, the first of the batch.
        step: the step of the pictures; left out, the run's.
    """
    with run.guard("drawing predictions"):
        shown = pictures.as_pictures(_channels_last(inputs[:most]), "inputs")
        right = None if labels is None else to_array(labels[:most], "labels")
        captions = pictures.prediction_captions(to_array(outputs[:most], "outputs"), right, classes)
        pictures.log_pictures(run, "predictions", shown, captions, step)


def log_feature_maps(
    run: Run,
    model: Any,
    inputs: Any,
    layers: str | Sequence[str] | None = None,
    *,
    step: int | None = None,
) -> None:
    """Record what layers return for the first sample, each as one picture, `feature_maps/<layer>`.

    Args:
        run: from stepscope.init.
        model: a built Keras model.
        inputs: a batch, as the model takes it.
        layers: a pattern such as "blocks/*/conv", or several; at most 8 layers are drawn. Left out, the
            first convolution. Outputs of (samples, height, width, channels) are drawn, others are not.
        step: the step of the pictures; left out, the run's.
    """
    with run.guard("drawing feature maps"):
        wanted = wanted_layers([_layer(model, None)[0]] if layers is None else layers)
        chosen = {path: layer for path, layer in walk_layers(model) if path and wanted(path)}
        found = _outputs_of(model, inputs, chosen)
        if not found:
            raise BadInput(
                f"no layer that fits {layers!r} returned feature maps, which have four dimensions. "
                f"The layers are {_some(path for path, _ in walk_layers(model) if path)}"
            )
        for path, maps in found.items():
            picture, caption = pictures.map_grid(maps)
            pictures.log_pictures(run, f"feature_maps/{path}", [picture], [caption], step)


def log_saliency(
    run: Run,
    model: Any,
    inputs: Any,
    target: Any = None,
    *,
    most: int = 8,
    step: int | None = None,
) -> None:
    """Record samples beside what the model's answer depends on most, as `saliency`.

    It is the gradient of one score with respect to each pixel, with Keras on TensorFlow or PyTorch.

    Args:
        run: from stepscope.init.
        model: a built Keras model that takes one batch; it returns (samples, classes), or one score a sample.
        inputs: (samples, height, width, channels), as Keras' image_data_format says; floats.
        target: whose score is explained: (samples,) of class numbers, or one number for all. Left out, the
            class with the largest score.
        most: how many samples are drawn at most, the first of the batch.
        step: the step of the pictures; left out, the run's.
    """
    with run.guard("drawing saliency"):
        given = to_array(inputs[:most], "inputs")
        some = target if target is None or np.ndim(target) == 0 else target[:most]
        gradients, explained = _input_gradients(model, given.astype(np.float32), some)
        shown = pictures.saliency_pictures(_channels_last(given), _channels_last(gradients))
        pictures.log_pictures(
            run, "saliency", shown, [f"what class {number} depends on" for number in explained], step
        )


def _layer(model: Any, path: str | None) -> tuple[str, Any]:
    layers = {name: layer for name, layer in walk_layers(model) if name}
    if path is not None:
        if not hasattr(layers.get(path), "kernel"):
            raise BadInput(f"no layer {path!r} has filters. The layers are {_some(layers)}")
        return path, layers[path]
    for words in (("Conv",), ("Dense",)):
        for name, layer in layers.items():
            if type(layer).__name__.startswith(words):
                return name, layer
    raise BadInput(f"the model has no convolution and no dense layer. The layers are {_some(layers)}")


def _some(paths: Iterable[str]) -> str:
    known = list(paths)
    return ", ".join(known[:20]) + (" ..." if len(known) > 20 else "")


def _filters(layer: Any) -> NDArray[Any]:
    """Return weights (*sizes, in, out) as filters (count, height, width, channels)."""
    kernel = to_array(layer.kernel, "a layer's weights")
    if kernel.ndim == 2:
        side = round(kernel.shape[0] ** 0.5)
        square = (side, side) if side * side == kernel.shape[0] else (1, kernel.shape[0])
        return kernel.T.reshape(kernel.shape[1], *square, 1)
    if kernel.ndim == 3:
        kernel = kernel[None]
    if kernel.ndim == 5:  # of a volume, the slice in the middle
        kernel = kernel[kernel.shape[0] // 2]
    if type(layer).__name__.endswith("Transpose"):  # (*sizes, out, in)
        return np.moveaxis(kernel, 2, 0)
    return np.moveaxis(kernel, 3, 0)


def _channels_last(batch: Any) -> NDArray[Any]:
    array = to_array(batch, "pictures")
    if array.ndim != 4:
        raise BadInput(f"pictures must be (samples, height, width, channels), but the shape is {array.shape}")
    return np.moveaxis(array, 1, 3) if _keras.config.image_data_format() == "channels_first" else array


def _outputs_of(model: Any, inputs: Any, layers: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the maps (height, width, channels) that layers make of the first sample."""
    found: dict[str, NDArray[Any]] = {}

    def noting(path: str, call: Any) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            if getattr(output, "ndim", 0) == 4 and len(found) < pictures.MOST_LAYERS:
                found[path] = _channels_last(output[:1])[0]
            return output

        return noted

    own = {path: own_call(layer) for path, layer in layers.items()}
    try:
        for path, layer in layers.items():
            set_call(layer, noting(path, layer.call))
        model(_keras.tree.map_structure(_first_sample, inputs), training=False)
    finally:
        for path, layer in layers.items():
            set_call(layer, own[path])
    return found


def _first_sample(batch: Any) -> Any:
    return batch[:1]


def _input_gradients(model: Any, batch: NDArray[Any], target: Any) -> tuple[NDArray[Any], list[int]]:
    """Return the gradient of a score with respect to the inputs, and each sample's class of it."""
    ops = _keras.ops
    scores = to_array(model(batch, training=False), "scores").reshape(len(batch), -1)
    numbers = scores.argmax(1) if target is None else np.broadcast_to(np.asarray(target), len(batch))
    chosen = ops.one_hot(numbers, scores.shape[1], dtype="float32")

    def score(given: Any) -> Any:
        return ops.sum(ops.reshape(model(given, training=False), chosen.shape) * chosen)

    gradients = gradient_of(score, ops.convert_to_tensor(batch))
    return to_array(gradients, "gradients"), [int(number) for number in numbers]
