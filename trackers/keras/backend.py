"""The one place that asks which backend Keras runs on; what a backend cannot do is None or empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import keras

from ...storage.kinds.graph import GraphData
from ..guard import Guard
from .activations import ActivationProbe
from .gradients import GradientProbe
from .model import layer_table, raw_value
from .part import Part, Watched
from .tap import Tap

# Imports in functions: another backend's program need not have TensorFlow, nor wait for it.


def is_on(backend: str) -> bool:
    """Whether Keras computes with this backend."""
    return cast("Any", keras).backend.backend() == backend


def tap_of(optimizer: Any, guard: Guard) -> Tap | None:
    """Return the tap that is on an optimizer, or a new one; None with a backend that shows no gradients."""
    if is_on("tensorflow"):
        from ..tensorflow.tap import TensorFlowTap  # noqa: PLC0415

        return TensorFlowTap.on(optimizer, guard)
    return Tap.on(optimizer, guard) if is_on("torch") else None


def gradient_probe(tap: Tap, variables: list[Any]) -> GradientProbe:
    """Return what takes the gradients of a tap; `variables` are those known to be trained."""
    if is_on("tensorflow"):
        from ..tensorflow.gradients import TracedGradientProbe  # noqa: PLC0415

        return tap.probe("gradients", lambda: TracedGradientProbe(cast("Any", tap), variables))
    return tap.probe("gradients", GradientProbe)


def activation_probe(tap: Tap, layers: dict[str, Any]) -> ActivationProbe:
    """Return what takes the outputs of these layers."""
    key = ("activations", *((path, id(layer)) for path, layer in layers.items()))
    if is_on("tensorflow"):
        from ..tensorflow.activations import TracedActivationProbe  # noqa: PLC0415

        return tap.probe(key, lambda: TracedActivationProbe(cast("Any", tap), layers))
    return tap.probe(key, lambda: ActivationProbe(layers))


def watchdog(watched: Watched, tap: Tap, name: str | None) -> list[Part]:
    """Return what looks for NaN and infinity, for the tracker of that name; empty where nothing does."""
    if not is_on("tensorflow"):
        return []
    from ..tensorflow.watchdog import Watchdog  # noqa: PLC0415

    return [Watchdog(watched, cast("Any", tap), name)]


@dataclass(frozen=True)
class Reading:
    """The fastest ways to read a variable of the backend, or what Keras wraps around it."""

    tensor: Callable[[Any], Any]
    """Returns what it holds now."""
    number: Callable[[Any], Any]
    """Returns a number that it holds now; a tensor where it lies on a device, which is not waited for."""


def reading() -> Reading:
    """Return how the backend's variables are read."""
    if not is_on("tensorflow"):
        return Reading(raw_value, as_it_is)
    from ..tensorflow.flags import number_of, value_of  # noqa: PLC0415

    return Reading(value_of, number_of)


def as_it_is(value: Any) -> Any:
    """Return what is given."""
    return value


def memory_reader() -> Callable[[], Mapping[str, float]] | None:
    """Return what tells the memory of each device; None where nothing does."""
    if not is_on("tensorflow"):
        return None
    from ..tensorflow.memory import device_memory  # noqa: PLC0415

    return device_memory if device_memory() else None


def graph_of(model: Any) -> GraphData:
    """Return the graph of a model: with its operations on TensorFlow, its layers alone elsewhere."""
    if is_on("tensorflow"):
        from ..tensorflow.graph import capture_keras_graph  # noqa: PLC0415

        return capture_keras_graph(model)
    return GraphData("model", "keras", "keras", (), layer_table(model, {}))
