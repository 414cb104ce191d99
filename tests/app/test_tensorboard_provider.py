"""TensorBoard over the store: what its own HTTP API answers is what the Reader reads."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.compat.proto import graph_pb2

import stepscope
from contracts.filled_store import CONFIG, GRAPH, fill
from served import Served, ask, serve
from stepscope.app.cli import main
from stepscope.app.tensorboard_live.catalogue import Catalogue, shown_run
from stepscope.app.tensorboard_live.keys import BlobKey
from stepscope.app.tensorboard_live.provider import StoreDataProvider
from stepscope.app.tensorboard_live.scalars import Samples
from stepscope.app.tensorboard_live.tensors import layouts
from stepscope.storage.metric_definitions import MetricDefinition
from stepscope.storage.model import Record, Run, RunState, Series
from stepscope.storage.read import Reader
from stepscope.storage.read_many import short_series
from stepscope.trackers.sinks.tensorboard.layout import LAYOUT_NAME, layout_as_text, layout_of
from stepscope.trackers.sinks.tensorboard.steps import COLUMNS

DATA = "/tensorboard/data"
PLUGIN = f"{DATA}/plugin"
LONG = 5_000
SAMPLED = 1_000
"""How many points of a series TensorBoard asks for."""


@dataclass
class Board:
    """A dashboard over a store with some runs, and a Reader of the same store."""

    served: Served
    reader: Reader
    run: Run
    """Of every kind."""
    long: Run

    def series(self, name: str, **context: int) -> Series:
        (found,) = [one for one in self.reader.series(self.run.run_id, name=name) if one.context == context]
        return found

    def records(self, name: str) -> list[tuple[Record, Any]]:
        series = self.series(name)
        return [(record, self.reader.load(series, record)) for record in self.reader.records(series)]

    def graph(self, query: str) -> Any:
        answer = self.served.get(f"{PLUGIN}/graphs/graph?{query}")
        protos: Any = graph_pb2
        return text_format.Parse(answer.text, protos.GraphDef())

    def ask(self, route: str, tag: str, **query: str) -> Any:
        return self.served.json(f"{PLUGIN}/{route}", run=name_of(self.run), tag=tag, **query)


def name_of(run: Run) -> str:
    return f"{run.name}-{run.run_id}"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Generator[Board]:
    store = str(tmp_path_factory.mktemp("store") / "stepscope.db")
    run_id = fill(store)
    with stepscope.init(name="long", store=store) as long:
        for step in range(LONG):
            long.log({"train/loss": 1 / (step + 1)}, step=step)
    with serve(store) as served, Reader.open(store) as reader:
        yield Board(served, reader, reader.run(run_id), reader.run(long.id))


def test_runs_and_the_plugins_that_have_data(board: Board) -> None:
    assert set(board.served.json(f"{DATA}/runs")) == {name_of(board.run), name_of(board.long)}
    listing = board.served.json(f"{DATA}/plugins_listing")
    active = {name for name, plugin in listing.items() if plugin["enabled"]}
    kinds = {"scalars", "histograms", "distributions", "images", "audio", "text", "graphs"}
    assert active == kinds | {"hparams", "timeseries", "pr_curves", "mesh", "custom_scalars", "projector"}


@pytest.mark.parametrize(
    ("name", "context", "tag"),
    [("train/loss", {}, "train/loss"), ("train/loss", {"rank": 1}, "train/loss [rank=1]"), ("lr", {}, "lr")],
)
def test_scalars(board: Board, name: str, context: dict[str, int], tag: str) -> None:
    points = board.reader.points(board.series(name, **context))
    expected = zip(points.time.tolist(), points.step.tolist(), points.last.tolist(), strict=True)
    assert board.ask("scalars/scalars", tag) == [list(point) for point in expected]


def test_scalars_that_are_no_numbers(board: Board) -> None:
    values = [value for _, _, value in board.ask("scalars/scalars", "odd")]
    assert values == ["NaN", "Infinity", "-Infinity", 1e300]


def test_a_long_series_is_sampled_from_its_first_to_its_last_point(board: Board) -> None:
    body = f'requests=[{{"plugin": "scalars", "tag": "train/loss", "run": "{name_of(board.long)}"}}]'.encode()
    (answer,) = json.loads(ask(Request(f"{board.served.address}{PLUGIN}/timeseries/timeSeries", body)).text)
    sampled = answer["runToSeries"][name_of(board.long)]
    assert SAMPLED // 2 < len(sampled) <= SAMPLED
    assert all(point["value"] == 1 / (point["step"] + 1) for point in sampled)
    assert (sampled[0]["step"], sampled[-1]["step"]) == (0, LONG - 1)


def test_histograms(board: Board) -> None:
    answer = board.ask("histograms/histograms", "weights/fc1")
    for (time, step, buckets), (record, value) in zip(answer, board.records("weights/fc1"), strict=True):
        assert (time, step) == (record.time, record.step)
        columns = np.array(buckets).T
        for column, expected in zip(columns, (value.edges[:-1], value.edges[1:], value.counts), strict=True):
            assert np.array_equal(column, expected)


def test_distributions_come_from_the_histograms(board: Board) -> None:
    answer = board.ask("distributions/distributions", "weights/fc1")
    for (_, step, points), (record, value) in zip(answer, board.records("weights/fc1"), strict=True):
        assert step == record.step
        at = dict(points)
        assert at[0] == pytest.approx(value.min)
        assert value.min < at[1587] < at[5000] < at[8413] < value.max


def test_a_histogram_of_nothing_is_shown_as_nothing(board: Board) -> None:
    ((_, _, buckets),) = board.ask("histograms/histograms", "empty")
    assert buckets == [[0, 0, 0]]
    assert board.ask("distributions/distributions", "empty")


def test_images(board: Board) -> None:
    answer = board.ask("images/images", "digit", sample="0")
    for shown, (record, value) in zip(answer, board.records("digit"), strict=True):
        assert (shown["wall_time"], shown["step"]) == (record.time, record.step)
        assert board.served.get(f"{PLUGIN}/images/individualImage?{shown['query']}").body == value.data


def test_audio(board: Board) -> None:
    answer = board.ask("audio/audio", "tone", sample="0")
    for shown, (record, value) in zip(answer, board.records("tone"), strict=True):
        assert (shown["step"], shown["contentType"]) == (record.step, "audio/wav")
        assert board.served.get(f"{PLUGIN}/audio/individualAudio?{shown['query']}").body == value.data


def test_text_is_shown_as_markdown_and_never_as_html(board: Board) -> None:
    answer = board.ask("text/text", "notes/first")
    assert [shown["step"] for shown in answer] == [2, 5, 7]
    assert "<h1>step 2</h1>" in answer[0]["text"]
    assert "ä" in answer[0]["text"]
    assert "<script>" not in answer[0]["text"]


def test_a_video_and_a_figure_are_among_the_images(board: Board) -> None:
    for tag, head in [("film", b"GIF89a"), ("bars", b"\x89PNG\r\n")]:
        [shown] = board.ask("images/images", tag, sample="0")
        assert board.served.get(f"{PLUGIN}/images/individualImage?{shown['query']}").body[:6] == head


def test_a_table_is_text_that_runs_nothing(board: Board) -> None:
    [shown] = board.ask("text/text", "surest")
    assert "<th>score</th>" in shown["text"]
    assert "<td>0.5</td>" in shown["text"]
    assert "<script>" not in shown["text"]


def test_pr_curves(board: Board) -> None:
    [curve] = board.ask("pr_curves/pr_curves", "precision")[name_of(board.run)]
    [(record, value)] = board.records("precision")
    assert curve["step"] == record.step
    known = len(curve["recall"])  # TensorBoard leaves out the end, where nothing is predicted
    np.testing.assert_allclose(curve["recall"], value.recall[:known], rtol=1e-6)
    np.testing.assert_allclose(curve["precision"], value.precision[:known], rtol=1e-6)


def test_meshes(board: Board) -> None:
    [(record, value)] = board.records("corner")
    found = board.ask("mesh/meshes", "corner", sample="0")
    assert {(part["content_type"], tuple(part["data_shape"])) for part in found} == {
        (1, (1, 4, 3)),
        (2, (1, 2, 3)),
        (3, (1, 4, 3)),
    }
    query = f"run={name_of(board.run)}&tag=corner&sample=0&step={record.step}&content_type=VERTEX"
    data = board.served.get(f"{PLUGIN}/mesh/data?{query}").body
    np.testing.assert_array_equal(np.frombuffer(data, np.float32).reshape(-1, 3), value.vertices)


def test_the_graph(board: Board) -> None:
    run = name_of(board.run)
    info = board.served.json(f"{PLUGIN}/graphs/info")
    tagged = {"tag": "model", "conceptual_graph": True, "op_graph": True, "profile": False}
    assert info == {run: {"run": run, "tags": {"model": tagged}, "run_graph": True}}
    for asked in (f"run={run}", f"run={run}&tag=model"):
        shown = board.graph(asked)
        assert [node.op for node in shown.node] == [node.op for node in GRAPH.nodes]
        assert "body/fc1/linear" in [node.name for node in shown.node]


def test_the_conceptual_graph_is_that_of_the_layers(board: Board) -> None:
    shown = board.graph(f"run={name_of(board.run)}&tag=model&conceptual=true")
    assert {node.name: list(node.input) for node in shown.node} == {
        "net/x": [],
        "net/body/fc1": ["net/x"],
        "net/body/fc2": ["net/body/fc1"],
    }
    assert [node.attr["keras_class"].s for node in shown.node] == [b"Input", b"Linear", b"Linear"]


def test_the_config_is_in_hparams_with_the_last_values_beside_it(board: Board) -> None:
    request = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_SUCCESS"],
        "colParams": [],
        "startIndex": 0,
        "sliceSize": 10,
    }
    address = f"{board.served.address}{PLUGIN}/hparams"
    headers = {"Content-Type": "application/json"}
    experiment = json.loads(ask(Request(f"{address}/experiment", b"{}", headers)).text)
    assert {info["name"] for info in experiment["hparamInfos"]} == {
        "lr",
        "epochs",
        "augment",
        "optimizer/name",
        "optimizer/betas",
        "width",
        "norm",
    }
    groups = json.loads(ask(Request(f"{address}/session_groups", json.dumps(request).encode(), headers)).text)
    (group,) = groups["sessionGroups"]
    assert group["hparams"]["lr"] == CONFIG["lr"]
    assert group["hparams"]["optimizer/name"] == "sgd"
    assert (group["hparams"]["width"], group["hparams"]["norm"]) == (8, "batch")
    values = {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]}
    assert values["train/loss"] == board.series("train/loss").last_value
    assert values["best"] == 0.25


def test_steps_beyond_32_bits_do_not_fail_the_table_of_hyperparameters(tmp_path: Path) -> None:
    store = str(tmp_path / "tokens.db")
    with stepscope.init(store=store, config={"lr": 0.1}) as run:
        run.log({"loss": 0.5}, step=3_000_000_000)
        run.log({"trial": stepscope.HParams({"depth": 2}, {"best": 0.25})}, step=-3_000_000_000)
    provider = StoreDataProvider(store)
    [last] = provider.read_last_scalars(plugin_name="scalars").values()
    assert (last["loss"].step, last["loss"].value) == (2**31 - 1, 0.5)
    assert (last["best"].step, last["best"].value) == (-(2**31), 0.25)


def test_a_metric_of_hyperparameters_is_a_scalar_of_one_point(board: Board) -> None:
    [(record, _)] = board.records("trial")
    assert board.ask("scalars/scalars", "best") == [[record.time, record.step, 0.25]]
    assert "best" in board.served.json(f"{PLUGIN}/scalars/tags")[name_of(board.run)]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "../../etc/passwd",
        "Li4vLi4vZXRjL3Bhc3N3ZA",
        BlobKey("0000000000", 1, 0, 0, 0, "data").encode(),
    ],
)
def test_a_key_that_nobody_gave_out_is_not_found(board: Board, key: str) -> None:
    answer = board.served.get(f"{PLUGIN}/images/individualImage?blob_key={key}")
    assert answer.status == 404


def test_a_key_gives_only_the_blobs_of_its_series(board: Board) -> None:
    record, _ = board.records("notes/first")[0]
    answer = board.served.get(
        f"{PLUGIN}/images/individualImage?blob_key={BlobKey.of(record, 'data').encode()}"
    )
    assert answer.status == 404


@pytest.mark.parametrize("route", ["scalars/scalars", "histograms/histograms", "images/images"])
def test_a_tag_or_run_that_is_not_there_is_not_found(board: Board, route: str) -> None:
    for run, tag in ((name_of(board.run), "no such tag"), ("no such run", "lr")):
        assert (
            board.served.get(
                f"{PLUGIN}/{route}?run={run.replace(' ', '+')}&tag={tag.replace(' ', '+')}"
            ).status
            == 404
        )


def test_a_live_run_is_there_at_once(board: Board) -> None:
    with stepscope.init(name="live", store=board.reader.url) as run:
        run.log({"live": 1.5}, step=3)
        assert run.flush()
        ((_, step, value),) = board.served.json(f"{PLUGIN}/scalars/scalars", run=f"live-{run.id}", tag="live")
        assert (step, value) == (3, 1.5)


def split_run(store: str, name: str) -> str:
    """Log a run with splits, several values of a step, and named metrics; return its id."""
    with stepscope.init(name=name, store=store) as run:
        run.define_metric("loss", summary="min")
        for split, value in (("train", 0.5), ("validation", math.nan)):
            run.log({"loss": value}, step=1, context={"split": split})
        for shade in (0.0, 0.5, 1.0):
            run.log({"shades": stepscope.Image(np.full((4, 4), shade))}, step=3)
        run.log({"shades": stepscope.Image(np.zeros((4, 4)))}, step=4)
        for word in ("one", "two"):
            run.log({"words": stepscope.Text(f"*{word}*")}, step=3)
        return run.id


def test_splits_are_sub_runs_and_their_metrics_lie_with_the_runs_hyperparameters(board: Board) -> None:
    run = split_run(board.reader.url, "split")
    names = [f"split-{run}", f"split-{run}/train", f"split-{run}/validation"]
    assert [name for name in board.served.json(f"{DATA}/runs") if run in name] == names
    asked = json.dumps([{"plugin": "scalars", "tag": "loss"}])
    found = board.served.json(f"{PLUGIN}/timeseries/timeSeries", requests=asked)[0]["runToSeries"]
    values = {name: [point["value"] for point in found[name]] for name in found if run in name}
    assert values == {names[1]: [0.5], names[2]: ["NaN"]}


def test_several_values_of_a_step_are_all_shown(board: Board) -> None:
    run = f"samples-{split_run(board.reader.url, 'samples')}"
    assert board.served.json(f"{PLUGIN}/images/tags")[run]["shades"]["samples"] == 3
    shown = [
        board.served.json(f"{PLUGIN}/images/images", run=run, tag="shades", sample=str(sample))
        for sample in range(3)
    ]
    assert [[one["step"] for one in of] for of in shown] == [[3, 4], [3], [3]]
    first = [of[0]["query"] for of in shown]
    assert len({board.served.get(f"{PLUGIN}/images/individualImage?{query}").body for query in first}) == 3
    [text] = board.served.json(f"{PLUGIN}/text/text", run=run, tag="words")
    assert "<em>one</em>" in text["text"]
    assert "<em>two</em>" in text["text"]


def test_what_is_done_to_a_run_is_seen_at_once(board: Board) -> None:
    store = board.reader.url
    run = split_run(store, "before")

    def known() -> list[str]:
        return [name for name in board.served.json(f"{DATA}/runs") if run in name]

    def tagged() -> list[str]:
        return [name for name in board.served.json(f"{PLUGIN}/scalars/tags") if run in name]

    assert known() == [f"before-{run}", f"before-{run}/train", f"before-{run}/validation"]
    main(["rename", run, "after", "--store", store])
    assert known() == [f"after-{run}", f"after-{run}/train", f"after-{run}/validation"]
    assert tagged() == known()[1:]
    main(["archive", run, "--store", store])
    assert (known(), tagged()) == ([], [])
    main(["restore", run, "--store", store])
    assert len(known()) == 3
    main(["rm", run, "--yes", "--store", store])
    assert (known(), tagged()) == ([], [])


def test_embeddings_are_in_the_projector(board: Board) -> None:
    run, place = name_of(board.run), f"{PLUGIN}/projector"
    [(record, value)] = board.records("vectors")
    name = f"vectors:{record.step:05}"
    assert run in board.served.json(f"{place}/runs")
    [info] = board.served.json(f"{place}/info", run=run)["embeddings"]
    assert (info["tensorName"], info["tensorShape"]) == (name, [20, 4])
    assert info["sprite"]["singleImageDim"] == [6, 6]
    query = urlencode({"run": run, "name": name})
    vectors = board.served.get(f"{place}/tensor?{query}&num_rows=5").body
    np.testing.assert_array_equal(np.frombuffer(vectors, "<f4").reshape(5, 4), value.vectors[:5])
    lines = board.served.get(f"{place}/metadata?{query}").text.splitlines()
    assert (lines[0], lines[1], len(lines)) == ("number\tclass", "0\tclass 0", 21)
    assert board.served.get(f"{place}/sprite_image?{query}").body == value.sprite
    assert board.served.get(f"{place}/bookmarks?{query}").status == 404
    assert board.served.get(f"{place}/tensor?run={run}&name=nothing").status == 404
    assert board.served.json(f"{place}/info", run="nothing") == {}


def test_custom_scalars_have_a_chart_for_each_metric(board: Board) -> None:
    layout = board.served.json(f"{PLUGIN}/custom_scalars/layout")
    charts = {
        chart["title"]: chart["multiline"]["tag"] for one in layout["category"] for chart in one["chart"]
    }
    assert charts["loss"] == ["^loss$", "^train/loss$", r"^train/loss\ \[rank=1\]$"]
    found = board.ask("custom_scalars/scalars", "|".join(f"({tag})" for tag in charts["loss"]))
    assert sorted(found["tag_to_events"]) == ["train/loss", "train/loss [rank=1]"]


def test_a_layout_that_was_imported_is_shown_instead(tmp_path: Path) -> None:
    store = str(tmp_path / "imported.db")
    layout = layout_of({"theirs": ["loss"]})
    with stepscope.init(store=store) as run:
        run.log({"loss": 1.0}, step=0)
        run.log({LAYOUT_NAME: stepscope.Text(layout_as_text(layout))}, step=0)
    with Reader.open(store) as reader:
        [[datum]] = [of[LAYOUT_NAME] for of in layouts(Catalogue(reader)).values()]
    assert datum.numpy.item() == layout.SerializeToString()


def test_step_statistics_lie_under_the_name_of_their_graph(tmp_path: Path) -> None:
    store = str(tmp_path / "profiled.db")
    with stepscope.init(store=store) as run:
        run.log({"trace": stepscope.Graph(GRAPH)}, step=0)
        run.log({"trace": stepscope.Table(COLUMNS, [["/cpu", "x", 0, 7, 0]])}, step=0)
        run.log({"trace/keras_model": stepscope.Text('{"config": {"layers": []}}')}, step=0)
    provider = StoreDataProvider(store)
    blobs = {
        plugin: provider.read_blob_sequences(plugin_name=plugin, downsample=1)
        for plugin in ("graph_tagged_run_metadata", "graph_keras_model", "graph_run_metadata_graph")
    }
    keys = {plugin: next(iter(of.values()))["trace"][0].values[0].blob_key for plugin, of in blobs.items()}
    assert b"/cpu" in provider.read_blob(blob_key=keys["graph_tagged_run_metadata"])
    assert provider.read_blob(blob_key=keys["graph_keras_model"]) == b'{"config": {"layers": []}}'


def test_names_and_descriptions_that_people_gave_are_shown() -> None:
    series = [Series("7K2M9QX4AB", 1, "loss", "scalar")]
    said = {"l*": MetricDefinition("l*", None, (), "minimize", False, "Loss", "*the* loss")}
    shown = shown_run(Run("7K2M9QX4AB", "p", "a", RunState.FINISHED, 0.0, 0.0), series, said)
    [one] = shown.all()
    assert (one.display_name, one.description) == ("Loss", "*the* loss")


def test_a_chart_of_many_lines_has_fewer_points_of_each_and_all_that_they_need(tmp_path: Path) -> None:
    store = str(tmp_path / "many.db")
    many = (3, 300, 400, 500, 600, 700, 800, LONG)
    with stepscope.init(store=store) as run:
        for step in range(LONG):
            run.log({f"{points:04}": step / 2 for points in many if step < points}, step=step)
    with Reader.open(store) as reader:
        found = reader.series(run.id, kind="scalar")
        series = sorted((one for one in found if one.name.isdecimal()), key=lambda one: one.name)
        short = reader.ask(lambda connection: short_series(connection, series))
        assert {series_id for _, series_id in short} == {one.series_id for one in series[:-1]}
        samples = Samples()
        read = samples.read(reader, series, 100)
        assert [len(of) for of in read[:-1]] == [3, *[100] * 6]
        assert 50 < len(read[-1]) <= 100
        assert [(of[0].step, of[-1].step) for of in read] == [(0, one.last_step) for one in series]
        assert all(datum.value == datum.step / 2 for of in read for datum in of)
        assert samples.read(reader, series, 100) == read


def test_no_tab_imports_tensorflow(board: Board) -> None:
    maps = Path(f"/proc/{board.served.pid}/maps")
    if not maps.exists():
        pytest.skip("only Linux tells which libraries a process has loaded")
    listing = board.served.json(f"{DATA}/plugins_listing")
    assert "debugger-v2" not in listing  # its tab would
    assert "/tensorflow/" not in maps.read_text()
