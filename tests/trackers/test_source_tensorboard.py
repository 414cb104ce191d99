"""Event files that other programs really write come in complete."""

from __future__ import annotations

import io
import json
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stepscope
from stepscope.storage.kinds import KIND_OF
from stepscope.storage.metric_definitions import metric_definitions
from stepscope.storage.read import Reader
from stepscope.trackers.imports import import_runs
from stepscope.trackers.sources.tensorboard.source import TensorBoardSource


@dataclass
class Run:
    """What came of one run: (name, context as text) -> points, (name, kind) -> values."""

    points: dict[tuple[str, str], tuple[list[int], list[float]]] = field(default_factory=dict)
    values: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)
    facts: Any = None

    def value(self, name: str, kind: str) -> Any:
        [(_, value)] = self.values[name, kind]
        return value


def imported(folder: Path, *, problems: int = 0) -> dict[str, Run]:
    """Import a logdir twice; return what the store has, by the names of the runs."""
    store = str(folder.with_name(f"{folder.name}.db"))
    done = import_runs(TensorBoardSource(folder), store)
    assert len(done.problems) == problems, done.problems
    again = import_runs(TensorBoardSource(folder), store)
    assert (again.points, again.records) == (0, 0)
    with Reader.open(store) as reader:
        return {run.name: _read(reader, run) for run in reader.runs()}


def _read(reader: Reader, run: Any) -> Run:
    found = Run(facts=run)
    for series in reader.series(run.run_id):
        if series.kind == "scalar":
            points = reader.points(series)
            context = json.dumps(dict(series.context)) if series.context else ""
            found.points[series.name, context] = (points.step.tolist(), points.last.tolist())
        else:
            records = reader.records(series)
            loaded = [(record.step, reader.load(series, record)) for record in records]
            found.values.setdefault((series.name, series.kind), []).extend(loaded)
    return found


def wav(samples: np.ndarray[Any, Any], rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


# --- torch ---


@pytest.fixture(scope="module")
def of_torch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Run]]:
    """Write all that torch's SummaryWriter has, and import it."""
    import torch
    from torch.utils.tensorboard import SummaryWriter

    folder = tmp_path_factory.mktemp("torch") / "logs"
    chance = np.random.default_rng(1)
    with SummaryWriter(str(folder / "exp1")) as writer:
        for step in range(100):
            writer.add_scalar("loss/train", 1 / (step + 1), step, walltime=1.7e9 + step)
        writer.add_scalar("new", 0.1, 7, new_style=True)
        writer.add_scalar("double", 0.1, 7, new_style=True, double_precision=True)
        writer.add_scalar("loss/train", float("nan"), 100)
        writer.add_scalars("both", {"a": 1.0, "b": 2.0}, 3)
        writer.add_histogram("weights", chance.normal(size=1000), 5)
        writer.add_image("picture", chance.integers(0, 255, (3, 8, 6), np.uint8), 6)
        writer.add_images("pictures", chance.random((2, 3, 4, 4)), 6)
        writer.add_audio("sound", torch.linspace(-1, 1, 800)[None], 6, sample_rate=8000)
        writer.add_text("note", "# *Hello* ä", 2)
        labels, scores = chance.integers(0, 2, 100), chance.random(100)
        writer.add_pr_curve("curve", labels, scores, 4, num_thresholds=50)
        points = torch.rand(1, 5, 3)
        writer.add_mesh(
            "shape",
            points,
            colors=torch.randint(0, 255, (1, 5, 3)),
            faces=torch.tensor([[[0, 1, 2], [1, 2, 3]]]),
            config_dict={"camera": {"fov": 75}},
            global_step=3,
        )
        writer.add_embedding(torch.rand(4, 3), ["a", "b", "c", "d"], torch.rand(4, 3, 5, 5), 9, "vectors")
        writer.add_embedding(torch.rand(4, 2), [["a", 1]] * 4, None, 10, "rows", ["name", "number"])
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
        writer.add_graph(model, torch.rand(2, 3))
        writer.add_custom_scalars({"group": {"chart": ["Multiline", ["loss/.*"]]}})
        writer.add_hparams({"lr": 0.1, "layers": 3, "name": "adam"}, {"hparam/accuracy": 0.75})
        writer.add_tensor("raw", torch.rand(4, 5), 1)
    return folder, imported(folder)


def test_torchs_numbers_are_those_that_event_accumulator_reads(of_torch: tuple[Path, dict[str, Run]]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, runs = of_torch
    assert list(runs) == ["exp1"]
    points = runs["exp1"].points
    theirs = EventAccumulator(str(folder / "exp1"), {"scalars": 0, "tensors": 0}).Reload()
    for tag in theirs.Tags()["scalars"]:
        steps, numbers = points[tag, ""]
        assert steps == [event.step for event in theirs.Scalars(tag)]
        assert repr(numbers) == repr([event.value for event in theirs.Scalars(tag)])
    assert points["new", ""] == ([7], [float(np.float32(0.1))])
    assert points["double", ""] == ([7], [0.1])
    assert points["both", '{"line": "a"}'] == ([3], [1.0])
    assert points["both", '{"line": "b"}'] == ([3], [2.0])
    assert points["hparam/accuracy", ""] == ([0], [0.75])


def test_torchs_other_values_come_in(of_torch: tuple[Path, dict[str, Run]]) -> None:
    run = of_torch[1]["exp1"]
    weights = run.value("weights", "histogram")
    numbers = np.random.default_rng(1).normal(size=1000)
    assert weights.count == 1000
    assert (weights.min, weights.max) == (numbers.min(), numbers.max())
    assert weights.mean == pytest.approx(numbers.mean())
    assert weights.std == pytest.approx(numbers.std())
    assert weights.counts.sum() == 1000
    assert run.value("picture", "image").array().shape == (8, 6, 3)
    sound = run.value("sound", "audio")
    assert (sound.sample_rate, sound.channels, sound.seconds) == (8000, 1, 0.1)
    assert run.values["note/text_summary", "text"][0][1].text == "# *Hello* ä"
    curve = run.value("curve", "pr_curve")
    assert len(curve.tp) == 50
    assert curve.tp[0] + curve.fp[0] == 100
    mesh = run.value("shape", "mesh")
    assert (mesh.vertices.shape, mesh.colors.shape, mesh.faces.tolist()) == (
        (5, 3),
        (5, 3),
        [[0, 1, 2], [1, 2, 3]],
    )
    assert mesh.config == {"camera": {"fov": 75}}
    assert run.values["raw", "histogram"][0][1].count == 20


def test_torchs_embeddings_come_from_the_projectors_files(of_torch: tuple[Path, dict[str, Run]]) -> None:
    run = of_torch[1]["exp1"]
    [(step, vectors)] = run.values["vectors", "embedding"]
    assert step == 9
    assert vectors.vectors.shape == (4, 3)
    assert vectors.rows == (("a",), ("b",), ("c",), ("d",))
    assert vectors.image_size == (5, 5)
    assert Image.open(io.BytesIO(vectors.sprite)).size == (10, 10)
    rows = run.value("rows", "embedding")
    assert rows.header == ("name", "number")
    assert rows.rows[0] == ("a", "1")


def test_torchs_graph_layout_and_hyperparameters_come_in(of_torch: tuple[Path, dict[str, Run]]) -> None:
    run = of_torch[1]["exp1"]
    graph = run.value("graph", "graph")
    assert graph.framework == "torch"
    [linear] = [node for node in graph.nodes if node.op == "aten::linear"]
    assert linear.output_shapes == ((2, 4),)
    assert {"Linear", "ReLU"} <= {layer.type for layer in graph.layers}
    layout = json.loads(run.value("custom_scalars__config__", "text").text)
    assert layout["category"][0]["chart"][0]["multiline"]["tag"] == ["loss/.*"]
    assert run.facts.config == {"lr": 0.1, "layers": 3, "name": "adam"}
    [(_, trial)] = run.values["hparams", "hparams"]
    assert trial.values == {"lr": 0.1, "layers": 3, "name": "adam"}
    assert trial.metrics == {"hparam/accuracy": 0.75}
    assert run.facts.state == "finished"


# --- tensorboardX ---


def test_tensorboardx_comes_in(tmp_path: Path) -> None:
    import tensorboardX

    chance = np.random.default_rng(2)
    with tensorboardX.SummaryWriter(str(tmp_path / "logs" / "run")) as writer:
        for step in range(20):
            writer.add_scalar("loss", step / 10, step)
        writer.add_scalars("group/both", {"a": 1.0, "b/c": 2.0}, 3)
        writer.add_histogram("weights", chance.normal(size=100), 5)
        writer.add_image("picture", chance.random((3, 4, 5)), 1)
        writer.add_text("note", "words", 1)
        writer.add_pr_curve("curve", np.array([0, 1, 1]), np.array([0.1, 0.8, 0.4]), 1)
        writer.add_hparams({"lr": 0.5, "on": True}, {"best": 2.0})
    run = imported(tmp_path / "logs")["run"]
    assert run.points["loss", ""][1] == [float(np.float32(step / 10)) for step in range(20)]
    assert run.points["group/both", '{"line": "b/c"}'] == ([3], [2.0])
    assert run.value("weights", "histogram").count == 100
    assert run.value("picture", "image").array().shape == (4, 5, 3)
    assert run.value("note/text_summary", "text").text == "words"
    assert len(run.value("curve", "pr_curve").tp) == 127
    assert run.facts.config == {"lr": 0.5, "on": True}
    assert run.value("hparams", "hparams").metrics == {"best": 2.0}


# --- TensorFlow ---


@pytest.mark.usefixtures("with_tensorflow")
def test_tf_summary_and_its_descriptions_come_in(tmp_path: Path) -> None:
    import tensorflow
    from tensorboard.plugins.hparams import api

    tf: Any = tensorflow
    samples = np.arange(-50, 50)
    with tf.summary.create_file_writer(str(tmp_path / "logs")).as_default():
        for step in range(30):
            tf.summary.scalar("loss", step / 3, step=step, description="how *wrong* it is")
        for name, dtype in (("half", tf.float16), ("brain", tf.bfloat16), ("whole", tf.int64)):
            tf.summary.write(name, tf.constant(3, dtype), step=1)
        tf.summary.histogram("weights", np.linspace(0, 1, 50), step=2)
        tf.summary.image("pictures", np.zeros((3, 4, 5, 1)), step=2)
        tf.summary.audio("sounds", np.float32(samples.reshape(1, -1, 1) / 100), 8000, step=2, encoding="wav")
        tf.summary.text("note", "words", step=2)
        tf.summary.text("several", ["a", "b"], step=2)
        tf.summary.text("table", [["a", "b"], ["c", "d"]], step=2)
        api.hparams({"lr": 0.25, "units": 8})

        # As tf.summary.trace_export writes it; to trace would stay on in this process for others.
        traced = tf.compat.v1.RunMetadata()
        graph = tf.function(lambda x: 2 * x).get_concrete_function(tf.constant(1.0)).graph
        traced.function_graphs.add().pre_optimization_graph.CopyFrom(graph.as_graph_def())
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "graph_run_metadata_graph"
        tf.summary.write("twice", traced.SerializeToString(), step=0, metadata=metadata)
    run = imported(tmp_path / "logs")["logs"]
    assert run.points["loss", ""] == ([*range(30)], [float(np.float32(step / 3)) for step in range(30)])
    assert [run.points[name, ""][1] for name in ("half", "brain", "whole")] == [[3.0], [3.0], [3.0]]
    assert run.value("weights", "histogram").count == 50
    assert len(run.values["pictures", "image"]) == 3
    assert run.value("sounds", "audio").sample_rate == 8000
    assert [text.text for _, text in run.values["several", "text"]] == ["a", "b"]
    assert run.value("table", "text").text == "a | b\n--- | ---\nc | d"
    assert "Mul" in {node.op for node in run.value("twice", "graph").nodes}
    assert run.facts.config == {"lr": 0.25, "units": 8}
    assert run.facts.framework == "tensorflow"
    with Reader.open(str(tmp_path / "logs.db")) as reader:
        told = metric_definitions(reader, run.facts.run_id)
    assert told["loss"].description == "how *wrong* it is"


@pytest.mark.usefixtures("with_tensorflow")
def test_keras_train_and_validation_become_one_run(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="sequential")
    model.compile("sgd", "mse")
    x, y = np.zeros((8, 3)), np.zeros((8, 2))
    board = keras.callbacks.TensorBoard(str(tmp_path / "logs"), histogram_freq=1)
    model.fit(x, y, epochs=3, validation_data=(x, y), verbose=0, callbacks=[board])
    runs = imported(tmp_path / "logs")
    assert list(runs) == ["logs"]
    run = runs["logs"]
    train, validation = '{"split": "train"}', '{"split": "validation"}'
    assert run.points["epoch_loss", train][0] == [0, 1, 2]
    assert run.points["epoch_loss", validation][0] == [0, 1, 2]
    assert len(run.values["sequential/dense/kernel/histogram", "histogram"]) == 3
    graph = run.value("keras", "graph")
    assert (graph.framework, graph.layers[0].type) == ("keras", "Sequential")
    assert any(layer.type == "Dense" for layer in graph.layers)
    assert '"Dense"' in run.value("keras/keras_model", "text").text


@pytest.mark.usefixtures("with_tensorflow")
def test_tensorflow_1_comes_in(tmp_path: Path) -> None:
    import tensorflow

    tf: Any = tensorflow.compat.v1
    with tf.Graph().as_default() as graph:
        value = tf.placeholder(tf.float32, (None,), "value")
        merged = tf.summary.merge(
            [
                tf.summary.scalar("loss", tf.reduce_mean(value)),
                tf.summary.histogram("weights", value),
                tf.summary.image("picture", tf.zeros((1, 4, 5, 3))),
                tf.summary.audio("sound", tf.zeros((1, 10, 1)), 8000),
            ]
        )
        with tf.Session(graph=graph) as session:
            writer = tf.summary.FileWriter(str(tmp_path / "logs"), graph)
            options, metadata = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), tf.RunMetadata()
            for step in range(5):
                made = session.run(merged, {value: [step, step + 1]}, options, metadata)
                writer.add_summary(made, step)
            writer.add_run_metadata(metadata, "traced", 4)
            writer.close()
    run = imported(tmp_path / "logs")["logs"]
    assert run.points["loss", ""] == ([*range(5)], [step + 0.5 for step in range(5)])
    assert [value.count for _, value in run.values["weights", "histogram"]] == [2] * 5
    assert run.values["picture/image/0", "image"][0][1].array().shape == (4, 5, 3)
    assert run.values["sound/audio/0", "audio"][0][1].sample_rate == 8000
    assert "Placeholder" in {node.op for node in run.value("graph", "graph").nodes}
    steps = run.value("traced", "table")
    assert steps.columns == ("device", "node", "start_us", "duration_us", "memory_bytes")
    assert any("Mean" in row[1] for row in steps.rows)


# --- Lightning ---


def test_lightnings_logger_comes_in(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import TensorBoardLogger

    for version in range(2):
        logger = TensorBoardLogger(str(tmp_path / "logs"), "lightning_logs", version)
        logger.log_hyperparams(
            {"lr": 0.1 * (version + 1), "optimizer": {"name": "adam", "betas": (0.9, 0.99)}}
        )
        for step in range(10):
            logger.log_metrics({"train_loss": 1.0 / (step + 1), "epoch": 0}, step)
        logger.finalize("success")
    runs = imported(tmp_path / "logs")
    assert sorted(runs) == ["lightning_logs/version_0", "lightning_logs/version_1"]
    run = runs["lightning_logs/version_1"]
    assert run.facts.config == {"lr": 0.2, "optimizer": {"name": "adam", "betas": [0.9, 0.99]}}
    assert len(run.points["train_loss", ""][0]) == 10


# --- attempts ---


def test_a_restart_is_a_newer_attempt_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    for process, first in ((11, 0), (12, 5)):
        _numbers(folder, f"events.out.tfevents.1700000000.node.{process}.0", 1.7e9 + process, first)
    store = str(tmp_path / "logs.db")
    import_runs(TensorBoardSource(folder), store)
    with stepscope.open(store) as opened:
        [run] = opened.runs()
        run_id = run.id
        points = run.scalars("loss").numpy()
        assert points["step"].tolist() == [*range(15)]
        assert points["value"].tolist() == [11.0] * 5 + [12.0] * 10
    with Reader.open(store) as reader:
        assert [one.attempt for one in reader.attempts(run_id)] == [0, 1]
        [series] = reader.series(run_id)
        assert series.count == 20


def test_processes_that_write_side_by_side_are_one_attempt(tmp_path: Path) -> None:
    for process in (11, 12):
        name = f"events.out.tfevents.1700000000.node.{process}.0"
        _numbers(tmp_path / "logs", name, 1.7e9 + process / 100, 0)
    [found] = TensorBoardSource(tmp_path / "logs").runs()
    assert [part.attempt for part in found.parts] == [0, 0]


def test_a_session_that_starts_again_is_a_newer_attempt(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    folder = str(tmp_path / "logs" / "run")
    with SummaryWriter(folder) as writer:
        for step in range(10):
            writer.add_scalar("loss", 1.0, step)
    with SummaryWriter(folder, purge_step=4) as writer:
        for step in range(4, 8):
            writer.add_scalar("loss", 2.0, step)
    run = imported(tmp_path / "logs")["run"]
    assert run.points["loss", ""] == ([*range(8)], [1.0] * 4 + [2.0] * 4)


def _numbers(folder: Path, name: str, began: float, first: int) -> None:
    from tensorboard.compat.proto import event_pb2

    from stepscope.trackers.sinks.tensorboard.records import framed

    folder.mkdir(parents=True, exist_ok=True)
    events = [event_pb2.Event(wall_time=began, file_version="brain.Event:2")]
    for step in range(first, first + 10):
        summary = {"value": [{"tag": "loss", "simple_value": float(name.split(".")[-2])}]}
        events.append(event_pb2.Event(wall_time=began + 0.05 * (step - first), step=step, summary=summary))
    (folder / name).write_bytes(b"".join(framed(event.SerializeToString()) for event in events))


# --- what is odd ---


def test_what_cannot_be_kept_gets_a_sentence_and_costs_itself_alone(tmp_path: Path) -> None:
    from tensorboard.compat.proto import event_pb2

    from stepscope.trackers.sinks.tensorboard.records import framed

    gif, paletted = io.BytesIO(), io.BytesIO()
    frames = [Image.new("L", (4, 4), shade) for shade in (0, 128, 255)]
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:])
    Image.new("P", (4, 4)).save(paletted, "PNG")
    strange = [
        {"tag": "picture", "image": {"encoded_image_string": b"no picture", "width": 1, "height": 1}},
        {"tag": "sound", "audio": {"encoded_audio_string": b"no sound"}},
        {"tag": "type", "tensor": {"dtype": 20}},
        {"tag": "film", "image": {"encoded_image_string": gif.getvalue(), "width": 4, "height": 4}},
        {"tag": "palette", "image": {"encoded_image_string": paletted.getvalue(), "width": 4, "height": 4}},
        {
            "tag": "own",
            "metadata": {"plugin_data": {"plugin_name": "mine"}},
            "tensor": {"dtype": 1, "float_val": [2.0]},
        },
        {"tag": "words", "tensor": {"dtype": 7, "string_val": [b"kept"]}},
        {"tag": "loss", "simple_value": 1.0},
    ]
    event = event_pb2.Event(wall_time=1.7e9, step=1, summary={"value": strange})
    path = tmp_path / "logs" / "events.out.tfevents.1700000000.node"
    path.parent.mkdir()
    path.write_bytes(framed(event.SerializeToString()))
    run = imported(path.parent, problems=3)["logs"]
    assert run.points["loss", ""] == ([1], [1.0])
    assert run.points["own", ""] == ([1], [2.0])
    assert run.value("words", "text").text == "kept"
    assert run.value("film", "video").data == gif.getvalue()
    assert run.value("palette", "image").channels == 3


def test_one_file_can_be_imported_alone_and_belongs_to_the_run_of_its_folder(tmp_path: Path) -> None:
    name = "events.out.tfevents.1700000000.node.1.0"
    _numbers(tmp_path / "logs" / "run", name, time.time(), 0)
    alone = TensorBoardSource(tmp_path / "logs" / "run" / name).runs()
    [found] = TensorBoardSource(tmp_path / "logs").runs()
    assert [one.key for one in alone] == [found.key]
    assert [part.name for part in alone[0].parts] == [part.name for part in found.parts] == [name]


def test_a_run_that_is_called_like_a_split_stays_a_run(tmp_path: Path) -> None:
    for folder in ("test", "baseline", "other/test", "other/val", "third", "third/eval"):
        _numbers(tmp_path / "logs" / folder, "events.out.tfevents.1700000000.node.1.0", 1.7e9, 0)
    names = [run.run.name for run in TensorBoardSource(tmp_path / "logs").runs()]
    assert names == ["baseline", "other", "test", "third"]


def test_every_kind_that_is_made_is_one_of_the_store(of_torch: tuple[Path, dict[str, Run]]) -> None:
    assert {kind for run in of_torch[1].values() for _, kind in run.values} <= set(KIND_OF)


def test_a_second_export_of_a_run_is_left_out_and_told(tmp_path: Path) -> None:
    import shutil

    from contracts.filled_store import fill
    from stepscope.trackers.exports import export_tensorboard

    store = str(tmp_path / "runs.db")
    run_id = fill(store)
    with Reader.open(store) as reader:
        export_tensorboard(reader, [run_id], tmp_path / "logs" / "one")
    shutil.copytree(tmp_path / "logs" / "one", tmp_path / "logs" / "two")
    source = TensorBoardSource(tmp_path / "logs")
    [found] = source.runs()
    assert found.key == run_id
    assert len(source.problems) == 1
    assert source.problems[0].startswith("two/")
    assert source.problems[0].endswith(f"is another export of run {run_id}, and was left out.")


def test_each_call_of_add_hparams_is_a_trial_of_its_run(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "logs" / "sweep")) as writer:
        for number in range(3):
            writer.add_hparams({"lr": 0.1 * number, "size": number}, {"accuracy": 10 * number})
    runs = imported(tmp_path / "logs")
    assert list(runs) == ["sweep"]
    trials = [trial for _, trial in runs["sweep"].values["hparams", "hparams"]]
    found = sorted((trial.values["size"], trial.metrics["accuracy"]) for trial in trials)
    assert found == [(0, 0.0), (1, 10.0), (2, 20.0)]
