"""The layer table of Keras, of a static graph and of PyTorch: one model, the same numbers."""

from __future__ import annotations

import os
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

from stepscope.trackers.tensorflow.graph import capture_keras_graph  # noqa: E402
from stepscope.trackers.tensorflow.static_graph import capture_static_graph  # noqa: E402

CONVOLUTION = (2 * (4 * 4 * 8) * (3 * 3 * 2), 4 * (3 * 3 * 2 * 8 + 8) + 4 * (4 * 4 * 8))
HEAD = (2 * 128 * 5, 4 * (128 * 5 + 5) + 4 * 5)
"""Operations, and bytes of weights and output, of one sample."""


def costs(graph: Any) -> dict[str, tuple[int | None, int | None]]:
    return {layer.path: (layer.flops, layer.memory) for layer in graph.layers}


def keras_net() -> Any:
    conv = keras.layers.Conv2D(8, 3, name="conv")
    layers = [conv, keras.layers.Flatten(name="flat"), keras.layers.Dense(5, name="head")]
    return keras.Sequential([keras.Input((6, 6, 2)), *layers])


def test_a_keras_model() -> None:
    found = costs(capture_keras_graph(keras_net()))
    assert (found["conv"], found["head"]) == (CONVOLUTION, HEAD)
    assert found["flat"][0] == 0


def test_a_static_graph() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 6, 6, 2))
        with tf.compat.v1.variable_scope("conv"):
            kernel = tf.compat.v1.get_variable("kernel", (3, 3, 2, 8), use_resource=True)
            bias = tf.compat.v1.get_variable("bias", (8,), use_resource=True)
            maps = tf.nn.conv2d(x, kernel, 1, "VALID") + bias
        with tf.compat.v1.variable_scope("head"):
            kernel = tf.compat.v1.get_variable("kernel", (128, 5), use_resource=True)
            bias = tf.compat.v1.get_variable("bias", (5,), use_resource=True)
            scores = tf.matmul(tf.reshape(maps, (-1, 128)), kernel) + bias
        found = costs(capture_static_graph(graph, [scores]))
    assert (found["conv"], found["head"]) == (CONVOLUTION, HEAD)


def test_pytorch_counts_the_same() -> None:
    torch = pytest.importorskip("torch")
    from stepscope.trackers.pytorch.graph import capture_graph

    model = torch.nn.Sequential()
    for name, layer in (
        ("conv", torch.nn.Conv2d(2, 8, 3)),
        ("flat", torch.nn.Flatten()),
        ("head", torch.nn.Linear(128, 5)),
    ):
        model.add_module(name, layer)
    found = costs(capture_graph(model, (torch.ones(1, 2, 6, 6),), {}))
    assert (found["conv"], found["head"]) == (CONVOLUTION, HEAD)


@pytest.mark.parametrize(
    ("layer", "shape", "flops"),
    [
        (keras.layers.DepthwiseConv2D(3), (6, 6, 2), 2 * (4 * 4 * 2) * 9),
        (keras.layers.Conv2DTranspose(4, 2, strides=2), (3, 3, 2), 2 * (3 * 3 * 2) * (2 * 2 * 4)),
        (keras.layers.Conv1D(4, 3), (8, 2), 2 * (6 * 4) * (3 * 2)),
        (keras.layers.Dense(4), (7, 3), 2 * 7 * 3 * 4),
        (keras.layers.Dense(4), (None, 3), None),
    ],
)
def test_operations_of_other_layers(layer: Any, shape: Any, flops: int | None) -> None:
    model = keras.Sequential([keras.Input(shape), layer])
    assert costs(capture_keras_graph(model))[layer.name][0] == flops
