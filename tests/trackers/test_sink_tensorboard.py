"""Event files must say to TensorBoard's own readers what the store says, value by value."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stepscope
from contracts.filled_store import CONFIG, GRAPH, fill
from contracts.sink_contract import SinkContract
from event_files import read_events, served
from stepscope.storage.errors import ExportRefused, RunNotFound
from stepscope.storage.kinds.figure import FigureData
from stepscope.storage.kinds.table import TableData
from stepscope.storage.model import Run, Series
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from stepscope.trackers import exports
from stepscope.trackers.exports import export_tensorboard
from support import run_python


class TestContract(SinkContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.logdir = tmp_path / "logs"

    def make_sink(self) -> Any:
        from stepscope.trackers.sinks.tensorboard.sink import TensorBoardSink

        return TensorBoardSink(self.logdir)

    def curve(self, run: Run, name: str) -> Mapping[int, float]:
        [folder] = self.logdir.glob(f"*{run.run_id}")
        events = read_events(folder).Scalars(name)
        assert len({event.step for event in events}) == len(events)
        return {event.step: event.value for event in events}

    def leftovers(self) -> list[Path]:
        return [path for path in self.logdir.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory):
    """Yield a reader, its one run, and TensorBoard's own reader of the export."""
    folder = tmp_path_factory.mktemp("exported")
    store = str(folder / "stepscope.db")
    run_id = fill(store)
    with Reader.open(store) as reader:
        export_tensorboard(reader, ["baseline"], folder / "logs")
        yield reader, reader.run(run_id), read_events(folder / "logs" / f"baseline-{run_id}")


def series_of(reader: Reader, run: Run, name: str, kind: str, context: Mapping[str, Any]) -> Series:
    [found] = [one for one in reader.series(run.run_id, name=name, kind=kind) if one.context == context]
    return found


@pytest.mark.parametrize(
    ("tag", "name", "context"),
    [
        ("train/loss", "train/loss", {}),
        ("train/loss [rank=1]", "train/loss", {"rank": 1}),
        ("odd", "odd", {}),
    ],
)
def test_scalars(exported: Any, tag: str, name: str, context: Mapping[str, Any]) -> None:
    reader, run, events = exported
    points = reader.points(series_of(reader, run, name, "scalar", context))
    found = events.Scalars(tag)
    assert [event.step for event in found] == points.step.tolist()
    assert [event.wall_time for event in found] == points.time.tolist()
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal([event.value for event in found], points.last.astype(np.float32))


def values(exported: Any, tag: str, name: str, kind: str):
    """Yield (TensorBoard's tensor as an array, the store's value) with steps and times compared."""
    from tensorboard.util import tensor_util

    reader, run, events = exported
    series = series_of(reader, run, name, kind, {})
    records, found = reader.records(series), events.Tensors(tag)
    assert [event.step for event in found] == [record.step for record in records]
    assert [event.wall_time for event in found] == [record.time for record in records]
    assert len(found) >= 1
    for event, record in zip(found, records, strict=True):
        yield tensor_util.make_ndarray(event.tensor_proto), reader.load(series, record)


@pytest.mark.parametrize(
    ("tag", "name"), [("weights/fc1", "weights/fc1"), ("both (histogram)", "both"), ("empty", "empty")]
)
def test_histograms(exported: Any, tag: str, name: str) -> None:
    for buckets, value in values(exported, tag, name, "histogram"):
        if not value.count:
            np.testing.assert_array_equal(buckets, [[0, 0, 0]])
            continue
        np.testing.assert_array_equal(buckets[:, 0], value.edges[:-1])
        np.testing.assert_array_equal(buckets[:, 1], value.edges[1:])
        np.testing.assert_array_equal(buckets[:, 2], value.counts)
        assert buckets[:, 2].sum() == value.count


def test_images(exported: Any) -> None:
    for parts, value in values(exported, "digit", "digit", "image"):
        assert parts.tolist() == [b"8", b"8", value.data]


def test_audio(exported: Any) -> None:
    for parts, value in values(exported, "tone", "tone", "audio"):
        assert parts.tolist() == [[value.data, b"a & b"]]


def test_text(exported: Any) -> None:
    for text, value in values(exported, "notes/first", "notes/first", "text"):
        assert text.item().decode() == value.text


def test_pr_curves(exported: Any) -> None:
    for rows, value in values(exported, "precision", "precision", "pr_curve"):
        np.testing.assert_array_equal(rows, value.rows().astype(np.float32))


def test_tables_are_text(exported: Any) -> None:
    for text, _ in values(exported, "surest", "surest", "table"):
        lines = text.item().decode().splitlines()
        assert lines[:3] == ["| name | score |", "| --- | --- |", "| a \\| b | 0.5 |"]
        assert lines[4] == "|  | 1 |"


def test_a_long_table_ends_with_how_long_it_is() -> None:
    from stepscope.trackers.sinks.tensorboard.media import markdown_of

    text = markdown_of(TableData(("n",), tuple((number,) for number in range(1234))))
    assert text.endswith("| 199 |\n\nThe first 200 of 1,234 rows.")


def test_videos_are_gifs_among_the_images(exported: Any) -> None:
    for parts, value in values(exported, "film", "film", "video"):
        with Image.open(io.BytesIO(parts[2])) as shown:
            assert (shown.format, shown.n_frames) == ("GIF", 5)
            assert parts.tolist()[:2] == [b"18", b"16"] == [str(size).encode() for size in shown.size]
            assert shown.info["duration"] == 200
        assert value.media_type == "video/mp4"


def test_a_plotly_figure_is_a_picture_that_says_where_to_look(exported: Any) -> None:
    for parts, _ in values(exported, "bars", "bars", "figure"):
        with Image.open(io.BytesIO(parts[2])) as shown:
            assert shown.format == "PNG"
            assert shown.convert("L").getextrema()[0] < 100  # something is written on it


def test_a_picture_of_matplotlib_is_an_image_as_it_is() -> None:
    from stepscope.trackers.sinks.tensorboard.media import picture_of

    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "PNG")
    picture = picture_of(FigureData(buffer.getvalue(), "image/png", None, 30, 20))
    assert (picture.data, picture.width, picture.height) == (buffer.getvalue(), 30, 20)


def test_meshes(exported: Any) -> None:
    from tensorboard.plugins.mesh import metadata, plugin_data_pb2

    _, _, events = exported
    for tag, name in [("corner_VERTEX", "vertices"), ("corner_FACE", "faces"), ("corner_COLOR", "colors")]:
        series = "corner"
        for array, value in values(exported, tag, series, "mesh"):
            np.testing.assert_array_equal(array[0], getattr(value, name))
        content = metadata.parse_plugin_metadata(events.SummaryMetadata(tag).plugin_data.content)
        kinds = plugin_data_pb2.MeshPluginData
        assert content.name == "corner"
        assert content.components == 1 << kinds.VERTEX | 1 << kinds.FACE | 1 << kinds.COLOR
        assert json.loads(content.json_config) == {"camera": {"fov": 75}}


def test_the_projector_finds_embeddings_with_metadata_and_sprite(exported: Any, tmp_path: Path) -> None:
    from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
    from werkzeug.test import Client
    from werkzeug.wrappers import Response

    reader, run, _ = exported
    export_tensorboard(reader, [run.run_id], tmp_path)
    shown = served(tmp_path)
    shown.logdir = str(tmp_path)
    series = series_of(reader, run, "vectors", "embedding", {})
    value = reader.load(series, reader.records(series)[0])
    apps = ProjectorPlugin(shown).get_plugin_apps()
    query = {"run": f"baseline-{run.run_id}", "name": "vectors:00005"}

    def asked(route: str) -> bytes:
        answer = Client(apps[route], Response).get("/", query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.data

    [info] = json.loads(asked("/info"))["embeddings"]
    assert (info["tensorShape"], info["sprite"]["singleImageDim"]) == ([20, 4], [6, 6])
    vectors = np.frombuffer(asked("/tensor"), np.float32).reshape(20, 4)
    np.testing.assert_array_equal(vectors, value.vectors)
    lines = asked("/metadata").decode().splitlines()
    assert lines[:2] == ["number\tclass", "0\tclass 0"]
    assert len(lines) == 21
    assert asked("/sprite_image") == value.sprite


def test_an_embedding_that_is_exported_again_under_another_name_leaves_nothing(
    store_url: str, tmp_path: Path
) -> None:
    with stepscope.init(store=store_url, name="first") as run:
        run.log({"e": stepscope.Embedding(np.eye(3), ["a", "b\tc", "d\ne"])}, step=1)
    logs = tmp_path / "logs"
    with Reader.open(store_url) as reader, Writer.open(store_url) as writer:
        export_tensorboard(reader, [run.id], logs)
        labels = (logs / f"first-{run.id}/projector/0-e-1/metadata.tsv").read_text()
        assert labels == "a\nb c\nd e\n"
        writer.update_run(run.id, {"name": "second"})
        export_tensorboard(reader, [run.id], logs)
    assert [folder.name for folder in logs.iterdir()] == [f"second-{run.id}"]


def test_graph(exported: Any) -> None:
    _, _, events = exported
    graph = events.Graph()
    nodes = {node.name: node for node in graph.node}
    assert set(nodes) == {"x", "body/fc1/linear", "body/relu_0", "body/fc2/linear"}
    assert [node.op for node in graph.node] == [node.op for node in GRAPH.nodes]
    assert list(nodes["body/relu_0"].input) == ["body/fc1/linear"]
    [shape] = nodes["body/fc1/linear"].attr["_output_shapes"].list.shape
    assert [dim.size for dim in shape.dim] == [-1, 4]
    assert nodes["body/fc1/linear"].attr["module_parameters"].i == 36
    assert nodes["body/fc1/linear"].attr["bias"].s == b"True"


@pytest.fixture
def context() -> Any:
    from tensorboard.context import RequestContext

    return RequestContext()


def test_the_plugins_of_tensorboard_find_their_data(exported: Any, context: Any, tmp_path: Path) -> None:
    from tensorboard.plugins.distribution.distributions_plugin import DistributionsPlugin
    from tensorboard.plugins.graph.graphs_plugin import GraphsPlugin
    from tensorboard.plugins.scalar.scalars_plugin import ScalarsPlugin

    reader, run, _ = exported
    export_tensorboard(reader, [run.run_id], tmp_path)
    shown, name = served(tmp_path), f"baseline-{run.run_id}"
    provider = shown.data_provider
    assert [one.run_name for one in provider.list_runs(context, experiment_id="")] == [name]
    for plugin, tag, parts in [("images", "digit", 3), ("audio", "tone", 1)]:
        found = provider.list_blob_sequences(context, experiment_id="", plugin_name=plugin)[name]
        assert found[tag].max_length == parts
    for plugin, tag in [("histograms", "weights/fc1"), ("text", "notes/first")]:
        assert tag in provider.list_tensors(context, experiment_id="", plugin_name=plugin)[name]
    points, _ = ScalarsPlugin(shown).scalars_impl(context, "lr", name, "", "json")
    assert [point[1:] for point in points] == [(step, 0.125) for step in range(12)]
    bands, _ = DistributionsPlugin(shown).distributions_impl(context, "weights/fc1", name, "")
    assert [len(band[2]) for band in bands] == [9, 9, 9]
    graph, _ = GraphsPlugin(shown).graph_impl(context, name, None, False, "")
    assert 'name: "body/fc1/linear"' in str(graph)


def test_hyperparameters_of_runs_that_were_exported_one_by_one(
    store_url: str, context: Any, tmp_path: Path
) -> None:
    from tensorboard.plugins.hparams.backend_context import Context

    fill(store_url)
    run = stepscope.init(store=store_url, name="other", config={"dropout": 0.5, "none": None, "big": 2**60})
    run.log({"loss": 1.0})
    run.finish("failed")
    with Reader.open(store_url) as reader:
        for name in ("baseline", "other"):
            export_tensorboard(reader, [name], tmp_path / "logs")
    backend = Context(served(tmp_path / "logs"))
    tags = backend.hparams_metadata(context, "")
    empty = backend.hparams_from_data_provider(context, "", None)
    experiment = backend.experiment_from_metadata(context, "", True, tags, empty)
    shown = {info.name for info in experiment.hparam_infos}
    config = {"lr", "epochs", "augment", "optimizer/name", "optimizer/betas", "dropout", "none", "big"}
    assert shown == config | {"width", "norm"}
    assert {"loss", "train/loss", "best"} <= {info.name.tag for info in experiment.metric_infos}
    assert_sessions(tags)


def assert_sessions(tags: Mapping[str, Mapping[str, bytes]]) -> None:
    from tensorboard.plugins.hparams import metadata

    ends = {}
    for run, contents in tags.items():
        start = metadata.parse_session_start_info_plugin_data(contents[metadata.SESSION_START_INFO_TAG])
        end = metadata.parse_session_end_info_plugin_data(contents[metadata.SESSION_END_INFO_TAG])
        ends[run.split("-")[0]] = (dict(start.hparams), end.status)
        assert end.end_time_secs >= start.start_time_secs > 0
    hparams, status = ends["baseline"]
    assert hparams["lr"].number_value == CONFIG["lr"]
    assert hparams["augment"].bool_value is True
    assert hparams["optimizer/betas"].string_value == "[0.9, 0.99]"
    assert (hparams["width"].number_value, hparams["norm"].string_value) == (8, "batch")
    assert status == 1
    other, status = ends["other"]
    assert other["big"].string_value == str(2**60)
    assert other["none"].string_value == "null"
    assert status == 2


def test_a_whole_number_that_no_double_holds_is_a_text(store_url: str, context: Any, tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.backend_context import Context

    stepscope.init(store=store_url, name="huge", config={"seed": 10**400, "small": 3}).finish()
    with Reader.open(store_url) as reader:
        export_tensorboard(reader, ["huge"], tmp_path / "logs")
    [contents] = Context(served(tmp_path / "logs")).hparams_metadata(context, "").values()
    start = metadata.parse_session_start_info_plugin_data(contents[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["seed"].string_value == str(10**400)
    assert start.hparams["small"].number_value == 3


def test_a_renamed_run_is_not_shown_twice(store_url: str, tmp_path: Path) -> None:
    run_id = fill(store_url)
    with Reader.open(store_url) as reader:
        export_tensorboard(reader, [run_id], tmp_path / "logs")
        with Writer.open(store_url) as writer:
            writer.update_run(run_id, {"name": "../né w:"})
        export_tensorboard(reader, [run_id], tmp_path / "logs")
    assert [folder.name for folder in (tmp_path / "logs").iterdir()] == [f"_né w_-{run_id}"]


def test_long_series_come_in_pieces(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stepscope.trackers.sources import store

    monkeypatch.setattr(store, "POINTS_A_PIECE", 1000)
    monkeypatch.setattr(store, "RECORDS_A_PIECE", 4)
    with stepscope.init(store=store_url, name="long") as run:
        for step in range(20_500):
            run.log({"up": float(step)}, step=step)
        for step in range(11):
            run.log({"text": stepscope.Text(str(step))}, step=step)
    with Reader.open(store_url) as reader:
        said: list[tuple[int, int]] = []
        export_tensorboard(reader, ["long"], tmp_path, lambda done, total: said.append((done, total)))
    events = read_events(next(tmp_path.glob("long-*")))
    assert [event.value for event in events.Scalars("up")] == list(range(20_500))
    assert [event.step for event in events.Tensors("text")] == list(range(11))
    assert len(said) > 5
    assert said[-1][0] == said[-1][1]


def test_a_resumed_run_is_one_curve_without_an_end_while_it_runs(store_url: str, tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import metadata

    with stepscope.init(store=store_url, name="resumed") as run:
        for step in range(10):
            run.log({"loss": 1.0}, step=step)
    with stepscope.init(store=store_url, resume=run.id) as again, Reader.open(store_url) as reader:
        for step in range(5, 12):
            again.log({"loss": 2.0}, step=step)
        assert again.flush()
        export_tensorboard(reader, ["resumed"], tmp_path / "logs")
        events = read_events(tmp_path / "logs" / f"resumed-{run.id}")
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        *((step, 1.0) for step in range(5)),
        *((step, 2.0) for step in range(5, 12)),
    ]
    assert metadata.SESSION_START_INFO_TAG in events.Tags()["tensors"]
    assert metadata.SESSION_END_INFO_TAG not in events.Tags()["tensors"]


def test_tensorflow_is_not_imported(store_url: str, tmp_path: Path) -> None:
    fill(store_url)
    run_python(
        "-c",
        "import sys\n"
        "from stepscope.storage.read import Reader\n"
        "from stepscope.trackers.exports import export_tensorboard\n"
        f"export_tensorboard(Reader.open({store_url!r}), ['baseline'], {str(tmp_path / 'logs')!r})\n"
        "assert not {'tensorflow', 'torch', 'keras'} & set(sys.modules)\n",
    )


def test_unknown_run(store_url: str, tmp_path: Path) -> None:
    fill(store_url)
    with Reader.open(store_url) as reader, pytest.raises(RunNotFound, match="'nobody'"):
        export_tensorboard(reader, ["baseline", "nobody"], tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_a_folder_that_cannot_be_written(store_url: str, tmp_path: Path) -> None:
    fill(store_url)
    (tmp_path / "file").write_text("")
    with Reader.open(store_url) as reader:
        with pytest.raises(ExportRefused, match=r"expected a folder to export to, but .*file is a file"):
            export_tensorboard(reader, ["baseline"], tmp_path / "file")
        with pytest.raises(ExportRefused, match=r"expected a folder to write .*but got: Not a directory"):
            export_tensorboard(reader, ["baseline"], tmp_path / "file" / "logs")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(tmp_path: Path) -> None:
    from stepscope.trackers.sinks.files import AtomicFile

    place = tmp_path / "events"
    place.write_bytes(b"old")
    file = AtomicFile(place)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file._stream.fileno())
    os.close(full)
    with pytest.raises(ExportRefused, match=r"No space left on device.*Choose a folder"):
        file.write(b"x" * 1_000_000)
    file.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["events"]
    assert place.read_bytes() == b"old"


def test_a_file_that_is_no_picture_costs_itself_alone(tmp_path: Path) -> None:
    with stepscope.init(store=tmp_path / "s.db") as run:
        run.log({"a": stepscope.Video(b"GIF89a and nothing"), "b": stepscope.Text("kept")}, step=3)
    with Reader.open(tmp_path / "s.db") as reader:
        done = export_tensorboard(reader, [run.id], tmp_path / "logs")
    assert done.records == 1
    assert "cannot identify image file" in done.declined["video a at step 3"]


def test_without_the_extra(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store_url)
    for module in [name for name in sys.modules if name.startswith("stepscope.trackers.sinks.tensorboard.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with Reader.open(store_url) as reader, pytest.raises(ImportError, match=r"stepscope\[tensorboard\]"):
        exports.export_tensorboard(reader, ["baseline"], tmp_path)
