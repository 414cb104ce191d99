"""One configuration under five seeds, in Keras: how much of a difference is chance.

    python sample_runs/seeds_keras.py
    stepscope ui

sample_runs/seeds_pytorch.py does the same in PyTorch: the same network, split, optimiser and first weights'
distribution. Each seed is a run. On the Charts page, group the runs by "group": each framework becomes a line
with a band around it, instead of five lines. What Keras logs of a batch in training is the mean of the epoch
so far; the twin logs each batch by itself.
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

tf.config.threading.set_intra_op_parallelism_threads(1)  # as in the twin
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# 1. and 2. Get the data and prepare it: 1,797 digits of 8x8 pixels, scaled to 0..1; 60 % to train on, 20 % to
# validate, 20 % to test. The same split for all: only the first weights and the order of batches are chance.
digits = load_digits()
x_train, x_rest, y_train, y_rest = train_test_split(
    (digits.data / 16).astype("float32"),
    digits.target,
    train_size=0.6,
    stratify=digits.target,
    random_state=0,
)
x_val, x_test, y_val, y_test = train_test_split(
    x_rest, y_rest, train_size=0.5, stratify=y_rest, random_state=0
)


# 3. Define the model.
def network() -> keras.Model:
    """Return it, with new first weights."""
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu", name="dense"),
            keras.layers.Dense(10, name="out"),
        ]
    )


# 6. Train under one seed, as a run of its own, and 7. report on train and test data.
def train(seed: int) -> float:
    """Return the accuracy on the test data."""
    keras.utils.set_random_seed(seed)
    model = network()
    # 4. and 5. Define the loss, the optimiser and the metric.
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.Adam(options.learning_rate),
        metrics=["accuracy"],
    )
    with stepscope.init(
        project="seeds",
        name=f"seed-{seed}-keras",
        group="keras",
        config={**vars(options), "seed": seed},
        store=options.store,
    ) as run:
        model.fit(
            x_train,
            y_train,
            batch_size=options.batch_size,
            epochs=options.epochs,
            validation_data=(x_val, y_val),
            callbacks=[KerasTracker(run)],
            verbose=0,
        )
        for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
            mean_loss, part_right = model.evaluate(x, y, verbose=0)
            run.summary[f"{split}_loss"] = mean_loss
            run.summary[f"{split}_accuracy"] = part_right
        run.log({"loss/test": mean_loss, "accuracy/test": part_right})
    return part_right


found = [train(seed) for seed in tqdm(range(options.seed, options.seed + options.seeds), unit="seed")]
print(f"test: accuracy {statistics.median(found):.1%}, from {min(found):.1%} to {max(found):.1%}")
