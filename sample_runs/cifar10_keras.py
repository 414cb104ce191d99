"""A convolutional network learns to name pictures, in Keras: CIFAR-10 from your disk, in mini-batches.

    python sample_runs/cifar10_keras.py --data cifar-10-batches-bin
    stepscope ui

sample_runs/cifar10_pytorch.py does the same in PyTorch: the same network, split, optimiser and first weights'
distribution. Without --data, digits stand in, and the run says so: see cifar10_data.py. What Keras logs of a
batch in training is the mean of the epoch so far; the twin logs each batch by itself. tf.data prepares
batches in threads of its own, while the model trains; so does the twin with --workers 1, but not by default.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import tensorflow as tf
from cifar10_data import load_pictures
from keras import layers

import stepscope
from stepscope.trackers.keras import KerasTracker, log_predictions

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", type=Path, help="the folder with data_batch_1.bin ... and test_batch.bin")
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--threads", type=int, default=1, help="of the processor, for one operation")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
tf.config.threading.set_intra_op_parallelism_threads(options.threads)
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# 1. Get the data: uint8 pictures of 32x32 pixels, channels last.
pictures = load_pictures(options.data)
print("Data:", pictures.origin)


# 2. Prepare it, picture by picture as batches are made: scaled to 0..1; in training, half of them mirrored.
def scale(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a picture as float32 (32, 32, 3), from 0 to 1."""
    return tf.cast(x, tf.float32) / 255, y


def mirror(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return it, or its image in a mirror, by chance."""
    return tf.image.random_flip_left_right(x), y


def batches(x: object, y: object, *, training: bool = False) -> tf.data.Dataset:
    """Return batches of some of the pictures; digits are not the same in a mirror."""
    data = tf.data.Dataset.from_tensor_slices((x, y))
    if training:
        data = data.shuffle(len(y))
    data = data.map(scale, tf.data.AUTOTUNE)
    if training and pictures.is_cifar10:
        data = data.map(mirror, tf.data.AUTOTUNE)
    return data.batch(options.batch_size).prefetch(tf.data.AUTOTUNE)


train, val, test = batches(*pictures.train, training=True), batches(*pictures.val), batches(*pictures.test)


# 3. Define the model.
model = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
        layers.MaxPooling2D(2, name="pool1"),
        layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
        layers.MaxPooling2D(2, name="pool2"),
        layers.Conv2D(64, 3, padding="same", activation="relu", name="conv3"),
        layers.Flatten(name="flatten"),
        layers.Dropout(0.2, name="dropout"),
        layers.Dense(64, activation="relu", name="dense"),
        layers.Dense(10, name="out"),
    ]
)


# 4. and 5. Define the loss, the optimiser and the metric.
model.compile(
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    optimizer=keras.optimizers.Adam(options.learning_rate),
    metrics=["accuracy"],
)


def look(*_: object) -> None:
    """Show what the model takes some pictures for."""
    x, y = next(iter(val))
    log_predictions(run, x, model(x, training=False), y, classes=pictures.classes, most=8)


# 6. Train.
run = stepscope.init(
    project="cifar10",
    name="cifar10-keras",
    config={**vars(options), "origin": pictures.origin},
    tags=["CIFAR-10" if pictures.is_cifar10 else "digits instead of CIFAR-10"],
    notes=f"Data: {pictures.origin}",
    store=options.store,
)
model.fit(
    train,
    epochs=options.epochs,
    validation_data=val,
    callbacks=[KerasTracker(run), keras.callbacks.LambdaCallback(on_epoch_end=look)],
)


# 7. Report on train and test data.
for split, data in (("train", train), ("test", test)):
    mean_loss, part_right = model.evaluate(data, verbose=0)
    run.summary[f"{split}_loss"] = mean_loss
    run.summary[f"{split}_accuracy"] = part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"loss/test": mean_loss, "accuracy/test": part_right})
run.finish()
