"""What a Keras model tells about itself, the same with every backend; none of them is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...storage.kinds.graph import Layer, TensorShape

Tree = dict[str, tuple[str, ...]]
"""Path of a layer -> the names of the layers in it."""


def layer_tree(model: Any) -> Tree:
    """Return the names in each layer; the model itself has the path ""."""
    children: dict[str, list[str]] = {}
    for path, _ in walk_layers(model):
        children.setdefault(path, [])
        if path:
            parent, _, name = path.rpartition("/")
            children[parent].append(name)
    return {path: tuple(names) for path, names in children.items()}


def walk_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, layer) from the model down, each layer once, in the order of definition."""
    seen: set[int] = set()

    def walk(layer: Any, path: str) -> Iterator[tuple[str, Any]]:
        seen.add(id(layer))
        yield path, layer
        for child in getattr(layer, "_layers", ()):  # Model.layers hides inputs, and plain layers have none
            if id(child) not in seen:
                yield from walk(child, f"{path}/{child.name}" if path else str(child.name))

    yield from walk(model, "")


def layer_table(model: Any, shapes: Mapping[str, TensorShape]) -> tuple[Layer, ...]:
    """Return the model's layers; `shapes` tells output shapes that the layers cannot."""
    layers: list[Layer] = []
    for path, layer in walk_layers(model):
        inner = {id(weight) for child in getattr(layer, "_layers", ()) for weight in child.weights}
        trained = {id(weight) for weight in layer.trainable_weights}
        own = [weight for weight in layer.weights if id(weight) not in inner]
        layers.append(
            Layer(
                path,
                type(layer).__name__,
                sum(_size(weight) for weight in own),
                sum(_size(weight) for weight in own if id(weight) in trained),
                _output_shape(layer) or shapes.get(path),
            )
        )
    return tuple(layers)


class VariablePaths:
    """Names variables by their path below the model: "conv/kernel", even where Keras puts the model first."""

    def __init__(self, model: Any) -> None:
        """Name the variables of a model; None when there is none to name them by."""
        self._prefix = f"{getattr(model, 'name', '')}/"
        self._paths: dict[int, str] = {}

    def __call__(self, variable: Any) -> str:
        """Return the path; of several variables of one path, later ones get a number."""
        if id(variable) not in self._paths:
            path = str(getattr(variable, "path", None) or variable.name).partition(":")[0]
            path = path.removeprefix(self._prefix)
            same = sum(known.rpartition("#")[0] == path or known == path for known in self._paths.values())
            self._paths[id(variable)] = f"{path}#{same + 1}" if same else path
        return self._paths[id(variable)]


def raw_value(variable: Any) -> Any:
    """Return what a Keras variable holds: a variable or tensor of the backend."""
    value = getattr(variable, "value", variable)
    return variable if callable(value) else value  # in TensorFlow's own variables, value is a method


def innermost(optimizer: Any) -> Any:
    """Return the optimizer that applies, inside one that scales the loss."""
    while (inner := getattr(optimizer, "inner_optimizer", None)) is not None:
        optimizer = inner
    return optimizer


def _size(weight: Any) -> int:
    size = 1
    for length in weight.shape:
        size *= length
    return size


def _output_shape(layer: Any) -> TensorShape | None:
    """Return the shape of a layer's only output; Keras knows it when the layer was connected once."""
    try:
        return tuple(layer.output.shape)
    except (AttributeError, ValueError):
        return None
