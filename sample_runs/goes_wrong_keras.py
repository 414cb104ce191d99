"""A training that goes wrong: one layer begins to give NaN. Who says which one, and what does it cost?

    python sample_runs/goes_wrong_keras.py
    stepscope ui

sample_runs/goes_wrong_pytorch.py does the same in PyTorch; first weights and Adam's epsilon are each
framework's own. The loss only becomes NaN; that it comes out of the layer "scale", in the forward pass of
step 51, stands in the alert of Stepscope's watchdog. The same training is made several times; what each way
to look at it said is a text of the run, what it cost a number:

- plain: nobody looks. The curve of the loss ends; the weights are spoiled.
- watched: Stepscope's tracker does, whose watchdog is on unless it is turned off.
- pdb: a person has seen the NaN, takes the tf.function off, since Python sees nothing of what runs in it,
  puts `breakpoint()` behind the loss where it is not finite, trains again with the same seed, and asks one
  layer after the other. Here the program types what they would.
- debugger: TensorFlow's own, `tf.debugging.enable_check_numerics()`. It has to be on before the function is
  traced, stops at the first operation that gives NaN, and shows the lines that made it.
- dump: its other one, `tf.debugging.experimental.enable_dump_debug_info`. It stops at nothing and writes
  files, on which a person opens the page Debugger V2 of TensorBoard.
"""

from __future__ import annotations

import argparse
import io
import os
import pdb
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from tqdm import tqdm

import stepscope
from stepscope.trackers.tensorflow import TensorFlowTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--wrong-after", type=int, default=50, help="steps that go well")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


# 1. The data: 1,797 digits of 64 pixels, scaled to 0..1.
digits = load_digits()
pixels = (digits.data / 16).astype("float32")
labels = digits.target


# 2. The model, and the layer that goes wrong.
class Scale(keras.layers.Layer):
    """Multiplies by what it has learned, and takes the logarithm of a negative number one day."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Begin with factors of one."""
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return x (n, features), multiplied."""
        self.calls.assign_add(float(training))
        good = self.calls <= options.wrong_after
        return x * tf.cond(good, lambda: +self.factor, lambda: tf.math.log(-tf.abs(self.factor)))


def new_model() -> keras.Model:
    """Return a chain of layers, one of which will go wrong."""
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, activation="relu", name="dense1"),
            Scale(name="scale"),
            keras.layers.Dense(32, activation="tanh", name="dense2"),
            keras.layers.Dense(10, name="out"),
        ]
    )


# 3. The training, the same whoever looks.
TYPED = [
    "p loss",
    "seen = model.get_layer('dense1')(x)",
    "p tf.reduce_all(tf.math.is_finite(seen))",
    "seen = model.get_layer('scale')(seen)",
    "p tf.reduce_all(tf.math.is_finite(seen))",
    "continue",
]


def dialogue(shown: str) -> str:
    """Return what pdb has shown, with what was typed behind each of its prompts."""
    first, *answers = shown.split("(Pdb) ")
    return first + "".join(f"(Pdb) {line}\n{answer}" for line, answer in zip(TYPED, answers, strict=True))


def train(how: str) -> tuple[list[float], int | None, str]:
    """Return the seconds of each step; at which step somebody said that it goes wrong, and what they said."""
    keras.utils.set_random_seed(options.seed)
    model = new_model()
    optimizer = keras.optimizers.Adam(1e-3)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    tracker = TensorFlowTracker(run, model, optimizer) if how == "watched" else None
    screen = io.StringIO()
    person = pdb.Pdb(stdin=io.StringIO("\n".join(TYPED)), stdout=screen, readrc=False)

    def train_step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        if how == "pdb" and not np.isfinite(loss):
            person.set_trace()  # or: breakpoint()
            raise ArithmeticError(dialogue(screen.getvalue()))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    if how != "pdb":
        train_step = tf.function(train_step)
    times = []
    order = np.random.default_rng(options.seed)
    batches = [
        chosen
        for _ in range(options.epochs)
        for chosen in np.split(order.permutation(len(pixels)), range(64, len(pixels), 64))
    ]
    for step, chosen in enumerate(tqdm(batches, desc=how, unit="step"), 1):
        x, y = tf.constant(pixels[chosen]), tf.constant(labels[chosen])
        began = time.perf_counter()
        try:
            loss = train_step(x, y)
        except (ArithmeticError, tf.errors.InvalidArgumentError) as stopped:
            return times, step, str(stopped)
        loss.numpy()  # waits for a GPU, only to time it: a training of one's own does not
        if tracker is not None:
            tracker.end_step({"loss/train": loss}, samples=len(x))
        times.append(time.perf_counter() - began)
    if tracker is not None:
        tracker.close()
        run.flush()
        with stepscope.open(options.store) as store:
            for alert in store.run(run.id).alerts:
                return times, alert.step, f"{alert.title}. {alert.text}"
    return times, None, ""


# 4. Whoever looks, one after the other; the table of what they said.
run = stepscope.init(project="goes-wrong", name="goes-wrong-keras", config=vars(options), store=options.store)
rows = []
with tempfile.TemporaryDirectory() as folder:
    for how in ("plain", "watched", "pdb", "debugger", "dump"):
        if how == "debugger":
            tf.debugging.enable_check_numerics()
        elif how == "dump":
            tf.debugging.experimental.enable_dump_debug_info(folder, "FULL_HEALTH", -1)
        times, step, said = train(how)
        if how == "debugger":
            tf.debugging.disable_check_numerics()
        elif how == "dump":
            tf.debugging.experimental.disable_dump_debug_info()
            run.summary["dump_kib"] = sum(file.stat().st_size for file in os.scandir(folder)) / 1024
        usual = statistics.median(times[10 : options.wrong_after])  # the first ones warm up
        print(f"{how}: {1000 * usual:.2f} ms a step; step {step}: {said or 'nothing was said'}")
        rows.append([how, step, "yes" if "scale" in said else "no", usual])
        run.summary[f"seconds_a_step_{how}"] = usual
        if step is not None:
            run.summary[f"found_step_{how}"] = step
            run.log({f"said/{how}": stepscope.Text(said)})
run.log({"debuggers": stepscope.Table(["who looks", "step", "names the layer", "seconds a step"], rows)})
run.finish()
