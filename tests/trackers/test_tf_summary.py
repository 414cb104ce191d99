"""create_file_writer: what tf.summary writes arrives in the run, from every place it may be called."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")

import stepscope  # noqa: E402
from stepscope.storage.errors import BadInput  # noqa: E402
from stepscope.trackers.tensorflow import create_file_writer, event_file  # noqa: E402
from stored import Stored  # noqa: E402
from support import wait_until  # noqa: E402

pytestmark = pytest.mark.usefixtures("with_tensorflow")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        yield run


def records(run: Any, kind: str, name: str) -> list[Any]:
    """Return all values of a series, also several of one step."""
    stored = Stored(run)
    series = stored.series[kind, name]
    return [stored.reader.load(series, record) for record in stored.reader.records(series)]


def test_every_kind_arrives_with_its_step_and_time(run: Any) -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 255, (2, 6, 5, 3), dtype=np.uint8)
    sound = random.uniform(-1, 1, (2, 50, 1)).astype(np.float32)
    values = random.normal(size=1000).astype(np.float32)
    writer = create_file_writer(run)
    before = time.time()
    with writer.as_default():
        tf.summary.scalar("loss", 0.5, step=7, description="what it says")
        tf.summary.histogram("weights", values, step=7)
        tf.summary.image("pictures", pictures, step=7)
        tf.summary.audio("sounds", sound, 8000, step=7)
        tf.summary.text("words", "**bold**", step=7)
        tf.summary.text("table", [["a", "b"], ["c", "d"]], step=7)
        tf.summary.write("raw", tf.range(4.0), step=7)
        tf.summary.histogram("nothing", [], step=7)
        tf.summary.histogram("same", [2.0, 2.0], step=7)
    after = time.time()
    run.finish()
    stored = Stored(run)
    assert stored.scalar("loss") == {7: 0.5}
    assert before <= stored.reader.points(stored.series["scalar", "loss"]).time[0] <= after
    histogram = stored.records("histogram", "weights")[7]
    assert (histogram.count, histogram.mean) == (1000, pytest.approx(values.mean(), abs=0.05))
    assert [stored.records("histogram", name)[7].count for name in ("raw", "nothing", "same")] == [4, 0, 2]
    found = records(run, "image", "pictures")
    assert np.array_equal([np.array(PIL.Image.open(io.BytesIO(one.data))) for one in found], pictures)
    assert np.allclose([one.array() for one in records(run, "audio", "sounds")], sound, atol=1e-4)
    assert stored.records("text", "words")[7].text == "**bold**"
    assert stored.records("text", "table")[7].text == "a | b\n--- | ---\nc | d"


@pytest.mark.parametrize("jit_compile", [True, False])
def test_inside_a_function_with_its_own_step(run: Any, jit_compile: bool) -> None:
    writer = create_file_writer(run)
    step = tf.Variable(0, dtype=tf.int64)

    @tf.function(jit_compile=jit_compile)
    def compute(x: Any) -> Any:
        return x * 2

    @tf.function
    def train_step(x: Any) -> None:
        step.assign_add(1)
        with writer.as_default(), tf.summary.record_if(step % 2 == 0):
            tf.summary.scalar("loss", compute(x), step=step)

    tf.summary.experimental.set_step(100)
    for number in range(6):
        train_step(tf.constant(float(number)))
    with writer.as_default():
        tf.summary.scalar("outside", 1.0)
    tf.summary.experimental.set_step(None)
    writer.flush()
    wait_until(lambda: "outside" in Stored(run).names())
    assert Stored(run).scalar("loss") == {2: 2.0, 4: 6.0, 6: 10.0}
    assert Stored(run).scalar("outside") == {100: 1.0}
    assert run.step == -1


def test_graphs_that_were_exported(run: Any) -> None:
    weight = tf.Variable(tf.ones((3, 2)), name="weight")

    @tf.function
    def forward(x: Any) -> Any:
        with tf.name_scope("head"):
            return tf.nn.relu(x @ weight)

    with create_file_writer(run).as_default():
        tf.summary.trace_on(graph=True)
        forward(tf.ones((4, 3)))
        tf.summary.trace_export("traced", step=1)
        tf.summary.graph(forward.get_concrete_function(tf.ones((4, 3))).graph)
    run.finish()
    stored = Stored(run)
    for name, step in (("traced", 1), ("graph", 0)):
        graph = stored.records("graph", name)[step]
        assert {"MatMul", "Relu"} <= {node.op for node in graph.nodes if node.module == "head"}


def test_values_of_other_plugins(run: Any) -> None:
    from tensorboard.plugins.hparams import api
    from tensorboard.plugins.pr_curve import summary

    labels, scores = np.array([True, False, True, True]), np.array([0.9, 0.4, 0.6, 0.1], np.float32)
    curve = summary.pb("curve", labels, scores, num_thresholds=11)
    with create_file_writer(run).as_default(step=2):
        api.hparams({"rate": 0.5, "name": "small", "deep": True})
        tf.summary.experimental.write_raw_pb(curve.SerializeToString())
    run.finish()
    stored = Stored(run)
    assert stored.records("hparams", "hparams")[0].values == {"rate": 0.5, "name": "small", "deep": True}
    assert stored.records("pr_curve", "curve/pr_curves")[2].recall[0] == 1.0


def test_event_files_are_kept_when_there_is_a_place_for_them(run: Any, tmp_path: Path) -> None:
    """Two writers use the same tags, as programs do: the folder's name tells them apart."""
    for split, loss in (("train", 1.0), ("validation", 2.0)):
        with create_file_writer(run, tmp_path / "logs" / split).as_default(step=1):
            tf.summary.scalar("loss", loss)
    with create_file_writer(run, context={"part": "third"}).as_default(step=1):
        tf.summary.scalar("loss", 3.0)
    run.finish()
    stored = Stored(run)
    series = [one for one in stored.reader.series(run.id) if one.name == "loss"]
    found = {tuple(one.context.values()): stored.reader.points(one).last.tolist() for one in series}
    assert found == {("train",): [1.0], ("validation",): [2.0], ("third",): [3.0]}
    kept = list((tmp_path / "logs" / "train").iterdir())
    assert len(kept) == 1
    events = list(tf.compat.v1.train.summary_iterator(str(kept[0])))
    assert [value.tag for event in events for value in event.summary.value] == ["loss"]


def test_without_a_place_nothing_stays(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(event_file, "_FREE_BYTES", 1000)
    writer = create_file_writer(run)
    with writer.as_default():
        for step in range(300):
            tf.summary.scalar("loss", 0.1, step=step)
    writer.close()
    wait_until(lambda: "loss" in Stored(run).names() and len(Stored(run).scalar("loss")) == 300)
    assert list(tmp_path.glob("stepscope-*/*")) == []


def test_in_a_session(run: Any) -> None:
    with tf.Graph().as_default():
        writer = create_file_writer(run)
        step = tf.compat.v1.placeholder(tf.int64, ())
        with writer.as_default():
            write = tf.summary.scalar("loss", tf.cast(step, tf.float32) / 2, step=step)
        with tf.compat.v1.Session() as session:
            session.run(writer.init())
            for number in range(3):
                session.run(write, {step: number})
            session.run(writer.flush())
            wait_until(lambda: "loss" in Stored(run).names())
    assert Stored(run).scalar("loss") == {0: 0.0, 1: 0.5, 2: 1.0}


def test_summaries_of_tensorflow_1_are_read_as_well(run: Any) -> None:
    from stepscope.trackers.tensorflow.event_values import EventValues

    v1 = tf.compat.v1.summary
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        v1.scalar("loss", 0.5)
        v1.histogram("weights", tf.range(100.0))
        v1.image("picture", tf.ones((1, 4, 5, 3)))
        v1.audio("sound", tf.zeros((1, 10, 1)), 8000)
        summary = tf.compat.v1.Summary.FromString(session.run(v1.merge_all()))
    event = tf.compat.v1.Event(summary=summary, step=1)
    found = {name: make() for name, make in EventValues().of(event)}
    assert found["loss"] == 0.5
    assert found["weights"].counts.sum() == 100
    assert (found["weights"].edges[0], found["weights"].edges[-1]) == (0.0, 99.0)
    run.log(found)
    assert Stored(run).names() == {"loss", "weights", "picture/image/0", "sound/audio/0"}


def test_what_cannot_be_shown_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    with stepscope.init() as run, create_file_writer(run).as_default(step=1):
        metadata = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "images"})
        tf.summary.write("bad", tf.constant(["1", "1", "no picture"]), metadata=metadata)
        tf.summary.scalar("loss", 1.0)
    assert "reading the summary 'bad'" in caplog.text
    assert Stored(run).scalar("loss") == {1: 1.0}


def test_the_first_argument_must_be_a_run() -> None:
    with pytest.raises(
        BadInput, match=r"^create_file_writer needs the run that stepscope\.init returned .* str"
    ):
        create_file_writer("logs")  # type: ignore[arg-type]
