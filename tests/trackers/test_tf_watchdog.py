"""The watchdog of Keras and TensorFlow: a planted NaN is found in its layer, direction and step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any, cast

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

import stepscope  # noqa: E402
from stepscope.storage.events import alerts_of  # noqa: E402
from stepscope.trackers.keras import KerasTracker  # noqa: E402
from stepscope.trackers.tensorflow import TensorFlowTracker  # noqa: E402
from stepscope.trackers.tensorflow.later import Later  # noqa: E402
from stored import Stored  # noqa: E402

PLANTED = 13
"""The step at which the layer spoils what passes through."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        yield run


class Spoils(keras.layers.Layer):
    """Gives what it is given; where the inputs hold a number above 100, NaN in one direction."""

    def __init__(self, direction: str, **options: Any) -> None:
        super().__init__(**options)
        self.direction = direction

    def call(self, given: Any) -> Any:
        spoil = tf.where(tf.reduce_any(given > 100), float("nan"), 1.0)

        @tf.custom_gradient
        def pass_on(x: Any) -> Any:
            if self.direction == "forward":
                return x * spoil, lambda d: d
            return x * 1.0, lambda d: d * spoil

        return pass_on(given)


def net(direction: str) -> Any:
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Dense(4, activation="relu", name="first"),
        Spoils(direction, name="middle"),
        keras.layers.Dense(1, name="last"),
    ]
    return keras.Sequential([keras.Input((3,)), *layers])


def batches() -> Iterator[tuple[Any, Any]]:
    for step in range(1, 26):
        size = 1000.0 if step == PLANTED else 1.0
        yield tf.fill((2, 3), size), tf.zeros((2, 1))


def alert_of(run: Any) -> Any:
    (alert,) = alerts_of(Stored(run).reader, [run.id])
    return alert


def check(run: Any, direction: str) -> None:
    alert = alert_of(run)
    # The gradient of the layer before the one that spoils it is the first that is bad.
    layer = "middle" if direction == "forward" else "first"
    assert alert.title == f"NaN in the {direction} pass of {layer}"
    assert (alert.level, alert.step) == ("error", PLANTED)
    assert f"At step {PLANTED}." in alert.text
    if direction == "forward":
        assert "8 NaN" in alert.text
    else:
        assert "Of 4 parameters, the gradients of 2 are bad: first/kernel, first/bias." in alert.text


@pytest.mark.parametrize(("direction", "jit_compile"), [("forward", True), ("backward", False)])
def test_in_fit(run: Any, direction: str, jit_compile: bool) -> None:
    model = net(direction)
    model.compile("sgd", "mse", jit_compile=jit_compile)
    data = tf.data.Dataset.from_generator(
        batches, output_signature=(tf.TensorSpec((2, 3)), tf.TensorSpec((2, 1)))
    )
    model.fit(data, epochs=1, verbose=0, callbacks=[KerasTracker(run, graph=False)])  # pyright: ignore[reportArgumentType]
    check(run, direction)


@pytest.mark.parametrize(
    ("direction", "jit_compile"),
    [("forward", False), ("backward", True), ("forward", None), ("backward", None)],
)
def test_in_a_loop(run: Any, direction: str, jit_compile: bool | None) -> None:
    """`None` runs the loop eagerly."""
    model, optimizer = net(direction), keras.optimizers.SGD(1e-3)
    tracker = TensorFlowTracker(run, model, optimizer, graph=False)

    def train_step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    step = train_step if jit_compile is None else tf.function(train_step, jit_compile=jit_compile)
    for x, y in batches():
        step(x, y)
        tracker.end_step()
    if jit_compile is not None:
        assert step.experimental_get_tracing_count() == 1
    run.finish()
    check(run, direction)


@pytest.mark.parametrize("eager", [True, False])
def test_targets_gone_bad_are_blamed_on_the_loss(run: Any, eager: bool) -> None:
    model = net("forward")
    model.compile("sgd", "mse", jit_compile=False, run_eagerly=eager)
    x, y = np.ones((20, 3), np.float32), np.ones((20, 1), np.float32)
    y[13] = np.nan
    model.fit(x, y, batch_size=2, shuffle=False, verbose=0, callbacks=[KerasTracker(run, graph=False)])  # pyright: ignore[reportArgumentType]
    run.finish()
    alert = alert_of(run)
    assert (alert.title, alert.step) == ("NaN in the loss", 7)
    assert "What the layers returned was finite. The gradients of all parameters are bad." in alert.text


def test_a_sum_that_overflows_does_not_blind_the_watchdog(run: Any) -> None:
    weight = tf.Variable(tf.ones(3), name="weight")
    optimizer = keras.optimizers.SGD(0.0)
    tracker = TensorFlowTracker(run, optimizer=optimizer)

    @tf.function
    def train_step(gradient: Any) -> None:
        optimizer.apply([gradient], [weight])

    for step in range(1, 31):
        number = {2: 3e38, 22: float("nan")}.get(step, 1.0)  # three of them have an infinite sum
        train_step(tf.fill((3,), number))
        tracker.end_step()
    run.finish()
    assert (alert_of(run).title, alert_of(run).step) == ("NaN in the backward pass of weight", 22)


def test_infinity_without_a_model_is_told_of_the_gradient(run: Any) -> None:
    weight = tf.Variable(tf.ones(3), name="weight")
    optimizer = keras.optimizers.SGD(0.0)
    tracker = TensorFlowTracker(run, optimizer=optimizer, name="alone")

    @tf.function
    def train_step(scale: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(weight * scale)
        optimizer.apply([tape.gradient(loss, weight)], [weight])

    for step in range(1, 4):
        train_step(tf.constant(float("inf") if step == 3 else 2.0))
        tracker.end_step()
    tracker.close()
    alert = alert_of(run)
    assert (alert.title, alert.step) == ("infinity in the backward pass of weight (alone)", 3)


def test_a_run_without_bad_numbers_has_no_alert(run: Any) -> None:
    """Sums that overflow are none either, and nobody looks who was told not to."""
    weight = tf.Variable(tf.ones(2), name="weight")
    for watchdog, scale in ((True, 3e38), (False, np.nan)):
        optimizer = keras.optimizers.SGD(0.0)
        tracker = TensorFlowTracker(
            run, optimizer=optimizer, watchdog=watchdog, gradient_norm_every=0, histogram_every=0
        )
        for _ in range(2):
            optimizer.apply([tf.fill((2,), tf.cast(scale, tf.float32))], [weight])
        tracker.close()
    assert alerts_of(Stored(run).reader, [run.id]) == []


def test_an_eager_loop_on_a_device_does_not_wait_for_it(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host reads the device's sums in a thread, which here has to wait until the loop is through."""
    for place in ("watchdog", "later"):
        monkeypatch.setattr(f"stepscope.trackers.tensorflow.{place}.is_on_host", lambda _: False)
    through, work = Event(), Later._work  # pyright: ignore[reportPrivateUsage]

    def held_back(*given: Any) -> None:
        assert through.wait(60)
        work(*given)

    monkeypatch.setattr(Later, "_work", held_back)
    weight = tf.Variable(tf.ones(2), name="weight")
    optimizer = keras.optimizers.SGD(0.0)
    tracker = TensorFlowTracker(run, optimizer=optimizer, histogram_every=0)
    for step in range(1, 26):
        optimizer.apply([tf.fill((2,), np.nan if step >= PLANTED else 3e38)], [weight])
    assert alerts_of(Stored(run).reader, [run.id]) == []
    through.set()
    tracker.close()
    alert = alert_of(run)
    assert (alert.title, alert.step) == ("NaN in the gradients", PLANTED)
    assert "The device was not waited for" in alert.text


def test_what_was_found_for_one_tracker_is_not_told_by_the_next(run: Any) -> None:
    weight, optimizer = tf.Variable(tf.ones(2), name="weight"), keras.optimizers.SGD(0.0)

    @tf.function
    def train_step(scale: Any) -> None:
        optimizer.apply([tf.fill((2,), scale)], [weight])

    for scale in (np.nan, 1.0):
        tracker = TensorFlowTracker(run, optimizer=optimizer, histogram_every=0)
        train_step(tf.constant(scale, tf.float32))
        tracker.end_step()
        cast("Any", tracker)._parts.close()  # the tap stays, as when another tracker takes it over
    assert alert_of(run).step == 1
