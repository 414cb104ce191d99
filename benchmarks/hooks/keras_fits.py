"""A small CNN in Keras, by `fit` with its progress bar: without a tracker, with ours, and with TensorBoard's.

Everything is recorded each 10 steps; of TensorBoard's callback, which counts in epochs, an epoch is 10 steps
long. So there are two variants without a tracker, with epochs of a block and of 10 steps.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import stepscope
from hooks.variants import NONE, Variant, cpu_costs, step_costs
from plan import Measures
from stepscope.trackers.keras import KerasTracker

_BATCH, _OFTEN = 32, 10


def measure(folder: Path, blocks: int, block: int) -> Measures:
    """Return what each variant costs, and how often the train function was traced."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    store = folder / "stepscope.db"
    plain, tracked = _model(), _model()
    traces = {f"traces_{NONE}": _count_traces(plain), "traces_hook": _count_traces(tracked)}
    seldom = {NONE: _fits(plain, block), "default": _ours(tracked, store, block)}
    often = {
        NONE: _fits(_model(), _OFTEN),
        "everything": _ours(_model(), store, _OFTEN, everything=True),
        "tensorboard": _fits(
            _model(), _OFTEN, keras.callbacks.TensorBoard(folder / "logs", histogram_freq=1)
        ),
    }
    for variant in (*seldom.values(), *often.values()):
        variant.train(2 * block)
    measures = step_costs(seldom, blocks, block, block) | cpu_costs(seldom, blocks, block)
    measures = step_costs(often, blocks, block, block) | cpu_costs(often, blocks, block) | measures
    return measures | {name: len(times) for name, times in traces.items()}


def _model() -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def _fits(model: Any, epoch: int, *callbacks: Any, flush: Any = None) -> Variant:
    x = np.random.default_rng(0).normal(size=(epoch * _BATCH, 28, 28, 1)).astype(np.float32)
    y = np.arange(epoch * _BATCH) % 10

    def train(steps: int) -> None:
        model.fit(x, y, batch_size=_BATCH, epochs=steps // epoch, callbacks=list(callbacks))

    return Variant(train, flush) if flush else Variant(train)


def _ours(model: Any, store: Path, epoch: int, *, everything: bool = False) -> Variant:
    run = stepscope.init(project="bench", store=store)
    if not everything:
        return _fits(model, epoch, KerasTracker(run), flush=run.flush)
    tracker = KerasTracker(
        run,
        histogram_every=_OFTEN,
        gradient_norm_every=_OFTEN,
        memory_every=_OFTEN,
        histograms=("weights", "gradients", "activations"),
    )
    return _fits(model, epoch, tracker, flush=run.flush)


def _count_traces(model: Any) -> list[float]:
    """Return a list that gets an entry each time the model's train step is traced."""
    own, times = model.train_step, []

    def step(data: Any) -> Any:
        times.append(time.time())  # Python runs while a function is traced, never afterwards
        return own(data)

    model.train_step = step
    return times
