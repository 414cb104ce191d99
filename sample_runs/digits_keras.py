"""A small CNN learns to read handwritten digits, in Keras, in seven steps.

    python sample_runs/digits_keras.py
    stepscope ui

sample_runs/digits_pytorch.py does the same in PyTorch. Stepscope adds the lines with `init`, `KerasTracker`,
`log` and `finish`.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import stepscope
from stepscope.trackers.keras import KerasTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if there is one"
)
parser.add_argument("--epochs", type=int, default=80)
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# 1. Get the data: 1,797 digits of 8x8 pixels, with values from 0 to 16.
digits = load_digits()


# 2. Prepare it: scaled to 0..1, 60 % to train on, 20 % to validate, 20 % to test.
pixels = (digits.images / 16).astype(np.float32)[..., None]  # channels last
x_train, x_rest, y_train, y_rest = train_test_split(
    pixels, digits.target, train_size=0.6, stratify=digits.target, random_state=options.seed
)
x_val, x_test, y_val, y_test = train_test_split(
    x_rest, y_rest, train_size=0.5, stratify=y_rest, random_state=options.seed
)


# 3. Define the model.
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(10),
    ]
)


# 4. and 5. Define the loss, the optimiser and the metric.
model.compile(
    optimizer=keras.optimizers.Adam(options.learning_rate),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)


class SamplePredictions(keras.callbacks.Callback):
    """Logs some test digits, captioned with what the model reads."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Look every ten epochs, and at the end."""
        if epoch % 10 and epoch + 1 < options.epochs:
            return
        guesses = self.model(x_test[:8], training=False).numpy().argmax(1)
        large = x_test[:8].repeat(8, axis=1).repeat(8, axis=2)
        images = [
            stepscope.Image(image, caption=f"read as {guess}, is {label}")
            for image, guess, label in zip(large, guesses, y_test, strict=False)
        ]
        run.log({"predictions": images})


# 6. Train. Stepscope is a callback, and sees every batch.
run = stepscope.init(project="digits", name="digits-keras", config=vars(options), store=options.store)
model.fit(
    x_train,
    y_train,
    batch_size=options.batch_size,
    epochs=options.epochs,
    validation_data=(x_val, y_val),
    callbacks=[KerasTracker(run), SamplePredictions()],
)


# 7. Report on train and test data.
for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
    mean_loss, part_right = model.evaluate(x, y, verbose=0)
    run.summary[f"{split}_accuracy"] = part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
    if split == "test":
        run.log({"test_loss": mean_loss, "test_accuracy": part_right})
run.finish()
