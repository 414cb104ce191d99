"""A training that goes wrong: one layer begins to give NaN, and the watchdog says which, and when.

    python sample_runs/goes_wrong_keras.py
    stepscope ui

sample_runs/goes_wrong_pytorch.py does the same in PyTorch. The loss only becomes NaN; that it comes out of
the layer "scale", in the forward pass of step 51, stands in the alert.

Without the watchdog, this is how it is found: `tf.debugging.enable_check_numerics()` stops at the first bad
operation, and names it with the line that made it; TensorFlow's debugger
(`tf.debugging.experimental.enable_dump_debug_info`, and the page Debugger V2 of TensorBoard) shows what came
before. Both have to be on before the model is built, and make each step several times as slow.
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
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--wrong-after", type=int, default=50, help="steps that go well")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


class Scale(keras.layers.Layer):
    """Multiplies by what it has learned, and takes the logarithm of a negative number one day."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Begin with factors of one."""
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return x (n, features), multiplied."""
        if training:
            self.calls.assign_add(1.0)
        good = self.calls <= options.wrong_after
        return x * tf.where(good, self.factor, tf.math.log(-tf.abs(self.factor)))


digits = load_digits()
model = keras.Sequential(
    [
        keras.Input((64,)),
        keras.layers.Dense(32, activation="relu", name="dense1"),
        Scale(name="scale"),
        keras.layers.Dense(32, activation="tanh", name="dense2"),
        keras.layers.Dense(10, name="out"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)

run = stepscope.init(project="goes-wrong", name="goes-wrong-keras", config=vars(options), store=options.store)
pixels = (digits.data / 16).astype("float32")
model.fit(
    pixels, digits.target, batch_size=64, epochs=options.epochs, callbacks=[KerasTracker(run)], verbose=2
)
run.finish()

with stepscope.open(options.store) as store:
    for alert in store.run(run.id).alerts:
        print(f"step {alert.step}: {alert.title}. {alert.text}")
