"""From training to serving, in Keras: save, load back, compare the answers, measure size and latency.

    python sample_runs/deployment_keras.py
    stepscope ui

sample_runs/deployment_pytorch.py does the same in PyTorch. Each form becomes an artifact of the run; what it
costs stands in the table "deployment" on the Media page. All forms answer on one thread. The size of the
model in the program is that of its weights. What Keras logs of a batch in training is the mean of the epoch
so far; the twin logs each batch by itself.
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
from sklearn.model_selection import train_test_split

import stepscope
from stepscope.trackers.keras import KerasTracker, save_model

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--calls", type=int, default=200, help="how often each form is called to time it")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
keras.utils.set_random_seed(options.seed)
if options.device == "cpu":
    tf.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes a GPU by itself
elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
    parser.error("--device gpu: TensorFlow sees no GPU")


# 1. The data: 1,797 digits of 8x8 pixels, scaled to 0..1, 80 % to train on, 20 % to test.
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[..., None]  # channels last
x_train, x_test, y_train, y_test = train_test_split(
    pixels, digits.target, train_size=0.8, stratify=digits.target, random_state=options.seed
)


# 2. The model.
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


# 3. Train it.
model.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
run = stepscope.init(project="deployment", name="deployment-keras", config=vars(options), store=options.store)
model.fit(
    x_train,
    y_train,
    batch_size=options.batch_size,
    epochs=options.epochs,
    callbacks=[KerasTracker(run)],
)


# 4. Test it.
for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
    mean_loss, part_right = model.evaluate(x, y, verbose=0)
    run.summary.update({f"{split}_loss": mean_loss, f"{split}_accuracy": part_right})
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"loss/test": mean_loss, "accuracy/test": part_right})


# 5. Save it in each form; how each is loaded again.
Answer = Callable[[np.ndarray], np.ndarray]


def in_program(batch: np.ndarray) -> np.ndarray:
    """Return what the model itself answers."""
    return model(batch, training=False).numpy()


def saved_model(path: str) -> Answer:
    """Return what TensorFlow Serving would answer."""
    (version,) = os.listdir(path)
    loaded = tf.saved_model.load(os.path.join(path, version))
    return lambda batch: loaded.serve(tf.constant(batch)).numpy()


def litert(path: str) -> Answer:
    """Return what a phone would answer."""
    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()

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
saved = save_model(run, model, formats=tuple(LOADERS))


# 6. Compare what they answer, how large they are, and how long they take.
def milliseconds(answer: Answer, batch: np.ndarray) -> float:
    """Return the median time of a call, after as many again to warm up."""
    times = []
    for _ in range(2 * options.calls):
        began = time.perf_counter()
        answer(batch)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times[options.calls :])


def measured(form: str, answer: Answer, size: int) -> list[str | float]:
    """Return a row of the table; the summary keeps it too."""
    one, many = (milliseconds(answer, x_test[:length]) for length in (1, 64))
    difference = float(np.abs(answer(x_test) - in_program(x_test)).max())
    run.summary.update(
        {
            f"{form}_size_kib": size / 1024,
            f"{form}_latency_ms_1": one,
            f"{form}_latency_ms_64": many,
            f"{form}_difference": difference,
        }
    )
    print(
        f"{form:>12}: {size:>8,} bytes, {one:.3f} ms for 1, {many:.3f} ms for 64, differs by {difference:.1e}"
    )
    return [form, size, one, many, difference]


rows = [measured("in_program", in_program, sum(weight.nbytes for weight in model.get_weights()))]
rows += [measured(form, load(str(saved[form].path)), saved[form].size) for form, load in LOADERS.items()]
columns = ["form", "bytes", "ms for 1", "ms for 64", "largest difference"]
run.log({"deployment": stepscope.Table(columns, rows)})
run.finish()
