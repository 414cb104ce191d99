"""One configuration under five seeds, in Keras: how much of a difference is chance.

    python sample_runs/seeds_keras.py
    stepscope ui

sample_runs/seeds_pytorch.py does the same in PyTorch. Each seed is a run. On the Charts page, group by
"framework": each framework becomes a line with a band around it, instead of five lines.
"""

from __future__ import annotations

import argparse
import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import stepscope
from stepscope.trackers.keras import KerasTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0, help="the first of them")
parser.add_argument("--seeds", type=int, default=5, help="how many")
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")

# The same split for all: only the first weights and the order of the batches are chance.
digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    (digits.data / 16).astype("float32"), digits.target, random_state=0
)


def train(seed: int) -> float:
    """Train under one seed, as a run of its own; return the accuracy on the test data."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu", name="0"),
            keras.layers.Dense(10, name="2"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(options.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    config = {**vars(options), "seed": seed}
    run = stepscope.init(
        project="seeds", name=f"seed-{seed}-keras", group="keras", config=config, store=options.store
    )
    with run:
        history = model.fit(
            x_train,
            y_train,
            batch_size=options.batch_size,
            epochs=options.epochs,
            validation_data=(x_test, y_test),
            callbacks=[KerasTracker(run)],
            verbose=0,
        )
    return history.history["val_accuracy"][-1]


found = [train(seed) for seed in tqdm(range(options.seed, options.seed + options.seeds), unit="seed")]
print(f"accuracy {statistics.mean(found):.1%}, from {min(found):.1%} to {max(found):.1%}")
