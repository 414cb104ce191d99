"""Two devices train one model, in Keras: MirroredStrategy, one run, two replicas.

    python sample_runs/distributed_keras.py
    stepscope ui

sample_runs/distributed_pytorch.py does the same in PyTorch. Where there are no two GPUs, the processor is
split into two devices of TensorFlow's. PyTorch's ranks are processes; TensorFlow's replicas live in one
process, which logs what each of them got under its rank: the Charts page draws their mean in a band, or each
by itself. Then one device trains the same model alone, to compare with (it may run two operations at once,
the twin's process one): as long as the processor has a core for each replica, two share the work, and lose
the time in which they wait for each other's gradients. `model.fit` within the strategy's scope needs no loop,
and logs the mean of the replicas.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import stepscope
from stepscope.trackers.tensorflow import TensorFlowTracker

RANKS = 2

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: GPUs if there are enough"
)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=128, help="of all replicas together")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

gpus = len(tf.config.list_physical_devices("GPU"))
if options.device == "gpu" and gpus < RANKS:
    parser.error(f"--device gpu: TensorFlow sees {gpus} GPUs, and {RANKS} are needed")
use_gpu = options.device != "cpu" and gpus >= RANKS
if not use_gpu:
    tf.config.set_visible_devices([], "GPU")
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * RANKS)
DEVICES = [f"{'GPU' if use_gpu else 'CPU'}:{number}" for number in range(RANKS)]
tf.config.threading.set_intra_op_parallelism_threads(1)  # one for each operation of each replica
tf.config.threading.set_inter_op_parallelism_threads(RANKS)


# 1. The data: 1,797 digits of 8x8 pixels, scaled to 0..1, 80 % to train on, 20 % to test.
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[..., None]  # channels last
x_train, x_test, y_train, y_test = train_test_split(
    pixels, digits.target, train_size=0.8, stratify=digits.target, random_state=options.seed
)


# 2. The model.
def new_model() -> keras.Model:
    """Return a network of two convolutions."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1"),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            keras.layers.MaxPooling2D(2, name="pool"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(10, name="out"),
        ]
    )


# 3. The training, however it is distributed: the loop does not change.
def train(run: stepscope.Run, strategy: tf.distribute.Strategy) -> keras.Model:
    """Train a model, and note how fast that went."""
    # Everything with variables is made within the strategy's scope.
    with strategy.scope():
        model = new_model()
        optimizer = keras.optimizers.Adam(1e-3)
        optimizer.build(model.trainable_variables)
        losses_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")

    def step_of_replica(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
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
        return strategy.run(step_of_replica, (x, y))

    data = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train), seed=options.seed)
    # Each batch is split over the replicas.
    batches = strategy.experimental_distribute_dataset(data.batch(options.batch_size, drop_remainder=True))
    tracker = TensorFlowTracker(run, model, optimizer)
    seconds = []
    for _ in tqdm(range(options.epochs), desc=run.name, unit="epoch"):
        began = time.perf_counter()
        for x, y in batches:
            losses, accuracies = map(strategy.experimental_local_results, train_step(x, y))
            tracker.end_step(samples=options.batch_size)
            for rank, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True)):
                context = {"rank": rank} if len(losses) > 1 else {}
                run.log({"loss/train": loss, "accuracy/train": accuracy}, context=context)
        seconds.append(time.perf_counter() - began)
    run.summary["steps_a_second"] = len(x_train) // options.batch_size / statistics.median(seconds)
    return model


# 4. How good it has become, on all data.
def evaluate(run: stepscope.Run, model: keras.Model) -> None:
    """Write loss and accuracy to the run."""
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        logits = model(x, training=False)
        right = keras.metrics.sparse_categorical_accuracy(y, logits)
        loss, accuracy = float(loss_of(y, logits)), float(tf.reduce_mean(right))
        run.summary.update({f"{split}_loss": loss, f"{split}_accuracy": accuracy})
        print(f"{run.name}: {split}: loss {loss:.4f}, accuracy {accuracy:.1%}")
    run.log({"loss/test": loss, "accuracy/test": accuracy})
    print(f"{run.name}: {run.summary['steps_a_second']:.1f} steps a second")


# 5. Two replicas; then one device.
for name, group, strategy in (
    ("mirrored-keras", "two ranks", tf.distribute.MirroredStrategy(DEVICES)),
    ("one-device-keras", "one device", tf.distribute.OneDeviceStrategy(DEVICES[0])),
):
    keras.utils.set_random_seed(options.seed)
    config = {**vars(options), "ranks": strategy.num_replicas_in_sync, "backend": type(strategy).__name__}
    with stepscope.init(
        project="distributed", name=name, group=group, config=config, store=options.store
    ) as run:
        evaluate(run, train(run, strategy))
