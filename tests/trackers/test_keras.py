"""KerasTracker: what it stores is what Keras and a loop by hand compute, and the model stays as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

import stepscope  # noqa: E402
from stepscope.storage.errors import BadInput  # noqa: E402
from stepscope.trackers.keras import KerasTracker  # noqa: E402
from stored import Stored  # noqa: E402
from support import run_python  # noqa: E402


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        yield run


def data(count: int = 160) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    return random.random((count, 6), dtype=np.float32), random.integers(0, 3, count)


def sequential() -> Any:
    return keras.Sequential(
        [keras.layers.Dense(5, activation="relu", name="a"), keras.layers.Dense(3, name="b")]
    )


def functional() -> Any:
    given = keras.Input((6,))
    hidden = keras.layers.Dense(5, name="a")(given)
    joined = keras.layers.Concatenate(name="join")([hidden, keras.layers.ReLU()(hidden)])
    return keras.Model(given, keras.layers.Dense(3, name="b")(joined))


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first = keras.layers.Dense(5, name="a")
        self.second = keras.layers.Dense(3, name="b")

    def call(self, x: Any) -> Any:
        return self.second(tf.nn.relu(self.first(x)))


def compiled(model: Any, optimizer: Any = None, **options: Any) -> Any:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], **options)
    return model


def fit(model: Any, run: Any, *, epochs: int = 2, **options: Any) -> Any:
    x, y = data()
    tracker = KerasTracker(run, **options)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, shuffle=False, callbacks=[tracker])
    return tracker


class Peek(keras.callbacks.Callback):
    """Keeps what Keras tells and the weights before each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[dict[str, float]] = []
        self.weights: list[list[Any]] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.weights.append([w.numpy() for w in self.model.trainable_weights])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.logs.append(dict(logs))


@pytest.mark.parametrize(
    ("make", "jit_compile"),
    [(sequential, True), (functional, False), (Subclassed, False)],
)
def test_gradients_are_those_of_a_tape(run: Any, make: Any, jit_compile: bool) -> None:
    model = make()
    x, y = data()
    model(x)  # builds it, so that its first weights can be seen
    compiled(model, jit_compile=jit_compile)
    peek = Peek()
    tracker = KerasTracker(run, histogram_every=4, gradient_norm_every=2)
    model.fit(x, y, batch_size=32, epochs=2, verbose=0, shuffle=False, callbacks=[peek, tracker])
    stored = Stored(run)
    norms = stored.scalar("gradient_norm")
    assert list(norms) == [1, 2, 4, 6, 8, 10]
    first = stored.records("histogram", "gradients/a/kernel")
    assert list(first) == list(stored.records("histogram", "weights/b/bias")) == [1, 4, 8]
    assert stored.names("gradients/") == {
        f"gradients/{p}" for p in ("a/kernel", "a/bias", "b/kernel", "b/bias")
    }
    for step in (1, 4, 8):
        at = (step - 1) % 5 * 32
        model.set_weights(peek.weights[step - 1])
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x[at : at + 32], y[at : at + 32], model(x[at : at + 32]))
        gradients = tape.gradient(loss, model.trainable_weights)
        assert norms[step] == pytest.approx(float(tf.linalg.global_norm(gradients)), rel=1e-4)
        truth = gradients[0].numpy()
        assert first[step].count == truth.size == 30
        assert first[step].mean == pytest.approx(truth.mean(dtype=np.float64), rel=1e-3, abs=1e-7)
        assert first[step].max == pytest.approx(truth.max(), rel=1e-3)


def test_metrics_lie_on_one_axis(run: Any) -> None:
    model = compiled(sequential())
    x, y = data()
    peek = Peek()
    history = model.fit(
        x, y, batch_size=32, epochs=3, verbose=0, validation_data=(x, y), callbacks=[peek, KerasTracker(run)]
    )
    stored = Stored(run)
    for name in ("loss", "accuracy"):
        truth = {step: logs[name] for step, logs in enumerate(peek.logs, 1)}
        assert stored.scalar(f"batch_{name}") == pytest.approx(truth)
        for key in (name, f"val_{name}"):
            by_epoch = dict(zip((5, 10, 15), history.history[key], strict=True))
            assert stored.scalar(f"epoch_{key}") == pytest.approx(by_epoch)
    assert stored.scalar("epoch") == {5: 1, 10: 2, 15: 3}
    assert stored.run.framework == "keras"


def test_speed_counts_samples(run: Any) -> None:
    fit(compiled(sequential()), run, epochs=4)
    stored = Stored(run)
    seconds, speed = stored.scalar("step_time"), stored.scalar("samples_per_second")
    assert len(seconds) >= 19  # finding the graph stops the clock once
    assert list(speed) == [1, 5, 10, 15, 20]
    in_epoch = sum(seconds.get(step, 0.0) for step in range(6, 11))
    assert round(speed[10] * in_epoch) == 160


def test_samples_are_counted_over_epochs_and_fits(run: Any) -> None:
    model = compiled(sequential())
    x, y = data(100)  # batches of 32, 32, 32 and 4
    for given in ({}, {"validation_data": (x, y)}):
        tracker = KerasTracker(run, graph=False)
        model.fit(x, y, batch_size=32, epochs=3, verbose=0, callbacks=[tracker], **given)
    filtered = tf.data.Dataset.from_tensor_slices((x, y)).batch(60).filter(lambda *_: True)
    model.fit(filtered, verbose=0, callbacks=[tracker])
    truth = {1: 32, 4: 100, 8: 200, 10: 264, 12: 300, 16: 400, 20: 500, 24: 600, 26: 700}
    assert Stored(run).scalar("samples") == truth


def test_a_train_step_of_ones_own_counts_no_samples(run: Any) -> None:
    class Own(keras.Sequential):
        def train_step(self, batch: Any) -> Any:
            loss = self.compute_loss(batch[0], batch[1], self(batch[0]))
            self.metrics[0].update_state(loss)  # as in Keras' guide: a batch counts one
            return {"loss": loss}

    model = Own([keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, run, graph=False, watchdog=False, histograms=())
    assert "samples" not in Stored(run).names()


def test_the_learning_rate_follows_a_schedule(run: Any) -> None:
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.9)
    fit(compiled(sequential(), keras.optimizers.Adam(decay)), run, epochs=4)
    assert Stored(run).scalar("learning_rate") == pytest.approx(
        {s: 0.1 * 0.9**s for s in (1, 10, 20)}, rel=1e-4
    )


def test_a_second_fit_goes_on(run: Any) -> None:
    model = compiled(sequential())
    first = fit(model, run, epochs=1, gradient_norm_every=1)
    run.log({"note": 1.0})
    traced = model.train_function
    second = fit(model, run, epochs=1, gradient_norm_every=1)
    assert (first.step, second.step) == (5, 10)
    assert model.train_function is traced  # the wrapper was taken over, so nothing is traced again
    x, y = data()
    model.fit(x, y, verbose=0, epochs=1, batch_size=32, callbacks=[second])
    stored = Stored(run)
    assert list(stored.scalar("gradient_norm")) == list(range(1, 16))
    assert list(stored.scalar("note")) == [5]


def test_a_model_that_was_fitted_before_shows_gradients(run: Any) -> None:
    model = compiled(sequential())
    x, y = data()
    model.fit(x, y, verbose=0)
    fit(model, run, epochs=1)
    assert Stored(run).scalar("gradient_norm")[1] > 0


def test_a_model_compiled_anew_is_watched_anew(run: Any) -> None:
    model = compiled(sequential())
    tracker = fit(model, run, epochs=1, histogram_every=0, gradient_norm_every=1)
    first = model.optimizer
    compiled(model, keras.optimizers.Adam(0.01))
    x, y = data()
    model.fit(x, y, batch_size=32, verbose=0, callbacks=[tracker])
    assert "apply" not in vars(first)
    fit(model, run, epochs=1, histogram_every=1)  # wants gradients too, which the tap there does not keep
    stored = Stored(run)
    assert list(stored.scalar("gradient_norm")) == list(range(1, 11))
    assert list(stored.records("histogram", "gradients/a/kernel")) == [11, 12, 13, 14, 15]


def test_the_model_gets_its_own_back(run: Any) -> None:
    model = compiled(sequential())
    tracker = fit(model, run, epochs=1)
    assert "apply" in vars(model.optimizer)
    tracked = model.train_function
    run.finish()
    assert "apply" not in vars(model.optimizer)
    assert model.train_function is not tracked
    x, y = data()
    model.fit(x, y, verbose=0, callbacks=[tracker])
    assert tracker.step == 5


@pytest.mark.parametrize("jit_compile", [pytest.param(True, marks=pytest.mark.long), False])
def test_training_is_the_same(run: Any, jit_compile: bool) -> None:
    weights: list[Any] = []
    for tracked in (False, True):
        keras.utils.set_random_seed(7)
        model = keras.Sequential([functional(), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)])
        compiled(model, keras.optimizers.Adam(0.01), jit_compile=jit_compile)
        x, y = data()
        callbacks = [KerasTracker(run, histogram_every=1, gradient_norm_every=1)] if tracked else []
        model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=callbacks)
        weights.append(model.get_weights())
    # XLA may add up in another order when more is computed from a sum, and Adam enlarges what differs.
    most = 1e-3 if jit_compile else 0.0
    assert all(np.abs(a - b).max() <= most for a, b in zip(*weights, strict=True))


def test_steps_per_execution_and_a_ragged_end(run: Any) -> None:
    model = compiled(sequential(), steps_per_execution=2)
    tracker = fit(model, run, epochs=2, gradient_norm_every=3)
    assert tracker.step == int(model.optimizer.iterations) == 10
    stored = Stored(run)
    assert list(stored.scalar("batch_loss")) == [2, 4, 5, 7, 9, 10]
    assert list(stored.scalar("gradient_norm")) == [2, 4, 5, 7, 9]  # 5 stood in for 6, which came too late


def test_mixed_precision_and_a_custom_train_step(run: Any) -> None:
    class Own(Subclassed):
        def train_step(self, batch: Any) -> dict[str, Any]:
            x, y = batch
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
                scaled = self.optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"own": tf.linalg.global_norm(gradients) / self.optimizer.dynamic_scale}

    model = Own()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=256.0)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, run, epochs=1, gradient_norm_every=1)
    stored = Stored(run)
    assert stored.scalar("gradient_norm") == pytest.approx(stored.scalar("batch_own"), rel=1e-4)


def test_the_graph_has_layers_and_operations(run: Any) -> None:
    model = compiled(functional())
    fit(model, run, epochs=1)
    (graph,) = Stored(run).records("graph", "model").values()
    assert (graph.framework, graph.source) == ("keras", "tf.function")
    assert graph.parameters == model.count_params()
    layers = {layer.path: layer for layer in graph.layers}
    assert (layers["a"].type, layers["a"].parameters, layers["a"].output_shape) == ("Dense", 35, (None, 5))
    nodes = {node.node_id: node for node in graph.nodes}
    assert {(n.op, n.module) for n in graph.nodes} >= {
        ("MatMul", "a"),
        ("BiasAdd", "b"),
        ("ConcatV2", "join"),
    }
    assert all(given in nodes for node in graph.nodes for given in node.inputs)


def test_wrong_arguments_are_told_and_do_not_stop_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    with stepscope.init(store=tmp_path / "s.db") as run:
        tracker = fit(compiled(sequential()), run, epochs=1, histogram_every="often")
    assert tracker.step == 0
    assert (
        "histogram_every must be a whole number of steps, or 0 for never, but got str 'often'" in caplog.text
    )


def test_a_failing_tap_does_not_stop_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    monkeypatch.setattr("stepscope.trackers.tensorflow.gradients.flatten", None)
    with stepscope.init(store=tmp_path / "s.db") as run:
        tracker = fit(compiled(sequential()), run, epochs=1)
        assert tracker.step == 5
    assert "while recording gradients" in caplog.text


@pytest.mark.parametrize("jit_compile", [True, False])
def test_updates_and_activations_are_those_of_the_step(run: Any, jit_compile: bool) -> None:
    model = sequential()
    x, y = data()
    model(x)
    compiled(model, keras.optimizers.Adam(0.01), jit_compile=jit_compile)
    peek = Peek()
    plain = compiled(keras.models.clone_model(model), keras.optimizers.Adam(0.01), jit_compile=jit_compile)
    traced = [count_traces(model), count_traces(plain)]
    plain.fit(x, y, batch_size=32, verbose=0)
    tracker = KerasTracker(
        run, histogram_every=4, gradient_norm_every=2, histograms="activations", layers="a"
    )
    for _ in range(2):  # the second fit goes on with what was traced
        model.fit(x, y, batch_size=32, verbose=0, shuffle=False, callbacks=[peek, tracker])
    assert len(traced[0]) == len(traced[1])
    stored, first = Stored(run), peek.weights[0]
    assert stored.names("gradients/") | stored.names("weights/") == set()
    assert stored.names("activations/") == {"activations/a"}
    ratios = stored.scalar("update_ratio")
    assert list(ratios) == [1, 2, 4, 6, 8, 10]
    for step in (1, 2, 4, 6):
        old, new = flat(peek.weights[step - 1]), flat(peek.weights[step])
        assert ratios[step] == pytest.approx(np.linalg.norm(new - old) / np.linalg.norm(old), rel=1e-3)
    found = stored.records("histogram", "activations/a")
    assert list(found) == [1, 4, 8]
    truth = np.maximum(x[:32] @ first[0] + first[1], 0)
    assert found[1].count == truth.size
    assert (found[1].min, found[1].max) == pytest.approx((truth.min(), truth.max()), rel=1e-4)
    assert found[1].mean == pytest.approx(truth.mean(), rel=0.05)


def count_traces(model: Any) -> list[Any]:
    """Return a list that grows whenever Python runs the train step, which it does to trace it."""
    traces: list[Any] = []
    own = model.train_step

    def train_step(batch: Any) -> Any:
        traces.append(batch)
        return own(batch)

    model.train_step = train_step
    return traces


def flat(weights: list[Any]) -> Any:
    return np.concatenate([weight.reshape(-1) for weight in weights])


def test_layers_get_their_call_back_and_export_knows_nothing(run: Any, tmp_path: Path) -> None:
    model = compiled(functional())
    fit(model, run, epochs=1, histograms=("weights", "gradients", "activations"), histogram_every=2)
    assert "call" in vars(model.get_layer("a"))
    model.export(tmp_path / "served", verbose=False)
    x, _ = data()
    loaded = tf.saved_model.load(tmp_path / "served")
    assert np.allclose(loaded.serve(x), model.predict(x, verbose=0), atol=1e-6)
    run.finish()
    assert not any("call" in vars(layer) for layer in model.layers)


def test_running_eagerly_shows_the_same(run: Any) -> None:
    model = compiled(sequential(), run_eagerly=True)
    fit(model, run, epochs=1, histograms=("gradients", "activations"), histogram_every=5)
    stored = Stored(run)
    assert list(stored.scalar("update_ratio")) == list(stored.scalar("gradient_norm")) == [1]
    assert list(stored.records("histogram", "gradients/a/kernel")) == [1, 5]
    assert stored.records("histogram", "activations/b")[5].count == 32 * 3


def test_recurrent_layers_are_seen_whole(run: Any) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Reshape((3, 2), name="time"),
            layers.TimeDistributed(layers.Dense(2), name="each"),
            layers.Bidirectional(layers.GRU(2, return_sequences=True, name="gru"), name="both"),
            layers.LSTM(4, name="lstm"),
            layers.Dense(3, name="out"),
        ]
    )
    fit(compiled(model), run, epochs=1, histograms="activations", histogram_every=5)
    stored, both = Stored(run), "activations/both/"
    seen = stored.names("activations/")
    assert {f"activations/{name}" for name in ("each", "lstm", "time", "out")} <= seen
    assert len([name for name in seen if name.startswith(both)]) == 2
    assert stored.records("histogram", "activations/lstm")[5].count == 32 * 4


def test_memory_of_gpus_is_read(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = type("Device", (), {"name": "/device:GPU:0"})
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: [gpu])
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", lambda _: {"current": 7, "peak": 9})
    fit(compiled(sequential()), run, epochs=1, memory_every=4)
    stored = Stored(run)
    assert stored.scalar("memory/gpu:0/allocated") == {1: 7, 4: 7}
    assert stored.scalar("memory/gpu:0/peak") == {1: 9, 4: 9}


ON_TORCH = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import sys
import keras, numpy as np, stepscope
from stepscope.storage.read import Reader
from stepscope.trackers.keras import KerasTracker
layers = [keras.layers.Dense(4, name="a"), keras.layers.Dense(1, name="b")]
model = keras.Sequential([keras.Input((3,)), *layers])
model.compile("sgd", "mse")
x = np.random.rand(64, 3).astype("float32")
y = x.sum(1, keepdims=True)
before = [w.copy() for w in model.get_weights()]
with stepscope.init(name="on torch") as run:
    tracker = KerasTracker(run, histogram_every=1, gradient_norm_every=1,
                           histograms=("weights", "gradients", "activations"))
    model.fit(x, y, batch_size=64, epochs=1, verbose=0, callbacks=[tracker])
    after = model.get_weights()
    model.fit(x, y, epochs=1, verbose=0, callbacks=[tracker])
    assert tracker.step == 3, tracker.step
    assert run.flush()
    reader = Reader.open()
    series = {s.name: s for s in reader.series(run.id)}
    def first(name):
        return reader.points(series[name]).last[0]
    flat = lambda weights: np.concatenate([w.reshape(-1) for w in weights])
    update = np.linalg.norm(flat(after) - flat(before))
    assert abs(first("gradient_norm") * 0.01 / update - 1) < 1e-3
    assert abs(first("update_ratio") * np.linalg.norm(flat(before)) / update - 1) < 1e-3
assert {"batch_loss", "epoch_loss", "learning_rate", "step_time", "data_time", "weights/a/kernel",
        "gradients/a/kernel", "activations/a", "model"} <= set(series), series
assert "apply" not in vars(model.optimizer) and "call" not in vars(model.layers[0])
assert "tensorflow" not in sys.modules
"""


@pytest.mark.long  # its short twin is test_running_eagerly_shows_the_same
def test_keras_on_torch_shows_the_same(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    store = str(tmp_path / "s.db")
    run_python("-c", ON_TORCH, STEPSCOPE_STORE=store, STEPSCOPE_STRICT="1")


MIRRORED = """
import keras, numpy as np, tensorflow as tf, stepscope
from stepscope.storage.read import Reader
from stepscope.trackers.keras import KerasTracker
from stepscope.trackers.tensorflow import TensorFlowTracker
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
x = np.random.rand(64, 3).astype("float32")
y = x.sum(1, keepdims=True)

def trained(strategy):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras.Sequential([keras.layers.Dense(4, name="a"), keras.layers.Dense(1, name="b")])
        model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    with stepscope.init() as run:
        tracker = KerasTracker(run, histogram_every=1, gradient_norm_every=1,
                               histograms=("weights", "gradients", "activations"))
        model.fit(x, y, epochs=2, verbose=0, shuffle=False, callbacks=[tracker])
        assert tracker.step == 4, tracker.step
        return told(run)

def told(run):
    assert run.flush()
    reader = Reader.open()
    series = {s.name: s for s in reader.series(run.id) if not s.name.startswith("system/")}
    scalars = {n: reader.points(s).last for n, s in series.items() if s.kind == "scalar"}
    last = {n: reader.load(s, reader.records(s)[-1]) for n, s in series.items() if s.kind == "histogram"}
    return scalars, last

mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
one, two = trained(tf.distribute.get_strategy()), trained(mirrored)
assert set(one[0]) == set(two[0]), set(one[0]) ^ set(two[0])
assert set(one[1]) == set(two[1]), set(one[1]) ^ set(two[1])
for name in ("gradient_norm", "update_ratio", "batch_loss"):
    assert np.allclose(one[0][name], two[0][name], rtol=1e-3), (name, one[0][name], two[0][name])
for name in ("gradients/a/kernel", "weights/b/kernel"):
    assert np.isclose(one[1][name].max, two[1][name].max, rtol=1e-3), name
assert (one[1]["activations/b"].count, two[1]["activations/b"].count) == (32, 16)

with mirrored.scope():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="a")])
    optimizer = keras.optimizers.SGD(0.1)

def step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((model(x) - y) ** 2) / 64
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

@tf.function
def train(batch):
    mirrored.run(step, args=batch)

with stepscope.init() as run:
    tracker = TensorFlowTracker(run, model, optimizer, gradient_norm_every=1)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(64)
    for batch in mirrored.experimental_distribute_dataset(data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        truth = tf.linalg.global_norm(tape.gradient(loss, model.trainable_variables))
        train(batch)
        tracker.end_step()
    scalars, _ = told(run)
    assert np.allclose(scalars["gradient_norm"], [truth], rtol=1e-4), (scalars["gradient_norm"], truth)
"""


def test_a_strategy_of_one_replica_shows_the_same(run: Any) -> None:
    """Its variables are those of a strategy, also where no other replica is."""
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = compiled(keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, name="out")]))
    fit(model, run, epochs=1, histogram_every=5, graph=False)
    stored = Stored(run)
    assert {"gradients/out/kernel", "weights/out/bias"} <= stored.names()
    for name in ("gradient_norm", "update_ratio", "learning_rate"):
        assert list(stored.scalar(name)) == [1]
        assert stored.scalar(name)[1] > 0


def test_ranks_behind_the_first_record_no_model(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(run), "rank", 1)
    fit(compiled(sequential()), run, epochs=1)
    names = Stored(run).names()
    assert {"gradient_norm", "batch_loss", "step_time"} <= names
    assert not [name for name in names if name.startswith(("weights/", "gradients/", "model"))]


@pytest.mark.long  # its short twin is test_a_strategy_of_one_replica_shows_the_same
def test_a_mirrored_strategy_shows_the_same(tmp_path: Path) -> None:
    run_python("-c", MIRRORED, STEPSCOPE_STORE=str(tmp_path / "s.db"), STEPSCOPE_STRICT="1")


def test_a_model_with_an_optimizer_of_its_own_is_told_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))

    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            variables = self.trainable_variables
            self.own.apply(tape.gradient(loss, variables), variables)
            return {"loss": loss}

    model = Own([keras.Input((2,)), keras.layers.Dense(1)])
    model.own = keras.optimizers.SGD(0.1)
    model.own.build(model.trainable_variables)
    model.compile()
    with stepscope.init() as run:
        model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=4, verbose=0, callbacks=[KerasTracker(run)])
        assert Stored(run).names("gradient") == set()
    assert caplog.text.count("the train step never called apply of model.optimizer") == 1


def test_values_advance_while_nothing_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        KerasTracker(run)
        for _ in range(3):
            run.log({"loss/train": 1.0})
        assert list(Stored(run).scalar("loss/train")) == [0, 1, 2]
    assert caplog.text.count("KerasTracker saw no batch") == 1


def test_a_name_tells_models_apart(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("student", "teacher"):
        fit(compiled(sequential()), run, epochs=1, name=name, histogram_every=5, gradient_norm_every=5)
    names = Stored(run).names()
    for name in ("student", "teacher"):
        assert {
            f"batch_loss/{name}", f"epoch_accuracy/{name}", f"epoch/{name}", f"weights/{name}/a/kernel",
            f"gradients/{name}/a/kernel", f"gradient_norm/{name}", f"model/{name}"} <= names  # fmt: skip
    assert not {"batch_loss", "epoch", "gradient_norm", "model"} & names
    assert "same series" not in caplog.text


def test_two_models_without_names_are_told(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    model = compiled(sequential())
    fit(model, run, epochs=1)
    fit(model, run, epochs=1)
    assert "same series" not in caplog.text
    fit(compiled(sequential()), run, epochs=1)
    assert caplog.text.count("two trackers write to the same series") == 1


def test_the_first_argument_must_be_a_run() -> None:
    with pytest.raises(BadInput, match=r"^KerasTracker needs the run that stepscope\.init returned"):
        KerasTracker(5)  # type: ignore[arg-type]
