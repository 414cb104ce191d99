"""A small CNN learns to read handwritten digits, in Keras, in seven steps.

    python sample_runs/digits_keras.py
    stepscope ui

sample_runs/digits_pytorch.py does the same in PyTorch: the same network, split, optimiser and first weights'
distribution. Stepscope's lines are those with `run` in them. What Keras logs of a batch in training is the
mean of the epoch so far; the twin logs each batch by itself.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import stepscope
from stepscope.trackers import keras as hooks

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=80)
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
tf.config.threading.set_intra_op_parallelism_threads(1)  # as in the twin
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# 1. Get the data: 1,797 digits of 8x8 pixels, with values from 0 to 16.
digits = load_digits()


# 2. Prepare it: scaled to 0..1, 60 % to train on, 20 % to validate, 20 % to test.
pixels = (digits.images / 16).astype("float32")[..., None]  # channels last
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
        keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1"),
        keras.layers.MaxPooling2D(2, name="pool"),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(128, activation="relu", name="dense"),
        keras.layers.Dropout(0.5, name="dropout"),
        keras.layers.Dense(10, name="out"),
    ]
)


# 4. and 5. Define the loss, the optimiser and the metric.
model.compile(
    optimizer=keras.optimizers.Adam(options.learning_rate),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)


def look(epoch: int, _logs: dict[str, float]) -> None:
    """Show what the model reads, and its filters, every ten epochs."""
    if epoch % 10 == 0:
        hooks.log_filters(run, model)
        hooks.log_predictions(run, x_val, model(x_val, training=False), y_val, most=8)


# 6. Train. Stepscope is a callback, and sees every batch.
run = stepscope.init(project="digits", name="digits-keras", config=vars(options), store=options.store)
run.alert_when("epoch_val_loss", no_progress_for=20 * -(-len(x_train) // options.batch_size))
tracker = hooks.KerasTracker(run, histograms=("weights", "gradients", "activations"))
model.fit(
    x_train,
    y_train,
    batch_size=options.batch_size,
    epochs=options.epochs,
    validation_data=(x_val, y_val),
    callbacks=[tracker, keras.callbacks.LambdaCallback(on_epoch_end=look)],
)


# 7. Report on train and test data; keep pictures of what the model sees, and the model.
for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
    mean_loss, part_right = model.evaluate(x, y, verbose=0)
    run.summary[f"{split}_loss"] = mean_loss
    run.summary[f"{split}_accuracy"] = part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"test_loss": mean_loss, "test_accuracy": part_right})
hooks.log_feature_maps(run, model, x_test)
hooks.log_saliency(run, model, x_test)
hooks.save_model(run, model)
run.finish()
