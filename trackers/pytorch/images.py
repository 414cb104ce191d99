"""Pictures of what a PyTorch model sees and has learned, one call each.

Each leaves the model as it was: its mode, gradients and buffers, and the random numbers to come. What runs is
a twin of the model (see twin.py) in eval mode, on the model's device; the pictures wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...storage.errors import BadInput
from ..arrays import to_array
from ..hooks import pictures
from ..hooks.layers import Wanted, wanted_layers
from ..run import Run
from .aside import random_kept
from .paths import module_path
from .twin import make_twin, named_modules, unwrap

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def log_filters(run: Run, model: nn.Module, layer: str | None = None, *, step: int | None = None) -> None:
    """Record the filters of a layer as one picture, `filters/<layer>`.

    Args:
        run: from stepscope.init.
        model: the model; wrapped by torch.compile or DataParallel, or not.
        layer: path of a convolution, or of a linear layer (each row is drawn as a square where it can be).
            Left out, the first of them.
        step: the step of the picture; left out, the run's.
    """
    with run.guard("drawing filters"):
        path, module = _layer(model, layer)
        weight = to_array(module.weight, "a layer's weights")
        picture, caption = pictures.filter_grid(_filters(weight))
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
        inputs: (samples, channels, height, width); numbers within 0..1, bytes, or any others, which are
            stretched to 0..1.
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
    model: nn.Module,
    inputs: Any,
    layers: str | Sequence[str] | None = None,
    *,
    step: int | None = None,
) -> None:
    """Record what layers return for the first sample, each as one picture, `feature_maps/<layer>`.

    Args:
        run: from stepscope.init.
        model: the model.
        inputs: what it takes; a tuple for several arguments.
        layers: a pattern such as "blocks/*/conv", or several; at most 8 layers are drawn. Left out, the
            first convolution. Outputs of (samples, channels, height, width) are drawn, others are not.
        step: the step of the pictures; left out, the run's.
    """
    with run.guard("drawing feature maps"):
        wanted = wanted_layers([_layer(model, None)[0]] if layers is None else layers)
        found = _outputs_of(model, _arguments(inputs), wanted)
        if not found:
            raise BadInput(
                f"no layer that fits {layers!r} returned feature maps, which have four dimensions. "
                f"The layers are {_some_paths(model)}"
            )
        for path, maps in found.items():
            picture, caption = pictures.map_grid(maps)
            pictures.log_pictures(run, f"feature_maps/{path}", [picture], [caption], step)


def log_saliency(
    run: Run,
    model: nn.Module,
    inputs: Any,
    target: Any = None,
    *,
    most: int = 8,
    step: int | None = None,
) -> None:
    """Record samples beside what the model's answer depends on most, as `saliency`.

    It is the gradient of one score with respect to each pixel.

    Args:
        run: from stepscope.init.
        model: the model; it returns (samples, classes), or one score a sample.
        inputs: (samples, channels, height, width), floats; a tuple for several arguments, the picture first.
        target: whose score is explained: (samples,) of class numbers, or one number for all. Left out, the
            class with the largest score.
        most: how many samples are drawn at most, the first of the batch.
        step: the step of the pictures; left out, the run's.
    """
    with run.guard("drawing saliency"):
        given, *rest = _arguments(inputs)
        some = target if target is None or np.ndim(target) == 0 else target[:most]
        gradients, explained = _input_gradients(model, (given[:most], *(a[:most] for a in rest)), some)
        shown = pictures.saliency_pictures(_channels_last(given[:most]), _channels_last(gradients))
        captions = [f"what class {number} depends on" for number in explained]
        pictures.log_pictures(run, "saliency", shown, captions, step)


def _layer(model: nn.Module, path: str | None) -> tuple[str, Any]:
    layers = {module_path(name): module for name, module in named_modules(unwrap(model))}
    if path is not None:
        if not hasattr(layers.get(path), "weight"):
            raise BadInput(f"no layer {path!r} has filters. The layers are {_some_paths(model)}")
        return path, layers[path]
    for kinds in (_CONVOLUTIONS, (nn.Linear,)):
        for name, module in layers.items():
            if isinstance(module, kinds):
                return name, module
    raise BadInput(f"the model has no convolution and no linear layer. The layers are {_some_paths(model)}")


def _some_paths(model: nn.Module) -> str:
    paths = [module_path(path) for path, _ in named_modules(unwrap(model)) if path]
    return ", ".join(paths[:20]) + (" ..." if len(paths) > 20 else "")


def _filters(weight: NDArray[Any]) -> NDArray[Any]:
    """Return weights (out, in, *sizes) as filters (count, height, width, channels)."""
    if weight.ndim == 2:
        side = round(weight.shape[1] ** 0.5)
        square = (side, side) if side * side == weight.shape[1] else (1, weight.shape[1])
        return weight.reshape(len(weight), *square, 1)
    if weight.ndim == 3:
        return weight.transpose(0, 2, 1)[:, None]
    if weight.ndim == 5:  # of a volume, the slice in the middle
        weight = weight[:, :, weight.shape[2] // 2]
    return weight.transpose(0, 2, 3, 1)


def _channels_last(batch: Any) -> NDArray[Any]:
    array = to_array(batch, "pictures")
    if array.ndim != 4:
        raise BadInput(f"pictures must be (samples, channels, height, width), but the shape is {array.shape}")
    return np.moveaxis(array, 1, 3)


def _arguments(inputs: Any) -> tuple[Any, ...]:
    return cast("Any", inputs) if isinstance(inputs, tuple) else (inputs,)


@contextmanager
def _aside(model: nn.Module, args: tuple[Any, ...]) -> Generator[tuple[nn.Module, tuple[Any, ...]]]:
    """Yield a twin in eval mode, and the arguments on its device; random numbers to come stay the same."""
    inner = unwrap(model)
    # Weights are shared, and take no gradients here.
    weights = {id(parameter): parameter.detach() for parameter in inner.parameters()}
    twin = make_twin(inner, lambda t: weights[id(t)] if id(t) in weights else t.detach().clone())
    twin.eval()
    first = next(iter(weights.values()), torch.empty(0))
    placed = tuple(a.detach().to(first.device) if isinstance(a, torch.Tensor) else a for a in args)
    with random_kept(inner):
        yield twin, placed


def _outputs_of(model: nn.Module, args: tuple[Any, ...], wanted: Wanted) -> dict[str, NDArray[Any]]:
    """Return the maps (height, width, channels) that the wanted layers make of the first sample."""
    found: dict[str, NDArray[Any]] = {}

    def note(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor) and output.dim() == 4 and len(found) < pictures.MOST_LAYERS:
                found[path] = to_array(output[0], "feature maps").transpose(1, 2, 0)

        return hook

    with _aside(model, args) as (twin, placed), torch.no_grad():
        for path, module in named_modules(twin):
            if wanted(module_path(path)):
                module.register_forward_hook(note(module_path(path)))
        twin(*placed)
    return found


def _input_gradients(model: nn.Module, args: tuple[Any, ...], target: Any) -> tuple[torch.Tensor, list[int]]:
    """Return the gradient of a score with respect to the first input, and each sample's class of it."""
    with _aside(model, args) as (twin, (given, *rest)), torch.enable_grad():
        given.requires_grad_()
        scores: torch.Tensor = twin(given, *rest)
        scores = scores.reshape(len(given), -1)
        numbers = scores.argmax(1) if target is None else torch.as_tensor(target, device=scores.device)
        numbers = numbers.long().expand(len(given))
        picked = scores.gather(1, numbers[:, None]).sum()
        (gradients,) = cast("tuple[torch.Tensor]", torch.autograd.grad(picked, given))
        return gradients, [int(number) for number in numbers]
