"""One network, written in the three styles that Keras has: Sequential, Functional and a subclass of Model.

    python sample_runs/model_styles_keras.py
    stepscope ui

sample_runs/model_styles_pytorch.py does the same in PyTorch. Each style is a run of its own, with the same
layers: choose two on the Compare page, and the Graph page puts them side by side.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import tensorflow as tf
from sklearn.datasets import load_digits

import stepscope
from stepscope.trackers.keras import KerasTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# Sequential: a list of layers. Nothing to write but the layers; nothing but a chain can be written.
def sequential() -> keras.Model:
    """Return the network as a chain."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv"),
            keras.layers.MaxPooling2D(2, name="pool"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(32, activation="relu", name="dense"),
            keras.layers.Dense(10, name="out"),
        ]
    )


# Functional: layers are called on symbolic tensors. Any graph without loops can be written, and Keras knows
# its shapes before any data come.
def functional() -> keras.Model:
    """Return the network as a graph of symbolic tensors."""
    pictures = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv")(pictures)
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(32, activation="relu", name="dense")(x)
    return keras.Model(pictures, keras.layers.Dense(10, name="out")(x))


# Subclassed: layers in __init__, how data pass them in call. Anything can be written, as in PyTorch; Keras
# learns the shapes when the first batch passes.
class Subclassed(keras.Model):
    """The network as a class."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.conv = keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv")
        self.pool = keras.layers.MaxPooling2D(2, name="pool")
        self.flatten = keras.layers.Flatten(name="flatten")
        self.dense = keras.layers.Dense(32, activation="relu", name="dense")
        self.out = keras.layers.Dense(10, name="out")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return logits (n, 10) of pictures (n, 8, 8, 1)."""
        return self.out(self.dense(self.flatten(self.pool(self.conv(x)))))


digits = load_digits()
pixels = (digits.images / 16).astype("float32")[..., None]  # channels last


def train(style: str, model: keras.Model) -> None:
    """Train the network for a few epochs as a run of its own, with the table of its layers."""
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    run = stepscope.init(
        project="model-styles",
        name=f"{style}-keras",
        group=style,
        config={"style": style, **vars(options)},
        store=options.store,
    )
    with run:
        history = model.fit(
            pixels,
            digits.target,
            batch_size=32,
            epochs=options.epochs,
            callbacks=[KerasTracker(run)],
            verbose=2,
        )
        run.log({"layers": layer_table(model)})
    print(f"{style}: {model.count_params():,} parameters, loss {history.history['loss'][-1]:.4f}")


def layer_table(model: keras.Model) -> stepscope.Table:
    """Return the layers that have weights: those that every style has."""
    rows = [
        [layer.name, type(layer).__name__, layer.count_params()] for layer in model.layers if layer.weights
    ]
    return stepscope.Table(["layer", "type", "parameters"], rows)


for style, build in (("sequential", sequential), ("functional", functional), ("subclassed", Subclassed)):
    keras.utils.set_random_seed(options.seed)
    train(style, build())
