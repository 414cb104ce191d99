"""Two devices train one model, in Keras: MirroredStrategy, one run, two replicas.

    python sample_runs/distributed_keras.py
    stepscope ui

sample_runs/distributed_pytorch.py does the same in PyTorch. Where there are no two GPUs, the processor is
split into two devices of TensorFlow's, which shows how it works, though it makes nothing faster. PyTorch's
ranks are processes; TensorFlow's replicas live in one process, which logs what each of them got under its
rank. `model.fit` within the strategy's scope needs no loop, and logs the mean of the replicas.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import tensorflow as tf
from sklearn.datasets import load_digits
from tqdm import tqdm

import stepscope
from stepscope.trackers.tensorflow import TensorFlowTracker

REPLICAS = 2

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: GPUs if there are enough"
)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=64, help="of all replicas together")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
gpus = tf.config.list_physical_devices("GPU")
use_gpu = options.device != "cpu" and len(gpus) >= REPLICAS
if use_gpu:
    devices = [f"GPU:{number}" for number in range(REPLICAS)]
else:
    tf.config.set_visible_devices([], "GPU")
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * REPLICAS)
    devices = [f"CPU:{number}" for number in range(REPLICAS)]

digits = load_digits()
pixels = (digits.data / 16).astype("float32")
strategy = tf.distribute.MirroredStrategy(devices)
data = tf.data.Dataset.from_tensor_slices((pixels, digits.target)).shuffle(len(pixels), seed=options.seed)
# Each batch is split over the replicas.
batches = strategy.experimental_distribute_dataset(data.batch(options.batch_size, drop_remainder=True))

# Everything with variables is made within the strategy's scope.
with strategy.scope():
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu", name="0"),
            keras.layers.Dense(10, name="2"),
        ]
    )
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    losses_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")


def step_of_replica(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Make a step on one replica's share; return its loss and accuracy."""
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        losses = losses_of(y, logits)
        # Gradients of all replicas are added up: together they are the mean over the whole batch.
        share = tf.nn.compute_average_loss(losses, global_batch_size=options.batch_size)
    optimizer.apply(tape.gradient(share, model.trainable_variables), model.trainable_variables)
    right = tf.cast(tf.argmax(logits, 1) == y, tf.float32)
    return tf.reduce_mean(losses), tf.reduce_mean(right)


@tf.function
def train_step(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Make a step on all replicas; return what each of them got."""
    return strategy.run(step_of_replica, (x, y))


with stepscope.init(
    project="distributed",
    name="mirrored-keras",
    config={**vars(options), "devices": devices},
    store=options.store,
) as run:
    tracker = TensorFlowTracker(run, model, optimizer)
    for _ in tqdm(range(options.epochs), unit="epoch"):
        for x, y in batches:
            made = train_step(x, y)
            tracker.end_step(samples=options.batch_size)
            for rank, (loss, accuracy) in enumerate(
                zip(*map(strategy.experimental_local_results, made), strict=True)
            ):
                run.log({"loss/train": loss, "accuracy/train": accuracy}, context={"rank": rank})
