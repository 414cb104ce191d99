"""One training step in the four ways TensorFlow runs it: eager, as a graph, through XLA, in a session.

    python sample_runs/execution_tensorflow.py
    stepscope ui

sample_runs/execution_pytorch.py does the same in PyTorch. Each mode is a run of its own, in a process of its
own, so that neither the time of its first step nor its memory holds anything of another's. The names say what
they are like there: "eager" and "graph" are on both sides, and group runs on the Compare page.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import numpy as np
import psutil
import tensorflow as tf
from sklearn.datasets import load_digits
from tqdm import trange

import stepscope
from stepscope.trackers.tensorflow import SessionHook, TensorFlowTracker

MODES = ["eager", "graph", "xla", "session"]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
parser.add_argument("--mode", choices=MODES, help="only this one (default: one after the other)")
options = parser.parse_args()


def begin(mode: str) -> stepscope.Run:
    """Begin the run of a mode."""
    config = {**vars(options), "mode": mode}
    name = f"{mode}-tensorflow"
    return stepscope.init(project="execution", name=name, group=mode, config=config, store=options.store)


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (1797, 8, 8, 1), 0 to 1, and classes (1797,)."""
    digits = load_digits()
    return (digits.images / 16).astype("float32")[..., None], digits.target


def model() -> keras.Model:
    """Return a network of three convolutions."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(32, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Conv2D(32, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )


def train(mode: str) -> None:
    """Train in one of TensorFlow 2's modes, and note what it cost."""
    keras.utils.set_random_seed(options.seed)
    net, optimizer = model(), keras.optimizers.Adam(1e-3)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(y, net(x, training=True))
        optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
        return loss

    # Eager: each operation runs when Python comes to it. Under tf.function the first call is traced into a
    # graph, which runs without Python from then on; jit_compile has XLA fuse its operations besides.
    if mode != "eager":
        step = tf.function(step, jit_compile=mode == "xla")
    pixels, labels = data()
    with begin(mode) as run:
        tracker = TensorFlowTracker(run, net, optimizer)

        def one(chosen: np.ndarray) -> None:
            loss = step(tf.constant(pixels[chosen]), tf.constant(labels[chosen]))
            tracker.end_step({"loss/train": loss}, samples=len(chosen))
            loss.numpy()  # waits for a GPU, only to time it: a training of one's own does not

        report(run, mode, one)


def train_session() -> None:
    """Train as TensorFlow 1 did: the graph is written down first, then a session runs it with what is fed."""
    tf1 = tf.compat.v1
    pixels, labels = data()
    with tf.Graph().as_default(), begin("session") as run:
        tf1.set_random_seed(options.seed)
        x = tf1.placeholder(tf.float32, (None, 8, 8, 1), "x")
        y = tf1.placeholder(tf.int64, (None,), "y")
        loss = tf1.losses.sparse_softmax_cross_entropy(y, network(x))
        with tf.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):
            minimize = tf1.train.AdamOptimizer(1e-3).minimize(loss, tf1.train.get_or_create_global_step())
        hook = SessionHook(run, {"loss/train": loss})
        with tf1.train.MonitoredTrainingSession(hooks=[hook]) as session:
            report(
                run, "session", lambda chosen: session.run(minimize, {x: pixels[chosen], y: labels[chosen]})
            )


def network(x: tf.Tensor) -> tf.Tensor:
    """Add the same network to the graph, from TensorFlow 1's own operations and variables."""
    for number, filters in enumerate((32, 32, 64), 1):
        with tf.compat.v1.variable_scope(f"conv{number}"):
            x = convolution(x, filters)
            x = tf.nn.relu(normalised(x) if number < 3 else x)
            x = tf.nn.max_pool2d(x, 2, 2, "SAME") if number == 2 else x
    x = tf.reshape(x, (-1, 4 * 4 * 64))
    with tf.compat.v1.variable_scope("out"):
        return tf.matmul(x, variable("kernel", (4 * 4 * 64, 10))) + variable("bias", (10,), zeros=True)


def convolution(x: tf.Tensor, filters: int) -> tf.Tensor:
    """Return the convolution of a picture with new filters."""
    kernel = variable("kernel", (3, 3, int(x.shape[-1]), filters))
    return tf.nn.conv2d(x, kernel, 1, "SAME") + variable("bias", (filters,), zeros=True)


def normalised(x: tf.Tensor) -> tf.Tensor:
    """Return the channels with mean 0 and variance 1 over the batch, scaled and shifted."""
    mean, variance = tf.nn.moments(x, (0, 1, 2))
    channels = (int(x.shape[-1]),)
    shift, scale = variable("beta", channels, zeros=True), 1 + variable("gamma", channels, zeros=True)
    return tf.nn.batch_normalization(x, mean, variance, shift, scale, 1e-3)


def variable(name: str, shape: tuple[int, ...], *, zeros: bool = False) -> tf.Variable:
    """Return a variable of the graph."""
    tf1 = tf.compat.v1
    return tf1.get_variable(name, shape, initializer=tf1.zeros_initializer() if zeros else None)


def report(run: stepscope.Run, mode: str, one: Callable[[np.ndarray], object]) -> None:
    """Make and time all steps."""
    random, count = np.random.default_rng(options.seed), len(data()[1])
    times = []
    for _ in trange(options.epochs * (count // options.batch_size), desc=mode, unit="step"):
        chosen = random.integers(0, count, options.batch_size)
        began = time.perf_counter()
        one(chosen)
        times.append(time.perf_counter() - began)
    run.summary.update(costs(times))
    print(mode, *(f"{name} {value:.4g}" for name, value in costs(times).items()), sep="  ")


def costs(times: list[float]) -> dict[str, float]:
    """Return seconds of the first step and of later ones, and the process's memory in MiB."""
    return {
        "seconds_to_first_step": times[0],
        "seconds_a_step": statistics.median(times[1:]),
        "memory_mib": psutil.Process().memory_info().rss / 2**20,
    }


if options.mode is None:
    for mode in MODES:
        subprocess.run([sys.executable, *sys.argv, "--mode", mode], check=True)
else:
    if options.device == "cpu":
        tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
    elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
        parser.error("--device gpu: TensorFlow sees no GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)  # as the twin does
    train_session() if options.mode == "session" else train(options.mode)
