"""A real Visdom server must show what the store holds, whether it was sent there or started from files."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import requests
import websockets.sync.client as websockets
from PIL import Image

import stepscope
from contracts.filled_store import fill
from contracts.sink_contract import SinkContract
from real_visdom import free_port, visdom_server, windows
from stepscope.storage.downsample import rebin
from stepscope.storage.errors import BadInput, ExportRefused, RunNotFound
from stepscope.storage.model import Run
from stepscope.storage.read import Reader
from stepscope.trackers.exports import export_visdom
from stepscope.trackers.media.base import Loggable
from stepscope.trackers.raw import Payload
from stepscope.trackers.sinks.visdom.client import VisdomServer
from stepscope.trackers.sinks.visdom.panes import Pane, line_window
from stepscope.trackers.sinks.visdom.run import environment_name
from stepscope.trackers.sinks.visdom.sink import VisdomSink


def trace_of(panes: Mapping[str, Mapping[str, Any]], metric: str, run: Run, name: str) -> dict[int, float]:
    traces = panes[line_window(metric)]["content"]["data"]
    [trace] = [
        one for one in traces if one["meta"]["run"] == run.run_id and one["name"].endswith(f"· {name}")
    ]
    return dict(zip(trace["x"], trace["y"], strict=True))


@dataclass
class Filled:
    """A store with two runs (the older first), and what it was exported to."""

    reader: Reader
    runs: list[Run]
    server: str
    file: str
    """The place that the export to files named."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Generator[Filled]:
    """Export two runs to files, and start a server from these."""
    folder = tmp_path_factory.mktemp("visdom")
    store = str(folder / "stepscope.db")
    ids = [fill(store), fill(store, name="wider", seed=1)]
    with Reader.open(store) as reader:
        [file] = export_visdom(reader, ids, folder=folder / "envs", env="from files").places
        with visdom_server(folder / "envs") as url:
            yield Filled(reader, [reader.run(run_id) for run_id in ids], url, file)


@pytest.fixture(scope="module")
def server(filled: Filled) -> str:
    return filled.server


class TestServerContract(SinkContract):
    @pytest.fixture(autouse=True)
    def place(self, server: str, tmp_path: Path) -> None:
        self.url, self.env = server, tmp_path.name

    def make_sink(self) -> VisdomSink:
        return VisdomSink(server=self.url, env=self.env)

    def curve(self, run: Run, name: str) -> Mapping[int, float]:
        return trace_of(windows(self.url, self.env), "loss", run, name)


class TestFilesContract(SinkContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.folder_path = tmp_path / "envs"

    def make_sink(self) -> VisdomSink:
        return VisdomSink(folder=self.folder_path)

    def curve(self, run: Run, name: str) -> Mapping[int, float]:
        panes = json.loads((self.folder_path / f"{run.project}.json").read_text())["jsons"]
        return trace_of(panes, "loss", run, name)

    def leftovers(self) -> list[Path]:
        return [path for path in self.folder_path.rglob("*") if path.is_file()]


@pytest.fixture(scope="module", params=["files", "server"])
def shown(request: pytest.FixtureRequest, filled: Filled):
    """Return a reader, its two runs, and the windows that a real server shows of them."""
    reader, runs, url = filled.reader, filled.runs, filled.server
    if request.param == "files":
        assert filled.file.endswith("/envs/from files.json")
        return reader, runs, windows(url, "from files")
    sent = export_visdom(reader, [run.run_id for run in runs], server=url, env="sent there")
    assert sent.places == (f"{url}/env/sent there",)
    assert Path(filled.file).with_name("sent there.json").exists()
    return reader, runs, windows(url, "sent there")


def test_curves_of_one_metric_share_a_window(shown: Any) -> None:
    reader, runs, panes = shown
    pane = panes[line_window("loss")]
    assert (pane["type"], pane["title"]) == ("plot", "loss")
    assert len(pane["content"]["data"]) == 4
    for run in runs:
        for series in reader.series(run.run_id, name="train/loss"):
            name = "train/loss [rank=1]" if series.context else "train/loss"
            points = reader.points(series)
            found = trace_of(panes, "loss", run, name)
            assert found == dict(zip(points.step.tolist(), points.last.tolist(), strict=True))


def test_what_is_not_finite_is_a_gap(shown: Any) -> None:
    _, runs, panes = shown
    assert trace_of(panes, "odd", runs[0], "odd") == {0: None, 1: None, 2: None, 3: 1e300}


def window_of(
    shown: Any, name: str, kind: str, beside: str = ""
) -> tuple[Mapping[str, Any], list[Any], list[Any]]:
    """Return the window of a series of the first run, its records and their values."""
    reader, runs, panes = shown
    [series] = reader.series(runs[0].run_id, name=name, kind=kind)
    pane = panes[f"{kind}_{runs[0].run_id}_{series.series_id}{beside}"]
    assert beside or pane["title"] == f"{name} · baseline"
    records = reader.records(series)
    return pane, records, [reader.load(series, record) for record in records]


def test_histograms(shown: Any) -> None:
    pane, records, values = window_of(shown, "weights/fc1", "histogram")
    [trace] = pane["content"]["data"]
    assert pane["content"]["layout"]["xaxis"]["title"]["text"] == "value at step 7"
    np.testing.assert_array_equal(trace["y"], rebin(values[-1].edges, values[-1].counts, 30)[1])
    assert sum(trace["y"]) == pytest.approx(values[-1].count)
    assert values[-1].min < min(trace["x"]) < max(trace["x"]) < values[-1].max
    assert len(records) == 3


def test_histograms_over_steps_are_a_heat_map(shown: Any) -> None:
    pane, records, values = window_of(shown, "weights/fc1", "histogram", "_steps")
    [trace] = pane["content"]["data"]
    assert pane["title"] == "weights/fc1 · baseline over steps"
    assert (trace["type"], trace["x"]) == ("heatmap", [str(record.step) for record in records])
    shares = np.array(trace["z"])
    assert shares.shape == (30, 3)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)
    assert min(value.min for value in values) < trace["y"][0] < trace["y"][-1] < max(v.max for v in values)


def test_an_empty_histogram(shown: Any) -> None:
    pane, _, _ = window_of(shown, "empty", "histogram")
    assert pane["content"]["data"][0]["y"] == []


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_histogram_of_a_range_beyond_float64_is_json(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url, name="huge") as run:
        run.log({"w": np.array([-1e308, 1e308, 3])})
        run.log({"b": stepscope.Histogram(counts=[1.0, 3.0], edges=[-1.7e308, 0.0, 1.7e308])})
    with Reader.open(store_url) as reader:
        export_visdom(reader, ["huge"], folder=tmp_path)
    written = (tmp_path / "default.json").read_text()
    assert "NaN" not in written
    assert "Infinity" not in written
    bars = [
        trace
        for pane in json.loads(written)["jsons"].values()
        if pane["type"] == "plot"
        for trace in pane["content"]["data"]
        if trace["type"] == "bar"
    ]
    assert sorted(sum(trace["y"]) for trace in bars) == pytest.approx([3.0, 4.0])
    assert all(None not in trace["x"] for trace in bars)


def test_images_keep_their_history(shown: Any) -> None:
    pane, records, values = window_of(shown, "digit", "image")
    assert pane["type"] == "image_history"
    assert pane["selected"] == 2
    for image, record, value in zip(pane["content"], records, values, strict=True):
        head, data = image["src"].split(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(data) == value.data
        assert image["caption"] == f"step {record.step}: <digit> {record.step}"


@pytest.mark.parametrize(
    ("images", "sent"),
    [
        ("abc", ["win_data"]),
        ("abcde", ["win_data", "win_data", "win_data", "update"]),
        ("xy", ["win_data", "close", "events", "win_data", "win_data", "update"]),
        ("ab", ["win_data", "close", "events", "win_data", "win_data", "update"]),
    ],
)
def test_a_history_that_pages_show_never_becomes_shorter(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: str, sent: list[str]
) -> None:
    to, env = VisdomServer(server), tmp_path.name
    to.put(env, history("abc"))
    calls: list[str] = []
    call = to.call

    def counted(endpoint: str, message: dict[str, Any]) -> str:
        calls.append(endpoint)
        return call(endpoint, message)

    monkeypatch.setattr(to, "call", counted)
    to.put(env, history(images))
    assert [name for name in calls if name != "win_exists"] == sent
    window = to.window(env, "seen") or {}
    assert (window["content"], window["selected"]) == (history(images).content, len(images) - 1)
    to.close()


def history(images: str) -> Pane:
    content = [{"src": f"data:image/png;base64,{one}", "caption": one} for one in images]
    return Pane("seen", "image_history", "seen", content)


def test_sounds(shown: Any) -> None:
    pane, _, values = window_of(shown, "tone", "audio")
    assert pane["type"] == "text"
    assert base64.b64encode(values[0].data).decode() in pane["content"]
    assert pane["content"].count("<audio controls>") == 3
    assert "a &amp; b" in pane["content"]


def test_text_is_shown_and_never_run(shown: Any) -> None:
    pane, _, _ = window_of(shown, "notes/first", "text")
    assert "<script" not in pane["content"]
    assert "&lt;script&gt;alert(&#x27;ä&#x27;)&lt;/script&gt;" in pane["content"]
    assert [f"<h4>step {step}</h4>" in pane["content"] for step in (2, 5, 7)] == [True] * 3


def test_a_video_is_played(shown: Any) -> None:
    pane, _, [value] = window_of(shown, "film", "video")
    assert "<video controls loop" in pane["content"]
    assert base64.b64encode(value.data).decode() in pane["content"]
    assert "five &lt;frames&gt;" in pane["content"]


def test_a_table_is_shown_and_never_run(shown: Any) -> None:
    pane, _, _ = window_of(shown, "surest", "table")
    assert "<tr><th>name</th><th>score</th></tr><tr><td>a | b</td><td>0.5</td></tr>" in pane["content"]
    assert "<td>NaN</td>" in pane["content"]
    assert "<script" not in pane["content"]


def test_a_plotly_figure_stays_one(shown: Any) -> None:
    pane, _, _ = window_of(shown, "bars", "figure")
    [trace] = pane["content"]["data"]
    assert (trace["type"], trace["x"], trace["y"]) == ("bar", ["a", "b"], [1, 2])


def test_a_picture_of_matplotlib_is_an_image(store_url: str, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(1, 1), dpi=40)
    drawn.subplots().plot([1, 2])
    with stepscope.init(store=store_url, name="drawn") as run:
        run.log({"chart": stepscope.Figure(drawn, caption="up")}, step=3)
    with Reader.open(store_url) as reader:
        export_visdom(reader, ["drawn"], folder=tmp_path)
    panes = json.loads((tmp_path / "default.json").read_text())["jsons"].values()
    [pane] = [pane for pane in panes if pane["type"] == "image_history"]
    assert pane["content"][0]["src"].startswith("data:image/png;base64,")
    assert pane["content"][0]["caption"] == "step 3: up"


def test_a_pr_curve_is_a_line(shown: Any) -> None:
    pane, _, [value] = window_of(shown, "precision", "pr_curve")
    [trace] = pane["content"]["data"]
    assert trace["x"][0] == value.recall[0]
    assert trace["y"][0] == value.precision[0]


def test_an_embedding_is_a_scatter_of_its_principal_axes(shown: Any) -> None:
    pane, _, [value] = window_of(shown, "vectors", "embedding")
    traces = pane["content"]["data"]
    assert [(trace["type"], trace["name"]) for trace in traces] == [
        ("scatter3d", f"class {number}") for number in range(3)
    ]
    np.testing.assert_allclose(traces[1]["x"], value.projected(3)[0][1::3, 0])
    assert traces[1]["text"][0] == "1 class 1"


def test_a_mesh(shown: Any) -> None:
    pane, _, [value] = window_of(shown, "corner", "mesh")
    [trace] = pane["content"]["data"]
    assert (trace["type"], trace["k"], trace["vertexcolor"][0]) == ("mesh3d", [2, 3], "#ff0000")
    np.testing.assert_array_equal(trace["x"], value.vertices[:, 0])


def test_a_cloud(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url, name="cloud") as run:
        run.log({"points": stepscope.Mesh(np.zeros((12_000, 3)))})
    with Reader.open(store_url) as reader:
        export_visdom(reader, ["cloud"], folder=tmp_path)
    panes = json.loads((tmp_path / "default.json").read_text())["jsons"].values()
    [trace] = [pane["content"]["data"][0] for pane in panes if pane["type"] == "plot"]
    assert (trace["type"], len(trace["x"])) == ("scatter3d", 4_000)


def test_hyperparameters_are_properties(shown: Any) -> None:
    pane, _, _ = window_of(shown, "trial", "hparams")
    assert pane["type"] == "properties"
    found = {one["name"]: one["value"] for one in pane["content"]}
    assert found == {"width": "8", "norm": "batch", "best": "0.25"}


def test_graph_is_a_table_of_layers(shown: Any) -> None:
    pane, _, _ = window_of(shown, "model", "graph")
    assert "<td>body/fc1</td><td>Linear</td><td>? x 4</td><td>36</td>" in pane["content"]
    assert "46 parameters, 4 operations" in pane["content"]


def test_a_small_graph_is_a_network_too(shown: Any) -> None:
    _, _, panes = shown
    pane = panes["graph_network"]
    assert (pane["type"], pane["title"]) == ("network", "model · wider (modules)")
    assert [node["label"] for node in pane["content"]["nodes"]] == [
        "placeholder",
        "body/fc1",
        "body",
        "body/fc2",
    ]
    assert [(edge["source"], edge["target"]) for edge in pane["content"]["edges"]] == [(0, 1), (1, 2), (2, 3)]
    assert (pane["directed"], pane["showVertexLabels"]) == (True, True)


def test_each_window_says_which_series_it_was(shown: Any) -> None:
    _, runs, panes = shown
    run_id = runs[0].run_id
    digit: dict[str, Any] = {
        "run": run_id,
        "name": "digit",
        "kind": "image",
        "context": {},
        "step": 7,
        "caption": "<digit> 7",
    }
    assert window_of(shown, "digit", "image")[0]["content"][2]["stepscope"] == digit
    bars = window_of(shown, "bars", "figure")[0]["content"]["layout"]["meta"]["stepscope"]
    assert bars == {"run": run_id, "name": "bars", "kind": "figure", "context": {}, "steps": [5]}
    text = window_of(shown, "notes/first", "text")[0]["content"]
    assert text.startswith(f'<!--stepscope {{"run": "{run_id}", "name": "notes/first", "kind": "text"')
    facts = panes[f"config_{run_id}"]["content"][0]["stepscope"]["facts"]
    assert (facts["project"], facts["name"], facts["config"]["lr"]) == ("digits", "baseline", 0.125)


def test_config_is_a_window_of_properties(shown: Any) -> None:
    _, runs, panes = shown
    pane = panes[f"config_{runs[1].run_id}"]
    assert (pane["type"], pane["title"]) == ("properties", "config · wider")
    found = {one["name"]: one["value"] for one in pane["content"]}
    assert found["state"] == "finished"
    assert found["optimizer/name"] == "sgd"


def test_curves_stand_first_on_the_page(shown: Any) -> None:
    _, _, panes = shown
    ordered = sorted(panes.values(), key=lambda pane: pane["i"])
    first = [pane["id"].partition("_")[0] for pane in ordered]
    assert first[: first.index("config")] == ["scalar"] * 4
    assert len({pane["i"] for pane in ordered}) == len(ordered)


def test_long_series_are_thinned_to_real_points(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url, name="long") as run:
        for step in range(9_000):
            run.log({"up": step * 2.0}, step=step)
        for step in range(100):
            run.log({"text": stepscope.Text("x")}, step=step)
    with Reader.open(store_url) as reader:
        sent = export_visdom(reader, ["long"], folder=tmp_path)
        panes = json.loads((tmp_path / "default.json").read_text())["jsons"]
        curve = trace_of(panes, "up", reader.runs()[0], "up")
    assert len(curve) <= 2_000
    assert all(value == step * 2.0 for step, value in curve.items())
    assert max(curve) == 8_999
    assert sent.records == 30


def test_an_environment_of_someone_else_stays(store_url: str, tmp_path: Path) -> None:
    fill(store_url)
    theirs = {"id": "window_1", "type": "text", "title": "mine", "content": "hello", "i": 7}
    (tmp_path / "digits.json").write_text(json.dumps({"jsons": {"window_1": theirs}, "reload": {"a": 1}}))
    (tmp_path / "other.json").write_text("null")
    with Reader.open(store_url) as reader:
        export_visdom(reader, ["baseline"], folder=tmp_path)
        export_visdom(reader, ["baseline"], folder=tmp_path, env="other")
    found = json.loads((tmp_path / "digits.json").read_text())
    assert found["jsons"]["window_1"] == theirs
    assert found["reload"] == {"a": 1}
    assert min(pane["i"] for win, pane in found["jsons"].items() if win != "window_1") == 8
    assert line_window("loss") in json.loads((tmp_path / "other.json").read_text())["jsons"]


def test_a_file_that_is_no_environment(store_url: str, tmp_path: Path) -> None:
    fill(store_url)
    with Reader.open(store_url) as reader:
        for content in ("{", "[1]", '{"jsons": 3}'):
            (tmp_path / "digits.json").write_text(content)
            with pytest.raises(ExportRefused, match=r"to be an environment of Visdom, but .*Remove the file"):
                export_visdom(reader, ["baseline"], folder=tmp_path)
            assert (tmp_path / "digits.json").read_text() == content


def test_a_missing_server_is_one_sentence(store_url: str) -> None:
    fill(store_url)
    port = free_port()
    with Reader.open(store_url) as reader, pytest.raises(ExportRefused) as caught:
        export_visdom(reader, ["baseline"], server=f"http://127.0.0.1:{port}")
    message = str(caught.value)
    assert f"http://127.0.0.1:{port}" in message
    assert "Connection refused" in message
    assert "visdom -port 8097" in message
    assert "\n" not in message


@pytest.mark.parametrize("url", ["", "ftp://localhost", "http://", "http://localhost:port"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(BadInput, match="expected the URL of a Visdom server"):
        VisdomSink(server=url)


def test_a_server_under_a_path() -> None:
    assert VisdomServer("localhost:8501/visdom/").url == "http://localhost:8501/visdom"
    assert VisdomServer("https://[::1]").url == "https://[::1]:443"
    assert VisdomServer("http://me:secret@localhost").url == "http://localhost:8097"


def test_exactly_one_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="either the URL of a Visdom server or a folder"):
        VisdomSink()
    with pytest.raises(BadInput, match="either the URL of a Visdom server or a folder"):
        VisdomSink(server="http://localhost", folder=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportRefused, match=r"but .*file is a file"):
        VisdomSink(folder=tmp_path / "file")


def test_unknown_run(store_url: str, tmp_path: Path) -> None:
    fill(store_url)
    with Reader.open(store_url) as reader, pytest.raises(RunNotFound, match="'nobody'"):
        export_visdom(reader, ["nobody"], folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "env"), [("a/b+c", "a_b_c"), ("", "main"), ("../..", "_"), ("dé mo", "dé mo")]
)
def test_environment_names(text: str, env: str) -> None:
    assert environment_name(text) == env


class BrokenFigure(Loggable):
    """What is stored when a file was damaged, or another program wrote it."""

    kind = "figure"

    def __init__(self, text: str) -> None:
        self.text = text

    def payload(self) -> Payload:
        return Payload(self.kind, self.text.encode(), {"media_type": "application/json", "caption": None})


@pytest.mark.parametrize(
    "text", ["{", '{"data": [{"type": "bar", "x": {"bdata": "AAAA", "dtype": "f8"}}], "layout": {}}']
)
def test_a_broken_figure_is_declined_and_others_go_on(store_url: str, tmp_path: Path, text: str) -> None:
    with stepscope.init(store=store_url, name="broken") as run:
        run.log({"bars": stepscope.Figure(go.Figure(go.Bar(x=["a"], y=[3])))}, step=1)
        run.log({"bars": BrokenFigure(text)}, step=2)
        run.log({"words": stepscope.Text("after it")}, step=3)
    with Reader.open(store_url) as reader:
        sent = export_visdom(reader, ["broken"], folder=tmp_path)
    assert list(sent.declined) == ["figure bars at step 2"]
    assert sent.records == 2
    panes = json.loads((tmp_path / "default.json").read_text())["jsons"].values()
    [figure] = [pane for pane in panes if pane["title"].startswith("bars")]
    assert figure["content"]["data"][0]["y"] == [3]
    assert any("after it" in str(pane["content"]) for pane in panes)


def test_what_is_too_large_is_made_smaller_or_declined(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url, name="large") as run:
        for step in range(3):
            run.log({"photo": stepscope.Image(np.zeros((20, 4000, 3), np.uint8))}, step=step)
        run.log({"hour": stepscope.Audio(np.zeros(9_000_000), 8000)})
        run.log({"book": stepscope.Text("x" * 100_010)})
    with Reader.open(store_url) as reader:
        sent = export_visdom(reader, ["large"], folder=tmp_path)
    [reason] = sent.declined.values()
    assert "it has 18 MB, and Visdom's page" in reason
    panes = json.loads((tmp_path / "default.json").read_text())["jsons"].values()
    photos = next(pane for pane in panes if pane["title"].startswith("photo"))
    assert photos["content"][2]["caption"] == "step 2 (4000 x 20 pixels, shown smaller)"
    kind, data = photos["content"][2]["src"].split(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (1600, 8)
    assert photos["width"] == 640
    assert any("10 more characters" in str(pane["content"]) for pane in panes)


def test_runs_with_environments_of_their_own_are_compared_by_visdom(store_url: str, server: str) -> None:
    ids = [fill(store_url, name) for name in ("slow", "quick")]
    with Reader.open(store_url) as reader:
        sent = export_visdom(reader, ids, server=server, env="{project}_{run}")
    assert sent.places == (f"{server}/env/digits_slow", f"{server}/env/digits_quick")
    compared = compare(server, "digits_slow+digits_quick")
    names = {trace["name"] for trace in compared["loss"]["content"]["data"]}
    assert names == {f"{place}_train/loss{rank}" for place in (0, 1) for rank in ("", " [rank=1]")}
    assert {"learning_rate", "weights/fc1", "precision"} <= set(compared)
    # Two heat maps in one window would hide each other.
    assert "weights/fc1 over steps" not in compared


def compare(url: str, environments: str) -> dict[str, dict[str, Any]]:
    """Return title -> window of what Visdom's page shows when it compares environments."""
    found: dict[str, dict[str, Any]] = {}
    with websockets.connect(f"{url.replace('http:', 'ws:')}/socket", proxy=None) as page:
        while (message := json.loads(page.recv(timeout=30)))["command"] != "register":
            pass
        requests.post(f"{url}/compare/{environments}", json={"sid": message["data"]}, timeout=30)
        while (message := json.loads(page.recv(timeout=30)))["command"] != "layout" or not found:
            if message["command"] == "window":
                found[message["title"]] = message
    return found


def test_two_runs_of_one_name_stay_two_curves(store_url: str, tmp_path: Path) -> None:
    ids = [fill(store_url), fill(store_url, seed=1)]
    with Reader.open(store_url) as reader:
        for run_id in [*ids, ids[0]]:
            export_visdom(reader, [run_id], folder=tmp_path)
    panes = json.loads((tmp_path / "digits.json").read_text())["jsons"]
    names = [trace["name"] for trace in panes[line_window("learning_rate")]["content"]["data"]]
    assert names == ["baseline · lr", f"baseline · lr ({ids[1]})"]


def test_names_in_plots_are_text_and_no_markup(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url, project="p", name="<img src=x>") as run:
        run.log({"<b>loss": 1.0, "<b>weights": np.arange(9.0)}, step=0)
    with Reader.open(store_url) as reader:
        export_visdom(reader, [run.id], folder=tmp_path)
    panes = json.loads((tmp_path / "p.json").read_text())["jsons"].values()
    names = [trace["name"] for pane in panes if pane["type"] == "plot" for trace in pane["content"]["data"]]
    assert {"&lt;img src=x&gt; · &lt;b&gt;loss", "&lt;b&gt;weights"} <= set(names)
    assert not any("<" in name for name in names)
