"""TensorFlowTracker in loops of one's own: eager, in a tf.function, under XLA."""

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
from stepscope.trackers.tensorflow import TensorFlowTracker  # noqa: E402
from stepscope.trackers.tensorflow.graph import capture_function_graph, capture_keras_graph  # noqa: E402
from stored import Stored  # noqa: E402


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        yield run


def small_net() -> Any:
    return keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(5, "relu", name="a"), keras.layers.Dense(3, name="b")],
        name="net",
    )


def batches(count: int) -> Iterator[tuple[Any, Any]]:
    random = np.random.default_rng(0)
    for _ in range(count):
        yield tf.constant(random.random((16, 6), dtype=np.float32)), tf.constant(random.integers(0, 3, 16))


LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def step_of(model: Any, optimizer: Any, truth: list[Any] | None = None) -> Any:
    def train_step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = LOSS(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        if truth is not None:
            truth.append(gradients)
        return loss, gradients

    return train_step


@pytest.mark.parametrize("jit_compile", [True, False, None])
def test_values_are_those_of_the_loop(run: Any, jit_compile: bool | None) -> None:
    """`None` runs the loop eagerly."""
    model = small_net()
    optimizer = keras.optimizers.Adam(0.01)
    tracker = TensorFlowTracker(run, model, optimizer, histogram_every=4, gradient_norm_every=2)
    train_step = step_of(model, optimizer)
    if jit_compile is not None:
        train_step = tf.function(train_step, jit_compile=jit_compile)
    norms: dict[int, float] = {}
    kernels: dict[int, Any] = {}
    weights: dict[int, Any] = {}
    for step, (x, y) in enumerate(batches(8), 1):
        loss, gradients = train_step(x, y)
        tracker.end_step({"loss/train": loss}, samples=16)
        norms[step] = float(tf.linalg.global_norm(gradients))
        kernels[step] = gradients[0].numpy()
        weights[step] = model.trainable_variables[0].numpy()
        assert tracker.step == step
    stored = Stored(run)
    assert stored.scalar("gradient_norm") == pytest.approx({s: norms[s] for s in (1, 2, 4, 6, 8)}, rel=1e-5)
    assert list(stored.scalar("loss/train")) == list(range(1, 9))
    assert stored.scalar("learning_rate") == pytest.approx({1: 0.01})
    for name, truth in (("gradients", kernels), ("weights", weights)):
        found = stored.records("histogram", f"{name}/a/kernel")
        assert list(found) == [1, 4, 8]
        for step, histogram in found.items():
            assert histogram.count == 30
            assert histogram.mean == pytest.approx(truth[step].mean(dtype=np.float64), rel=1e-4)
            assert histogram.max == pytest.approx(truth[step].max())
    seconds, speed = stored.scalar("step_time"), stored.scalar("samples_per_second")
    assert list(seconds) == list(speed) == list(range(2, 9))
    assert [round(seconds[s] * speed[s]) for s in seconds] == [16] * 7
    assert stored.run.framework == "tensorflow"


def test_an_eager_loop_needs_no_other_line(run: Any) -> None:
    model = small_net()
    optimizer = keras.optimizers.SGD(0.1)
    TensorFlowTracker(run, model, optimizer, gradient_norm_every=1)
    train_step = step_of(model, optimizer)
    for x, y in batches(3):
        loss, _ = train_step(x, y)
        run.log({"loss/train": loss})
    stored = Stored(run)
    assert list(stored.scalar("gradient_norm")) == list(stored.scalar("loss/train")) == [1, 2, 3]
    assert stored.records("graph", "model")[1].source == "tf.function"


@pytest.mark.parametrize("jit_compile", [True, False])
def test_nothing_is_traced_more_often_than_without(run: Any, jit_compile: bool) -> None:
    traces: list[int] = []
    for tracked in (False, True):
        keras.utils.set_random_seed(1)
        model = small_net()
        optimizer = keras.optimizers.SGD(0.1)
        tracker = TensorFlowTracker(run, model, optimizer, histogram_every=2) if tracked else None
        train_step = tf.function(step_of(model, optimizer), jit_compile=jit_compile, reduce_retracing=True)
        for x, y in batches(6):
            train_step(x, y)
            if tracker is not None:
                tracker.end_step()
        traces.append(train_step.experimental_get_tracing_count())
    assert traces == [1, 1]


def test_variables_without_a_model(run: Any) -> None:
    weight, bias = tf.Variable(tf.ones((3, 2))), tf.Variable(tf.zeros(2))
    optimizer = keras.optimizers.SGD(0.1)
    tracker = TensorFlowTracker(run, optimizer=optimizer, histogram_every=1)

    @tf.function
    def train_step(x: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(x @ weight + bias)
        gradients = tape.gradient(loss, [weight, bias])
        optimizer.apply(iter(gradients), iter([weight, bias]))  # both can be read only once

    for _ in range(2):
        train_step(tf.ones((4, 3)))
        tracker.end_step()
    stored = Stored(run)
    assert stored.names("gradients/") == {"gradients/Variable", "gradients/Variable#2"}
    assert stored.records("histogram", "gradients/Variable")[2].count == 6
    assert stored.records("histogram", "weights/Variable#2")[2].max == pytest.approx(-0.8)


@pytest.mark.parametrize("traced", [True, False])
def test_sparse_gradients_are_made_dense(run: Any, traced: bool) -> None:
    model = keras.Sequential([keras.layers.Embedding(10, 2, name="words"), keras.layers.Dense(1, name="out")])
    optimizer = keras.optimizers.SGD(0.1)
    tracker = TensorFlowTracker(run, model, optimizer)

    def train_step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return [tf.convert_to_tensor(gradient) for gradient in gradients]

    gradients = (tf.function(train_step) if traced else train_step)(tf.constant([[1, 2, 2]]))
    tracker.end_step()
    stored = Stored(run)
    found = stored.records("histogram", "gradients/words/embeddings")[1]
    assert found.count == 20
    assert found.max == pytest.approx(float(tf.reduce_max(gradients[0])), rel=1e-5)
    # A word that came twice has the sum of two gradients.
    assert stored.scalar("gradient_norm")[1] == pytest.approx(
        float(tf.linalg.global_norm(gradients)), rel=1e-5
    )


def test_close_gives_the_optimizer_back(run: Any) -> None:
    model = small_net()
    optimizer = keras.optimizers.SGD(0.1)
    tracker = TensorFlowTracker(run, model, optimizer)
    train_step = tf.function(step_of(model, optimizer))
    (x, y), *_ = batches(1)
    train_step(x, y)
    tracker.end_step()
    assert "apply" in vars(optimizer)
    run.finish()
    assert "apply" not in vars(optimizer)
    train_step(x, y)
    assert (tracker.step, int(optimizer.iterations)) == (1, 2)


def test_a_function_that_was_traced_before_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    model = small_net()
    optimizer = keras.optimizers.SGD(0.1)
    train_step = tf.function(step_of(model, optimizer))
    (x, y), *_ = batches(1)
    train_step(x, y)
    with stepscope.init(store=tmp_path / "s.db") as run:
        tracker = TensorFlowTracker(run, model, optimizer)
        train_step(x, y)
        tracker.end_step()
    assert "saw no gradients" in caplog.text


def test_a_wrong_optimizer_is_told_and_the_loop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    with stepscope.init(store=tmp_path / "s.db") as run:
        tracker = TensorFlowTracker(run, small_net(), "adam")
        tracker.end_step({"loss": 1.0})
        assert run.step == 0
    assert "needs a Keras optimizer, with a method apply, but got str" in caplog.text


def test_the_graph_of_a_nested_model_is_by_layer_and_changes_nothing() -> None:
    given = {"left": keras.Input((4,), name="left"), "right": keras.Input((4,), name="right")}
    tower = keras.Sequential([keras.layers.Dense(4, name="dense"), keras.layers.Dropout(0.5)], name="tower")
    joined = keras.layers.Add(name="join")([tower(given["left"]), tower(given["right"])])
    model = keras.Model(given, keras.layers.BatchNormalization(name="norm")(joined), name="net")
    before = [variable.numpy() for variable in model.variables]
    graph = capture_keras_graph(model)
    assert graph.source == "tf.function"
    products = [node for node in graph.nodes if node.op == "MatMul"]
    assert [node.module for node in products] == ["tower/dense"] * 2
    assert {node.attributes["parameters"] for node in products} == {"tower/dense/kernel"}
    assert [node.op for node in graph.nodes].count("input") == 2
    layers = {layer.path: layer for layer in graph.layers}
    assert (layers["norm"].parameters, layers["norm"].trainable) == (16, 8)
    assert layers["tower/dense"].output_shape == (None, 4)
    assert graph.parameters == model.count_params() == 36
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, model.variables, strict=True))


def test_a_subclassed_model_with_two_inputs() -> None:
    class Two(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(2, name="inner")

        def call(self, given: Any) -> Any:
            return self.inner(given["first"]) + self.inner(given["second"])

    model = Two()
    model({"first": tf.ones((2, 3)), "second": tf.ones((2, 3))})
    graph = capture_keras_graph(model)
    assert [node.module for node in graph.nodes if node.op == "MatMul"] == ["inner", "inner"]
    assert {layer.path: layer.output_shape for layer in graph.layers}["inner"] == (None, 2)


def test_the_layers_alone_when_a_model_cannot_be_traced() -> None:
    class Refuses(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.inner(x) * float(x.numpy().sum())

    model = Refuses()
    model(tf.ones((2, 3)))
    graph = capture_keras_graph(model)
    assert (graph.source, graph.nodes) == ("keras", ())
    assert graph.parameters == 8


def test_the_graph_of_a_function() -> None:
    weight = tf.Variable(tf.ones((3, 2)), name="weight")

    @tf.function
    def forward(x: Any) -> Any:
        with tf.name_scope("head"):
            return tf.nn.relu(x @ weight)

    graph = capture_function_graph(forward.get_concrete_function(tf.TensorSpec((None, 3))))
    assert [(node.op, node.module) for node in graph.nodes] == [
        ("input", ""), ("MatMul", "head"), ("Relu", "head"), ("output", "")]  # fmt: skip
    assert graph.nodes[1].attributes["parameters"] == "weight"
    assert graph.nodes[-1].inputs == (graph.nodes[2].node_id,)


def test_a_loop_without_end_step_is_told_and_its_values_advance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    model = small_net()
    optimizer = keras.optimizers.SGD(0.1)
    with stepscope.init() as run:
        TensorFlowTracker(run, model, optimizer)
        train_step = tf.function(step_of(model, optimizer))
        for x, y in batches(3):
            loss, _ = train_step(x, y)
            run.log({"loss/train": loss})
        assert list(Stored(run).scalar("loss/train")) == [0, 1, 2]
    assert caplog.text.count("tracker.end_step({...}, samples=n) after each step, in place of run.log") == 1


def test_samples_are_counted_as_long_as_they_are_told(run: Any) -> None:
    tracker = TensorFlowTracker(run)
    for _ in range(3):  # epochs with a smaller batch at their end
        for size in (16, 16, 16, 8):
            tracker.end_step(samples=size)
    tracker.close()
    assert Stored(run).scalar("samples") == {1: 16, 10: 144, 12: 168}
    tracker = TensorFlowTracker(run, name="critic")
    for step in range(1, 21):
        tracker.end_step(samples=0 if step == 15 else 4)
    assert Stored(run).scalar("samples/critic") == {20: 32}


def test_a_name_tells_models_apart(run: Any) -> None:
    trained: dict[str, Any] = {}
    for name in ("generator", "critic"):
        model, optimizer = small_net(), keras.optimizers.SGD(0.1)
        tracker = TensorFlowTracker(run, model, optimizer, name=name)
        trained[name] = tracker, tf.function(step_of(model, optimizer))
    for x, y in batches(2):
        for name, (tracker, train_step) in trained.items():
            train_step(x, y)
            tracker.end_step({f"loss/{name}": 1.0}, samples=16)
    names = Stored(run).names()
    for name in trained:
        assert {
            f"loss/{name}", f"weights/{name}/a/bias", f"gradients/{name}/a/kernel", f"gradient_norm/{name}",
            f"samples_per_second/{name}", f"step_time/{name}", f"model/{name}"} <= names  # fmt: skip
    assert not {"gradient_norm", "samples_per_second", "step_time", "model"} & names


def test_weights_of_one_number_are_histograms(run: Any) -> None:
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, name="out")])
    optimizer = keras.optimizers.SGD(0.1)
    tracker = TensorFlowTracker(run, model, optimizer)

    @tf.function
    def train_step(x: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    train_step(tf.ones((4, 6)))
    tracker.end_step()
    stored = Stored(run)
    assert stored.records("histogram", "gradients/out/bias")[1].mean == 4.0
    assert stored.records("histogram", "weights/out/bias")[1].count == 1


def test_the_first_argument_must_be_a_run() -> None:
    with pytest.raises(BadInput, match=r"^TensorFlowTracker needs the run that stepscope\.init returned"):
        TensorFlowTracker(5, small_net())  # type: ignore[arg-type]


EVERYTHING = ("weights", "gradients", "activations")


@pytest.mark.parametrize("jit_compile", [True, False, None])
def test_updates_and_activations_are_those_of_the_loop(run: Any, jit_compile: bool | None) -> None:
    """`None` runs the loop eagerly."""
    model = small_net()
    optimizer = keras.optimizers.Adam(0.01)
    tracker = TensorFlowTracker(
        run, model, optimizer, histogram_every=2, gradient_norm_every=2, histograms=EVERYTHING, layers=["a"]
    )
    train_step = step_of(model, optimizer)
    if jit_compile is not None:
        train_step = tf.function(train_step, jit_compile=jit_compile)
    ratios: dict[int, float] = {}
    hidden: dict[int, Any] = {}
    for step, (x, y) in enumerate(batches(4), 1):
        old = model.get_weights()
        hidden[step] = np.maximum(x.numpy() @ old[0] + old[1], 0)
        train_step(x, y)
        tracker.end_step()
        change = np.linalg.norm(flat(model.get_weights()) - flat(old))
        ratios[step] = change / np.linalg.norm(flat(old))
        model(x * 100)  # no tape records it, so it is no part of a step
    stored = Stored(run)
    assert stored.scalar("update_ratio") == pytest.approx({s: ratios[s] for s in (1, 2, 4)}, rel=1e-3)
    assert stored.names("activations/") == {"activations/a"}
    assert stored.names("gradients/") == {"gradients/a/kernel", "gradients/a/bias"}
    found = stored.records("histogram", "activations/a")
    assert list(found) == [1, 2, 4]
    for step, histogram in found.items():
        assert histogram.count == 80
        assert histogram.max == pytest.approx(hidden[step].max(), rel=1e-4)
        assert histogram.mean == pytest.approx(hidden[step].mean(), rel=0.05)
    run.finish()
    assert not any("call" in vars(layer) for layer in (model, *model.layers))


def flat(weights: list[Any]) -> Any:
    return np.concatenate([weight.reshape(-1) for weight in weights])


def test_activations_of_odd_numbers() -> None:
    """NaN, infinity, equal numbers and integers: what is finite is binned."""
    from stepscope.trackers.tensorflow.activations import _histogram, _row

    for given, low, high, count in [
        ([1.0, float("nan"), 3.0, float("inf")], 1.0, 3.0, 2),
        ([[2, 2], [2, 2]], 2.0, 2.0, 4),
    ]:
        row = tf.function(_row, jit_compile=True)(tf.constant(given)).numpy()
        assert (row[0], row[1], row[2:].sum()) == (low, high, count)
        histogram = _histogram(low, high, row[2:])
        assert (np.diff(histogram.edges) > 0).all()
        assert sum(histogram.counts) == count


def test_the_time_of_an_eager_step_is_split(run: Any) -> None:
    model = small_net()
    optimizer = keras.optimizers.SGD(0.1)
    tracker = TensorFlowTracker(run, model, optimizer, graph=False)
    train_step = step_of(model, optimizer)
    for step, (x, y) in enumerate(batches(4), 1):
        if step == 3:
            tracker.pause()
        train_step(x, y)
        run.log({"loss": 1.0})
    stored = Stored(run)
    parts = [stored.scalar(f"{part}_time") for part in ("data", "forward", "backward", "optimizer")]
    assert [list(part) for part in parts] == [[2, 4], [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]]
    seconds = stored.scalar("step_time")
    for step in (2, 4):
        assert 0 < sum(part[step] for part in parts) < seconds[step] * 1.5


def test_a_model_in_a_function_of_its_own_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    model = small_net()
    optimizer = keras.optimizers.SGD(0.1)
    forward = tf.function(lambda x: model(x, training=True))
    with stepscope.init() as run:
        tracker = TensorFlowTracker(run, model, optimizer, histograms=EVERYTHING, graph=False)

        @tf.function
        def train_step(x: Any, y: Any) -> None:
            with tf.GradientTape() as tape:
                loss = LOSS(y, forward(x))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

        for x, y in batches(2):
            train_step(x, y)
            tracker.end_step()
        stored = Stored(run)
    assert stored.names("activations/") == set()
    assert "gradients/a/kernel" in stored.names()
    assert "activations of a, b are not recorded: they are called in another function" in caplog.text


def test_wrong_histograms_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    with stepscope.init(store=tmp_path / "s.db") as run:
        TensorFlowTracker(run, small_net(), histograms="losses").end_step()
    assert 'histograms must be some of "weights", "gradients" and "activations"' in caplog.text


def test_a_strategy_of_several_workers_goes_without(caplog: pytest.LogCaptureFixture) -> None:
    from stepscope.trackers.guard import Guard
    from stepscope.trackers.tensorflow.tap import TensorFlowTap

    optimizer = keras.optimizers.SGD(0.1)
    optimizer._distribution_strategy = type("ManyWorkers", (), {"num_replicas_in_sync": 4})()
    assert TensorFlowTap.on(optimizer, Guard(strict=True)) is None
    assert "not recorded under ManyWorkers" in caplog.text
    assert "apply" not in vars(optimizer)
