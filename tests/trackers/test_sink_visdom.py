"""A real Visdom server must show what the store holds, whether it was sent there or started from files."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

import stepscope
from contracts.filled_store import fill
from contracts.sink_contract import SinkContract
from stepscope.storage.downsample import rebin
from stepscope.storage.errors import BadInput, ExportRefused, RunNotFound
from stepscope.storage.model import Run
from stepscope.storage.read import Reader
from stepscope.trackers.exports import export_visdom
from stepscope.trackers.sinks.visdom import VisdomSink, environment_name
from stepscope.trackers.sinks.visdom_panes import line_window
from support import run_python, wait_until

# The stock start downloads scripts for the page; main() is what it calls afterwards.
START = "from visdom.server import run_server; run_server.main()"


@contextmanager
def visdom_server(folder: Path) -> Generator[str]:
    """Start Visdom over a folder of environments; yield its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-port", str(port), "-env_path", f"{folder}/", "-bind_local", "-logging_level", "ERROR"]
    with (folder.parent / f"visdom-{port}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", START, *options], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is not None or answers(url), 60, "Visdom to answer")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return requests.post(f"{url}/env_state", data="{}", timeout=5).ok
    except requests.ConnectionError:
        return False


def windows(url: str, env: str) -> dict[str, dict[str, Any]]:
    """Return all windows of an environment through Visdom's own client."""
    from visdom import Visdom

    server, port = url.rsplit(":", 1)
    client = Visdom(server, port=int(port), use_incoming_socket=False, raise_exceptions=True)
    assert env in client.get_env_list()
    return json.loads(client.get_window_data(win=None, env=env))


def trace_of(panes: Mapping[str, Mapping[str, Any]], metric: str, run: Run, name: str) -> dict[int, float]:
    traces = panes[line_window(metric)]["content"]["data"]
    [trace] = [
        one for one in traces if one["meta"]["run"] == run.run_id and one["name"].endswith(f"· {name}")
    ]
    return dict(zip(trace["x"], trace["y"], strict=True))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with visdom_server(tmp_path_factory.mktemp("visdom") / "envs") as url:
        yield url


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
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Yield a reader, its two runs (the older first), and the windows that a real server shows of them."""
    folder = tmp_path_factory.mktemp(request.param)
    store = str(folder / "stepscope.db")
    ids = [fill(store), fill(store, name="wider", seed=1)]
    with Reader.open(store) as reader:
        runs = [reader.run(run_id) for run_id in ids]
        if request.param == "server":
            url = request.getfixturevalue("server")
            sent = export_visdom(reader, ids, server=url, env="both ways")
            assert sent.places == (f"{url}/env/both ways",)
            yield reader, runs, windows(url, "both ways")
            return
        sent = export_visdom(reader, ids, folder=folder / "envs", env="both ways")
        assert sent.places == (str(folder / "envs" / "both ways.json"),)
        with visdom_server(folder / "envs") as url:
            yield reader, runs, windows(url, "both ways")


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


def window_of(shown: Any, name: str, kind: str) -> tuple[Mapping[str, Any], list[Any], list[Any]]:
    """Return the window of a series of the first run, its records and their values."""
    reader, runs, panes = shown
    [series] = reader.series(runs[0].run_id, name=name, kind=kind)
    pane = panes[f"{kind}_{runs[0].run_id}_{series.series_id}"]
    assert pane["title"] == f"{name} · baseline"
    records = reader.records(series)
    return pane, records, [reader.load(series, record) for record in records]


def test_histograms(shown: Any) -> None:
    pane, records, values = window_of(shown, "weights/fc1", "histogram")
    traces = pane["content"]["data"]
    assert [trace["name"] for trace in traces] == [f"step {record.step}" for record in records]
    assert [trace.get("visible", True) for trace in traces] == ["legendonly", "legendonly", True]
    for trace, value in zip(traces, values, strict=True):
        np.testing.assert_array_equal(trace["y"], rebin(value.edges, value.counts, 30)[1])
        assert sum(trace["y"]) == pytest.approx(value.count)
        assert value.min < min(trace["x"]) < max(trace["x"]) < value.max


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
    import base64

    pane, records, values = window_of(shown, "digit", "image")
    assert pane["type"] == "image_history"
    assert pane["selected"] == 2
    for image, record, value in zip(pane["content"], records, values, strict=True):
        head, data = image["src"].split(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(data) == value.data
        assert image["caption"] == f"step {record.step}: <digit> {record.step}"


def test_sounds(shown: Any) -> None:
    import base64

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
    import base64

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
    [trace] = pane["content"]["data"]
    np.testing.assert_allclose(trace["x"], value.projected()[0][:, 0])
    assert trace["text"][1] == "1 class 1"


def test_a_mesh_and_a_cloud(shown: Any, store_url: str, tmp_path: Path) -> None:
    pane, _, [value] = window_of(shown, "corner", "mesh")
    [trace] = pane["content"]["data"]
    assert (trace["type"], trace["k"], trace["vertexcolor"][0]) == ("mesh3d", [2, 3], "#ff0000")
    np.testing.assert_array_equal(trace["x"], value.vertices[:, 0])
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
    from stepscope.trackers.sinks.visdom_client import VisdomClient

    client: Any = VisdomClient("localhost:8501/visdom/")
    assert (client.server, client.port, client.base_url) == ("http://localhost", 8501, "/visdom")
    assert VisdomClient("https://[::1]").port == 443


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


def test_files_need_no_visdom(store_url: str, tmp_path: Path) -> None:
    fill(store_url)
    code = (
        "import sys\n"
        "sys.modules['visdom'] = None\n"
        "from stepscope.storage.read import Reader\n"
        "from stepscope.trackers.exports import export_visdom\n"
        "reader = Reader.open({store!r})\n"
        "export_visdom(reader, ['baseline'], folder={folder!r})\n"
        "try:\n"
        "    export_visdom(reader, ['baseline'], server='http://127.0.0.1:1')\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    said = run_python("-c", code.format(store=store_url, folder=str(tmp_path)))
    assert 'pip install "stepscope[visdom]"' in said
    assert (tmp_path / "digits.json").exists()


@pytest.mark.parametrize(
    ("text", "env"), [("a/b+c", "a_b_c"), ("", "main"), ("../..", "_"), ("dé mo", "dé mo")]
)
def test_environment_names(text: str, env: str) -> None:
    assert environment_name(text) == env
