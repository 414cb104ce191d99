"""One training step in the four ways TensorFlow runs it: eager, as a graph, through XLA, in a session.

    python sample_runs/execution_tensorflow.py
    stepscope ui

sample_runs/execution_pytorch.py does the same in PyTorch: the same data, batches, layers and optimiser, and
one thread. Each mode is a run of its own, in a process of its own, so that neither the time of its first step
nor its memory holds anything of another's. The names say what they are like there: "eager" and "graph" are on
both sides, and group runs on the Compare page. What is measured, is measured without the tracker.

tf.function takes the whole step: model, loss and optimiser. The twin's torch.compile compiles what the model
does, forwards and backwards; loss and optimiser stay eager.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded
began = time.perf_counter()
import keras  # noqa: E402 - what it takes is one of the figures
import tensorflow as tf  # noqa: E402

SECONDS_TO_IMPORT = time.perf_counter() - began

import stepscope  # noqa: E402
from stepscope.trackers.tensorflow import SessionHook, TensorFlowTracker  # noqa: E402

MODES = ["eager", "graph", "xla", "session"]
WARM_UP = 10  # steps that are left out of the median, the first one among them
tf1 = tf.compat.v1

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
parser.add_argument("--mode", choices=MODES, help="only this one (default: one after the other)")
options = parser.parse_args()

if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
ONE_THREAD = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)  # for a session
keras.utils.set_random_seed(options.seed)


# 1. The data: 1,797 digits of 8x8 pixels, scaled to 0..1, 80 % to train on, 20 % to test.
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[..., None]  # channels last
x_train, x_test, y_train, y_test = train_test_split(
    pixels, digits.target, train_size=0.8, stratify=digits.target, random_state=options.seed
)
random = np.random.default_rng(options.seed)
Batch = tuple[np.ndarray, np.ndarray]
Step = Callable[[np.ndarray, np.ndarray], float]


def batch(length: int) -> Batch:
    """Return as many digits, chosen at random, and what they show."""
    chosen = random.choice(len(x_train), length, replace=False)
    return x_train[chosen], y_train[chosen]


def epoch() -> list[Batch]:
    """Return as many batches as an epoch has."""
    return [batch(options.batch_size) for _ in range(len(x_train) // options.batch_size)]


# 2. The model.
def new_model() -> keras.Model:
    """Return a network of three convolutions."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(32, 3, padding="same", name="conv1"),
            keras.layers.ReLU(name="relu1"),
            keras.layers.Conv2D(32, 3, padding="same", name="conv2"),
            keras.layers.ReLU(name="relu2"),
            keras.layers.MaxPooling2D(2, name="pool"),
            keras.layers.Conv2D(64, 3, padding="same", name="conv3"),
            keras.layers.ReLU(name="relu3"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(10, name="out"),
        ]
    )


# 3. The step, in each mode.
def train(run: stepscope.Run, mode: str) -> None:
    """Make the model and its step; measure them, watch them, and test what was learned."""
    began = time.perf_counter()
    model = new_model()
    optimizer = keras.optimizers.Adam(1e-3)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def in_mode() -> Step:
        def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                loss = loss_of(y, model(x, training=True))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            return loss

        # Eager: each operation runs when Python comes to it. Under tf.function the first call is traced into
        # a graph, which runs without Python from then on; jit_compile has XLA fuse its operations besides.
        if mode != "eager":
            step = tf.function(step, jit_compile=mode == "xla")
        # float() waits for a GPU, only to time it: a training of one's own does not.
        return lambda x, y: float(step(tf.constant(x), tf.constant(y)))

    measure(run, in_mode(), began)
    tracker = TensorFlowTracker(run, model, optimizer)
    step = in_mode()  # what was traced before the tracker was made, is not seen by it
    for x, y in epoch():
        tracker.end_step({"loss/train": step(x, y)}, samples=len(x))
    for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        logits = model(x, training=False)
        right = keras.metrics.sparse_categorical_accuracy(y, logits)
        report(run, split, float(loss_of(y, logits)), float(tf.reduce_mean(right)))


def train_session(run: stepscope.Run) -> None:
    """Train as TensorFlow 1 did: the graph is written down first, then a session runs it with what is fed."""
    began = time.perf_counter()
    with tf.Graph().as_default(), tf1.Session(config=ONE_THREAD) as session:
        tf1.set_random_seed(options.seed)
        pictures = tf1.placeholder(tf.float32, (None, 8, 8, 1), "x")
        classes = tf1.placeholder(tf.int64, (None,), "y")
        logits = network(pictures)
        loss = tf1.losses.sparse_softmax_cross_entropy(classes, logits)
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), classes), tf.float32))
        adam = tf1.train.AdamOptimizer(1e-3, epsilon=1e-7)  # epsilon as Keras has it
        minimize = adam.minimize(loss, tf1.train.get_or_create_global_step())
        session.run(tf1.global_variables_initializer())
        measure(run, lambda x, y: session.run([loss, minimize], {pictures: x, classes: y})[0], began)
        hook = SessionHook(run, {"loss/train": loss})
        for x, y in epoch():
            hook.run(session, minimize, {pictures: x, classes: y})
        for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
            found = session.run([loss, accuracy], {pictures: x, classes: y})
            report(run, split, *map(float, found))


def network(x: tf.Tensor) -> tf.Tensor:
    """Add the same network to the graph, from TensorFlow 1's own operations and variables."""
    for number, filters in enumerate((32, 32, 64), 1):
        with tf1.variable_scope(f"conv{number}"):
            kernel, bias = variables((3, 3, int(x.shape[-1]), filters))
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias)
        x = tf.nn.max_pool2d(x, 2, 2, "SAME", name="pool") if number == 2 else x
    x = tf.reshape(x, (-1, 4 * 4 * 64), "flatten")
    with tf1.variable_scope("out"):
        kernel, bias = variables((4 * 4 * 64, 10))
        return tf.matmul(x, kernel) + bias


def variables(shape: tuple[int, ...]) -> tuple[tf.Variable, tf.Variable]:
    """Return a kernel of that shape, and its bias; initial weights are as Keras makes them."""
    kernel = tf1.get_variable("kernel", shape, initializer=tf1.glorot_uniform_initializer())
    return kernel, tf1.get_variable("bias", shape[-1:], initializer=tf1.zeros_initializer())


# 4. What it costs.
def measure(run: stepscope.Run, step: Step, began: float) -> None:
    """Time the steps: the first from `began` on, when there was nothing but the data; then usual ones."""
    batches = [pair for _ in range(options.epochs) for pair in epoch()]
    times, losses = [], []
    for x, y in tqdm(batches, desc=run.name, unit="step"):
        losses.append(step(x, y))
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
    quarter, median, three_quarters = statistics.quantiles(times[WARM_UP:], n=4)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    run.summary.update(
        seconds_to_import=SECONDS_TO_IMPORT,
        seconds_to_first_step=times[0],
        seconds_a_step=median,
        seconds_a_step_spread=three_quarters - quarter,
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,  # the process's highest
    )
    for loss in losses:
        run.log({"loss/train": loss})
    # What was compiled for batches of 64 meets other ones, as at the end of an epoch, or in texts.
    rows = []
    for length in range(options.batch_size - 4, options.batch_size):
        x, y = batch(length)
        began = time.perf_counter()
        loss = step(x, y)
        rows.append([length, time.perf_counter() - began])
        run.log({"loss/train": loss})
    run.log({"new lengths": stepscope.Table(["batch of", "seconds"], rows)})
    run.summary["seconds_for_4_new_lengths"] = sum(seconds for _, seconds in rows)


def report(run: stepscope.Run, split: str, loss: float, accuracy: float) -> None:
    """Keep with the run how good the model is on all of some data."""
    if split == "test":  # "loss/train" is the loss of the steps
        run.log({"loss/test": loss, "accuracy/test": accuracy})
    run.summary.update({f"{split}_loss": loss, f"{split}_accuracy": accuracy})
    print(f"{run.name}: {split}: loss {loss:.4f}, accuracy {accuracy:.1%}")


if options.mode is None:
    for mode in MODES:
        subprocess.run([sys.executable, *sys.argv, "--mode", mode], check=True)
else:
    mode = options.mode
    with stepscope.init(
        project="execution", name=f"{mode}-tensorflow", group=mode, config=vars(options), store=options.store
    ) as run:
        train_session(run) if mode == "session" else train(run, mode)
        print(f"{run.name}:", *(f"{name} {value:.4g}," for name, value in run.summary.items()))
