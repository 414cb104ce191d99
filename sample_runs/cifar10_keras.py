"""A convolutional network learns to name pictures, in Keras: CIFAR-10 from your disk, in mini-batches.

    python sample_runs/cifar10_keras.py --data cifar-10-batches-bin
    stepscope ui

sample_runs/cifar10_pytorch.py does the same in PyTorch. Without --data, digits stand in: see cifar10_data.py.
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
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")
pictures = load_pictures(options.data)
print("Data:", pictures.origin)


def prepare(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a picture as float32 (32, 32, 3), from 0 to 1."""
    return tf.cast(x, tf.float32) / 255, y


def mirror(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return half of the pictures as in a mirror."""
    return tf.image.random_flip_left_right(x), y


train = tf.data.Dataset.from_tensor_slices((pictures.x_train, pictures.y_train)).shuffle(
    len(pictures.y_train)
)
train = train.map(prepare, tf.data.AUTOTUNE)
if options.data is not None:  # digits are not the same from behind
    train = train.map(mirror, tf.data.AUTOTUNE)
train = train.batch(options.batch_size).prefetch(tf.data.AUTOTUNE)
test = (
    tf.data.Dataset.from_tensor_slices((pictures.x_test, pictures.y_test))
    .map(prepare)
    .batch(options.batch_size)
)

model = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1"),
        layers.MaxPooling2D(2, name="pool1"),
        layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
        layers.MaxPooling2D(2, name="pool2"),
        layers.Conv2D(64, 3, padding="same", activation="relu", name="conv3"),
        layers.GlobalAveragePooling2D(name="average"),
        layers.Dropout(0.2, name="dropout"),
        layers.Dense(10, name="out"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(options.learning_rate),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)


def look(*_: object) -> None:
    """Show what the model takes some pictures for."""
    x, y = next(iter(test))
    log_predictions(run, x, model(x, training=False), y, classes=pictures.classes, most=8)


config = {**vars(options), "origin": pictures.origin}
run = stepscope.init(project="cifar10", name="cifar10-keras", config=config, store=options.store)
model.fit(
    train,
    epochs=options.epochs,
    validation_data=test,
    callbacks=[KerasTracker(run), keras.callbacks.LambdaCallback(on_epoch_end=look)],
    verbose=2,
)
loss, accuracy = model.evaluate(test, verbose=0)
run.finish()
print(f"test: loss {loss:.4f}, accuracy {accuracy:.1%}")
