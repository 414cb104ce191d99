"""SessionHook: a static graph, placeholders and a session, beside TensorFlow 2 in one process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")

import stepscope  # noqa: E402
from stepscope.storage.errors import BadInput  # noqa: E402
from stepscope.storage.events import alerts_of  # noqa: E402
from stepscope.trackers.tensorflow import SessionHook  # noqa: E402
from stored import Stored  # noqa: E402

v1 = tf.compat.v1


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with tf.Graph().as_default(), stepscope.init() as run:
        v1.set_random_seed(0)
        yield run


class Program:
    """A small convolution in TensorFlow 1's style; variables through get_variable."""

    def __init__(self, *, optimizer: Any = None, global_step: bool = True) -> None:
        self.x = v1.placeholder(tf.float32, (None, 6, 6, 1), name="x")
        self.y = v1.placeholder(tf.int32, (None,), name="y")
        with v1.variable_scope("conv"):
            kernel = v1.get_variable("kernel", (3, 3, 1, 4), use_resource=True)
            self.conv = tf.nn.relu(tf.nn.conv2d(self.x, kernel, 1, "VALID"))
        self.flat = tf.reshape(self.conv, (-1, 64))
        with v1.variable_scope("head"):
            self.kernel = v1.get_variable("kernel", (64, 3), use_resource=True)
            bias = v1.get_variable("bias", (3,), initializer=v1.zeros_initializer(), use_resource=True)
            self.logits = tf.matmul(self.flat, self.kernel) + bias
        with tf.name_scope("loss"):
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(self.y, self.logits)
            self.loss = tf.reduce_mean(losses)
        step = v1.train.get_or_create_global_step() if global_step else None
        optimizer = optimizer or v1.train.MomentumOptimizer(0.1, 0.9)
        self.gradients = optimizer.compute_gradients(self.loss)
        self.train = optimizer.apply_gradients(self.gradients, global_step=step)

    def feeds(self, count: int) -> Iterator[dict[Any, Any]]:
        random = np.random.default_rng(0)
        for _ in range(count):
            yield {self.x: random.random((8, 6, 6, 1), np.float32), self.y: random.integers(0, 3, 8)}


@pytest.mark.parametrize("monitored", [True, False])
def test_values_are_those_of_the_graph(run: Any, monitored: bool) -> None:
    program = Program()
    hook = SessionHook(run, {"loss": program.loss}, histogram_every=4, gradient_norm_every=2)
    wanted = [program.train, program.loss, program.gradients, program.kernel]
    truth: list[Any] = []
    if monitored:
        with v1.train.MonitoredSession(hooks=[hook]) as session:
            for feed in program.feeds(8):
                before = session.run(program.kernel)
                truth.append((session.run(wanted, feed), before, session.run(program.kernel)))
    else:
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            for feed in program.feeds(8):
                before = session.run(program.kernel)
                truth.append((hook.run(session, wanted, feed), before, session.run(program.kernel)))
    assert hook.step == 8
    stored = Stored(run)
    losses = {step: one[0][1] for step, one in enumerate(truth, 1)}
    assert stored.scalar("loss") == pytest.approx(losses)
    norms = {s: np.sqrt(sum(float((g**2).sum()) for g, _ in truth[s - 1][0][2])) for s in (1, 2, 4, 6, 8)}
    assert stored.scalar("gradient_norm") == pytest.approx(norms, rel=1e-5)
    assert stored.scalar("learning_rate") == pytest.approx({1: 0.1})
    for step in (1, 4, 8):
        gradients, weights = truth[step - 1][0][2], truth[step - 1][2]
        assert stored.records("histogram", "gradients/head/kernel")[step].max == pytest.approx(
            gradients[1][0].max()
        )
        assert stored.records("histogram", "weights/head/kernel")[step].max == pytest.approx(weights.max())
    assert set(stored.scalar("update_ratio")) == {1, 2, 4, 6, 8}
    assert 0 < stored.scalar("update_ratio")[1] < 1
    assert stored.names("weights/") == {"weights/conv/kernel", "weights/head/kernel", "weights/head/bias"}
    assert stored.run.framework == "tensorflow"


def test_the_ratio_is_of_the_update_to_the_weights(run: Any) -> None:
    weight = v1.get_variable("weight", initializer=[3.0, 4.0], use_resource=True)
    loss = tf.reduce_sum(weight)
    train = v1.train.GradientDescentOptimizer(0.5).minimize(loss)
    hook = SessionHook(run, {"loss": "Sum:0"}, gradient_norm_every=1, graph=False)
    with v1.train.MonitoredSession(hooks=[hook]) as session:
        session.run(train)
    # Both weights became smaller by 0.5: to 2.5 and 3.5.
    assert Stored(run).scalar("update_ratio")[1] == pytest.approx(np.hypot(0.5, 0.5) / np.hypot(2.5, 3.5))
    assert Stored(run).scalar("gradient_norm")[1] == pytest.approx(np.sqrt(2))


def test_time_and_samples(run: Any) -> None:
    program = Program()
    with v1.train.MonitoredSession(hooks=[SessionHook(run, graph=False)]) as session:
        for feed in program.feeds(4):
            session.run(program.train, feed)
    stored = Stored(run)
    seconds, speed = stored.scalar("step_time"), stored.scalar("samples_per_second")
    assert [round(seconds[s] * speed[s]) for s in (1, 2, 3, 4)] == [8] * 4
    assert stored.scalar("samples") == {1: 8}
    waited = stored.scalar("data_time")
    assert list(waited) == [2, 3, 4]
    assert all(waited[s] < seconds[s] for s in waited)


def test_calls_that_do_not_train_are_left_alone(run: Any) -> None:
    """They feed less: fetching the loss there would need what is not fed."""
    program = Program()
    with v1.train.MonitoredSession(hooks=[SessionHook(run, {"loss": program.loss})]) as session:
        for feed in program.feeds(2):
            session.run(program.train, feed)
            assert session.run(program.logits, {program.x: feed[program.x]}).shape == (8, 3)
    assert list(Stored(run).scalar("loss")) == [1, 2]


def test_steps_go_on_where_a_checkpoint_ended(run: Any, tmp_path: Path) -> None:
    folder = str(tmp_path / "checkpoints")
    for _ in range(2):
        with tf.Graph().as_default():
            program = Program()
            hook = SessionHook(run, {"loss": program.loss}, graph=False)
            with v1.train.MonitoredTrainingSession(
                checkpoint_dir=folder, hooks=[hook], log_step_count_steps=None
            ) as session:
                for feed in program.feeds(3):
                    session.run(program.train, feed)
    assert list(Stored(run).scalar("loss")) == [1, 2, 3, 4, 5, 6]
    names = {name for name, _ in tf.train.list_variables(folder)}
    assert not [name for name in names if "stepscope" in name]


def test_without_a_global_step_and_with_gradients_that_are_given(run: Any) -> None:
    program = Program(global_step=False)
    hook = SessionHook(run, {"loss": program.loss}, gradients=program.gradients, layers="head")
    with v1.train.MonitoredSession(hooks=[hook]) as session:
        for feed in program.feeds(2):
            session.run(program.train, feed)
    stored = Stored(run)
    assert list(stored.scalar("loss")) == [1, 2]
    assert stored.names("gradients/") == {"gradients/head/kernel", "gradients/head/bias"}


def test_sparse_gradients_are_found(run: Any) -> None:
    words = v1.get_variable("words", (10, 2), use_resource=True)
    loss = tf.reduce_sum(tf.nn.embedding_lookup(words, [1, 2, 2]))
    train = v1.train.MomentumOptimizer(0.25, 0.9).minimize(loss, v1.train.get_or_create_global_step())
    with v1.train.MonitoredSession(hooks=[SessionHook(run, {"loss": loss})]) as session:
        session.run(train)
    stored = Stored(run)
    assert stored.records("histogram", "gradients/words")[1].count == 4
    assert stored.scalar("learning_rate") == {1: 0.25}


def test_summaries_that_the_program_merges(run: Any) -> None:
    program = Program(optimizer=v1.train.AdamOptimizer())
    v1.summary.scalar("accuracy", tf.reduce_mean(tf.cast(tf.math.argmax(program.logits, 1) == 1, tf.float32)))
    v1.summary.histogram("logits", program.logits)
    hook = SessionHook(run, summaries=v1.summary.merge_all())
    with v1.train.MonitoredSession(hooks=[hook]) as session:
        for feed in program.feeds(2):
            session.run(program.train, feed)
    stored = Stored(run)
    assert list(stored.scalar("accuracy")) == [1]
    assert stored.names("gradients/") == {
        "gradients/conv/kernel",
        "gradients/head/kernel",
        "gradients/head/bias",
    }
    assert stored.records("histogram", "logits")[1].count == 24


def test_the_graph_is_what_leads_to_the_scalars(run: Any) -> None:
    program = Program()
    with v1.train.MonitoredSession(hooks=[SessionHook(run, {"loss": program.loss})]) as session:
        session.run(program.train, next(program.feeds(1)))
    graph = Stored(run).records("graph", "model")[1]
    assert graph.source == "tf.Graph"
    convolution = next(node for node in graph.nodes if node.op == "Conv2D")
    assert (convolution.module, convolution.attributes["parameters"]) == ("conv", "conv/kernel")
    assert {node.op for node in graph.nodes} & {
        "ResourceApplyKerasMomentum",
        "ResourceApplyMomentum",
    } == set()
    layers = {layer.path: layer for layer in graph.layers}
    assert (layers["conv"].type, layers["conv"].parameters, layers["conv"].trainable) == ("Conv2D", 36, 36)
    assert layers["conv"].output_shape == (None, 4, 4, 4)
    assert (layers["head"].type, layers["head"].parameters) == ("Dense", 195)
    assert graph.parameters == 231


def test_the_watchdog_names_the_placeholder_that_was_given_nan(run: Any) -> None:
    x, y = v1.placeholder(tf.float32, (None, 3), "x"), v1.placeholder(tf.float32, (None, 1), "y")
    hidden = tf.nn.relu(tf.matmul(x, v1.get_variable("kernel", (3, 1), use_resource=True)))  # hides a NaN
    loss = tf.reduce_mean((hidden - y) ** 2)
    train = v1.train.GradientDescentOptimizer(1e-3).minimize(loss)
    good, bad = np.ones((4, 3)), np.full((4, 3), np.nan)
    with v1.train.MonitoredSession(hooks=[SessionHook(run, {"loss": loss})]) as session:
        for inputs in (good, bad, good):
            session.run(train, {x: inputs, y: np.ones((4, 1))})
    (alert,) = alerts_of(Stored(run).reader, [run.id])
    assert (alert.title, alert.step) == ("NaN in the input of the model", 2)
    assert "The input: 12 NaN of 12 numbers, none finite. It was given as x." in alert.text


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_the_watchdog_names_the_scope(run: Any, where: str) -> None:
    x = v1.placeholder(tf.float32, (None, 3))
    bad = v1.placeholder_with_default(False, ())

    @tf.custom_gradient
    def middle(value: Any) -> Any:
        spoil = tf.where(bad, float("nan"), 1.0)
        return (value * spoil, lambda d: d) if where == "forward" else (value, lambda d: d * spoil)

    with v1.variable_scope("first"):
        first = tf.matmul(x, v1.get_variable("kernel", (3, 3), use_resource=True))
    with v1.variable_scope("second"):
        second = middle(first)
    with v1.variable_scope("third"):
        loss = tf.reduce_sum(tf.matmul(second, v1.get_variable("kernel", (3, 3), use_resource=True)))
    train = v1.train.GradientDescentOptimizer(1e-3).minimize(loss)
    with v1.train.MonitoredSession(hooks=[SessionHook(run, {"loss": loss})]) as session:
        for step in range(1, 6):
            session.run(train, {x: np.ones((4, 3)), bad: step == 4})
    (alert,) = alerts_of(Stored(run).reader, [run.id])
    layer, count = ("second", 12) if where == "forward" else ("first", 9)
    assert (alert.title, alert.level, alert.step) == (f"NaN in the {where} pass of {layer}", "error", 4)
    assert f"{count} NaN" in alert.text
    if where == "backward":
        assert "Of 2 parameters, the gradients of 1 are bad: first/kernel." in alert.text


def test_what_is_wrong_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    with pytest.raises(BadInput, match=r"^SessionHook needs the run that stepscope\.init returned"):
        SessionHook(5)  # type: ignore[arg-type]
    with stepscope.init(store=tmp_path / "s.db") as run, tf.Graph().as_default():
        program = Program()
        hooks = [SessionHook(run, {"loss": "no such tensor"}), SessionHook(run, histograms=("activations",))]
        with v1.train.MonitoredSession(hooks=hooks) as session:
            session.run(program.train, next(program.feeds(1)))
    assert "no such tensor" in caplog.text
    assert "SessionHook makes histograms of weights and gradients, not of activations" in caplog.text
    assert (
        "SessionHook saw no step. Write MonitoredTrainingSession(hooks=[hook]), or hook.run(" in caplog.text
    )


def test_samples_are_counted_in_all(run: Any) -> None:
    program = Program()
    hook = SessionHook(run, graph=False, watchdog=False, name="small")
    with v1.train.MonitoredSession(hooks=[hook]) as session:
        for step, feed in enumerate(program.feeds(20), 1):
            count = 3 if step % 5 == 0 else 8
            session.run(program.train, {key: given[:count] for key, given in feed.items()})
    assert Stored(run).scalar("samples/small") == {1: 8, 10: 70, 20: 140}
