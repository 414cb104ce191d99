"""From training to serving, in Keras: save, load back, compare the answers, measure size and latency.

    python sample_runs/deployment_keras.py
    stepscope ui

sample_runs/deployment_pytorch.py does the same in PyTorch. Each form becomes an artifact of the run; what it
costs stands in the table "deployment" on the Media page.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # must be set before TensorFlow is loaded

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from sklearn.datasets import load_digits

import stepscope
from stepscope.trackers.keras import KerasTracker, save_model

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--calls", type=int, default=200, help="how often each form is called to time it")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[..., None]

model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="conv"),
        keras.layers.MaxPooling2D(2, name="pool"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dropout(0.2, name="dropout"),
        keras.layers.Dense(10, name="out"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
run = stepscope.init(project="deployment", name="deployed-keras", config=vars(options), store=options.store)
model.fit(
    pixels, digits.target, batch_size=32, epochs=options.epochs, callbacks=[KerasTracker(run)], verbose=2
)

Answer = Callable[[np.ndarray], np.ndarray]


def saved_model(path: str) -> Answer:
    """Return what TensorFlow Serving would answer."""
    (version,) = os.listdir(path)
    loaded = tf.saved_model.load(os.path.join(path, version))
    return lambda batch: loaded.serve(tf.constant(batch)).numpy()


def litert(path: str) -> Answer:
    """Return what a phone would answer."""
    interpreter = Interpreter(model_path=path)

    def answer(batch: np.ndarray) -> np.ndarray:
        (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
        if tuple(given["shape"]) != batch.shape:
            interpreter.resize_tensor_input(given["index"], batch.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], batch)
        interpreter.invoke()
        return interpreter.get_tensor(made["index"])

    return answer


LOADERS: dict[str, Callable[[str], Answer]] = {"saved_model": saved_model, "litert": litert}


def milliseconds(answer: Answer, batch: np.ndarray) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(options.calls):
        began = time.perf_counter()
        answer(batch)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def in_the_program(batch: np.ndarray) -> np.ndarray:
    """Return what the model itself answers."""
    return model(batch, training=False).numpy()


expected = in_the_program(pixels)
saved = save_model(run, model, formats=tuple(LOADERS))
rows = [
    [
        "in the program",
        0,
        milliseconds(in_the_program, pixels[:1]),
        milliseconds(in_the_program, pixels[:64]),
        0.0,
    ]
]
for form, load in LOADERS.items():
    again = load(str(saved[form].path))
    difference = float(np.abs(again(pixels) - expected).max())
    rows.append(
        [
            form,
            saved[form].size,
            milliseconds(again, pixels[:1]),
            milliseconds(again, pixels[:64]),
            difference,
        ]
    )
columns = ["form", "bytes", "ms for 1", "ms for 64", "largest difference"]
run.log({"deployment": stepscope.Table(columns, rows)})
for form, size, one, many, difference in rows:
    print(
        f"{form:>14}: {size:>8,} bytes, {one:.3f} ms for 1, {many:.3f} ms for 64, differs by {difference:.1e}"
    )
run.finish()
