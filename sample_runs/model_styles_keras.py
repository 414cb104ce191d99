"""One network, written in the three styles that Keras has: Sequential, Functional and a subclass of Model.

    python sample_runs/model_styles_keras.py
    stepscope ui

sample_runs/model_styles_pytorch.py does the same in PyTorch, which has no Functional style. Each style is a
run of its own, with the same layers and the same first weights: choose two on the Compare page, and the Graph
page puts them side by side. What Keras logs of a batch in training is the mean of the epoch so far; the twin
logs each batch by itself.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import stepscope
from stepscope.trackers.keras import KerasTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

tf.config.threading.set_intra_op_parallelism_threads(1)  # as in the twin
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
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="dense"),
            layers.Dense(10, name="out"),
        ]
    )


# Functional: layers are called on symbolic tensors. Any graph without loops can be written, and Keras knows
# its shapes before any data come.
def functional() -> keras.Model:
    """Return the network as a graph of symbolic tensors."""
    pictures = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv")(pictures)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(32, activation="relu", name="dense")(x)
    return keras.Model(pictures, layers.Dense(10, name="out")(x))


# Subclassed: layers in __init__, how data pass them in call. Anything can be written; Keras learns the shapes
# when the first batch passes.
class Subclassed(keras.Model):
    """The network as a class."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.conv = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv")
        self.pool = layers.MaxPooling2D(2, name="pool")
        self.flatten = layers.Flatten(name="flatten")
        self.dense = layers.Dense(32, activation="relu", name="dense")
        self.out = layers.Dense(10, name="out")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return logits (n, 10) of pictures (n, 8, 8, 1)."""
        return self.out(self.dense(self.flatten(self.pool(self.conv(x)))))


# The data: four fifths of the digits to train on, the rest to test.
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[..., None]  # channels last
x_train, x_test, y_train, y_test = train_test_split(
    pixels, digits.target, test_size=0.2, stratify=digits.target, random_state=0
)


def layer_table(model: keras.Model) -> stepscope.Table:
    """Return the layers that have weights: those that every style has."""
    rows = [
        [layer.name, type(layer).__name__, layer.count_params()] for layer in model.layers if layer.weights
    ]
    return stepscope.Table(["layer", "type", "parameters"], rows)


def train(run: stepscope.Run, model: keras.Model) -> None:
    """Train the network for a few epochs, and report on train and test data."""
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.Adam(options.learning_rate),
        metrics=["accuracy"],
    )
    model.fit(
        x_train,
        y_train,
        batch_size=options.batch_size,
        epochs=options.epochs,
        callbacks=[KerasTracker(run)],
    )
    run.log({"layers": layer_table(model)})
    for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        run.summary[f"{split}_loss"], run.summary[f"{split}_accuracy"] = model.evaluate(x, y, verbose=0)
    run.log({"loss/test": run.summary["test_loss"], "accuracy/test": run.summary["test_accuracy"]})


for style, build in (("sequential", sequential), ("functional", functional), ("subclassed", Subclassed)):
    keras.utils.set_random_seed(options.seed)  # the same first weights, and the same order of batches
    model = build()
    config = {"style": style, **vars(options)}
    with stepscope.init(
        "model-styles", f"{style}-keras", group=style, config=config, store=options.store
    ) as run:
        train(run, model)
        print(
            f"{style}: {model.count_params():,} parameters, test accuracy {run.summary['test_accuracy']:.1%}"
        )
