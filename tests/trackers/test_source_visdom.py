"""What Visdom's own client shows must come into a store whole, from a server as from its files."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import visdom_filled as shown
from contracts.filled_store import fill
from real_visdom import visdom_server
from stepscope.storage.errors import BadInput, StoreError
from stepscope.storage.model import Run, RunState, Series
from stepscope.storage.read import Reader
from stepscope.trackers.exports import export_visdom
from stepscope.trackers.imports import Imported, import_runs
from stepscope.trackers.sources.visdom import parts, places
from stepscope.trackers.sources.visdom.log import replayed
from stepscope.trackers.sources.visdom.source import VisdomSource
from support import wait_until
from visdom_filled import fill_every_window, visdom_client


class Found:
    """What one run in a store holds, by the labels of its series."""

    def __init__(self, reader: Reader, run: Run) -> None:
        self.run = run
        self._reader = reader
        self.series: dict[str, Series] = {one.label: one for one in reader.series(run.run_id)}

    def points(self, label: str) -> list[tuple[int, float]]:
        points = self._reader.points(self.series[label])
        return list(zip(points.step.tolist(), points.last.tolist(), strict=True))

    def times(self, label: str) -> list[float]:
        return self._reader.points(self.series[label]).time.tolist()

    def values(self, label: str) -> dict[int, Any]:
        series = self.series[label]
        return {one.step: self._reader.load(series, one) for one in self._reader.records(series)}

    def value(self, label: str) -> Any:
        [value] = self.values(label).values()
        return value


@pytest.fixture(scope="module")
def panes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Yield a server with one of every window, its file, and the windows as Visdom holds them."""
    folder = tmp_path_factory.mktemp("visdom") / "envs"
    folder.mkdir()
    with visdom_server(folder) as url:
        client = visdom_client(url, "all")
        fill_every_window(client)
        client.save(["all"])
        windows = json.loads(client.get_window_data(env="all"))
        yield url, folder / "all.json", {one["title"]: one for one in windows.values()}


@pytest.fixture(scope="module", params=["server", "file"])
def found(panes: Any, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = str(tmp_path_factory.mktemp("store") / "store.db")
    url, file, _ = panes
    done = import_runs(VisdomSource(f"{url}/env/all" if request.param == "server" else file), store)
    assert (done.runs, done.problems) == (1, {})
    again = import_runs(VisdomSource(f"{url}/env/all" if request.param == "server" else file), store)
    assert (again.new, again.grown, again.points, again.records) == (0, 0, 0, 0)
    with Reader.open(store) as reader:
        yield Found(reader, reader.runs()[0])


def test_an_environment_becomes_a_run_with_its_properties(found: Found) -> None:
    assert (found.run.project, found.run.name, found.run.state) == ("visdom", "all", RunState.FINISHED)
    chosen = {"optimizer": "adam", "lr": 0.01, "epochs": 12, "amp": True, "colour": "Green"}
    assert found.run.config == {"properties": chosen}


def test_lines_become_numbers_over_steps(found: Found) -> None:
    steps, loss = shown.STEPS.tolist(), shown.LOSS
    assert found.points("line") == list(zip(steps, loss.tolist(), strict=True))
    assert found.points("line/val") == list(zip(steps, (2 * loss).tolist(), strict=True))
    assert found.points("lines/up") == list(zip(steps, loss.tolist(), strict=True))
    assert found.points("lines/down") == list(zip(steps, (-loss).tolist(), strict=True))
    assert found.points("dual_axis_lines/Y2 axis") == list(zip(steps, (3 * loss).tolist(), strict=True))
    gap = dict(found.points("line with a gap"))
    assert (gap[0], gap[2]) == (1.0, 3.0)
    assert np.isnan(gap[1])


def test_an_x_that_is_no_step_becomes_a_series_or_times(found: Found) -> None:
    assert found.points("line without x") == list(zip(range(5), shown.LOSS.tolist(), strict=True))
    assert found.points("line without x/x") == list(zip(range(5), np.linspace(0, 1, 5).tolist(), strict=True))
    assert found.points("line over days") == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert np.diff(found.times("line over days")).tolist() == [86_400.0, 86_400.0]


@pytest.mark.parametrize(
    "title",
    [
        *("scatter", "scatter in space", "heatmap", "bar", "histogram", "boxplot", "surf", "contour"),
        *("quiver", "stem", "sunburst", "pie", "mesh", "plotlyplot"),
    ],
)
def test_other_plots_stay_what_plotly_draws(found: Found, panes: Any, title: str) -> None:
    value = found.value(title)
    assert value.media_type == "application/json"
    assert json.loads(value.data) == panes[2][title]["content"]
    assert value.spec()["data"]


def test_pictures_keep_their_pixels_and_captions(found: Found, panes: Any) -> None:
    picture = found.value("image")
    assert picture.caption == "a picture"
    assert (picture.array() == shown.PICTURE.transpose(1, 2, 0)).all()
    history = found.values("image history")
    assert [value.caption for value in history.values()] == ["shade 0", "shade 1", "shade 2"]
    assert list(history) == [0, 1, 2]
    assert (history[2].array() == shown.PICTURE.transpose(1, 2, 0) // 3).all()
    for title in ("images", "image as jpeg"):
        source = panes[2][title]["content"]["src"].partition(",")[2]
        pixels = np.asarray(Pillow.open(io.BytesIO(base64.b64decode(source))))
        assert (found.value(title).array() == pixels).all()


def test_sounds_and_films_are_files_again(found: Found, panes: Any) -> None:
    sound = found.value("audio")
    assert (sound.sample_rate, sound.channels) == (8000, 1)
    kept = np.int16(shown.SOUND / np.abs(shown.SOUND).max() * 32767)
    assert (np.rint(sound.array()[:, 0] * 32767) == kept).all()
    film = found.value("video")
    assert film.media_type == "video/mp4"
    assert base64.b64encode(film.data).decode() in panes[2]["video"]["content"]
    assert film.array().shape == (4, 16, 16, 3)


def test_texts_stay_texts_and_html_its_source(found: Found, panes: Any) -> None:
    assert "plain words<br>more" in found.value("text").text
    html = found.value("html").text
    assert html == "```html\n<b>bold</b> <script>alert(1)</script>\n```"
    assert found.value(panes[2][""]["id"]).text == "no title"
    for title in ("svg", "matplot"):
        assert panes[2][title]["content"] in found.value(title).text
    table = found.value("table")
    assert (list(table.columns), [list(row) for row in table.rows]) == (["a", "b"], [[1, "x"]])


def test_graphs_and_embeddings_are_what_they_were(found: Found) -> None:
    graph = found.value("graph")
    assert [(node.node_id, node.op, node.inputs) for node in graph.nodes] == [
        ("0", "x", ()),
        ("1", "y", ("0",)),
        ("2", "z", ("0", "1")),
    ]
    assert sorted(graph.nodes[2].attributes.items()) == [("edge from 0", "b"), ("edge from 1", "c")]
    embedding = found.value("embeddings")
    assert embedding.vectors.tolist() == [[0, 0], [1, -1], [2, -2]]
    assert embedding.rows[2][:2] == ("a", "Entity 2")


def line(title: str, y: list[float], win: str = "w", **more: Any) -> dict[str, Any]:
    """Return a window as Visdom writes it."""
    trace = {"x": list(range(len(y))), "y": y, "type": "scatter", "mode": "lines", "name": "1", **more}
    return pane(win, title, "plot", {"data": [trace], "layout": {}})


def pane(win: str, title: str, kind: str, content: Any, place: int = 0) -> dict[str, Any]:
    return {"command": "window", "id": win, "title": title, "content": content, "type": kind, "i": place}


def picture(shade: int) -> dict[str, Any]:
    buffer = io.BytesIO()
    Pillow.new("L", (2, 2), shade).save(buffer, "PNG")
    source = base64.b64encode(buffer.getvalue()).decode()
    return {"src": f"data:image/png;base64,{source}", "caption": None}


Save = Callable[..., Imported]


@pytest.fixture
def save(tmp_path: Path, store_url: str) -> Save:
    """Return what writes windows as one environment and imports it."""

    def write(*windows: dict[str, Any]) -> Imported:
        text = json.dumps({"jsons": {one["id"]: one for one in windows}, "reload": {"w": {}}})
        (tmp_path / "main.json").write_text(text)
        return import_runs(VisdomSource(tmp_path / "main.json"), store_url)

    return write


def now(store_url: str) -> Found:
    reader = Reader.open(store_url)
    return Found(reader, reader.runs()[0])


def test_a_line_that_grew_is_continued(save: Save, store_url: str) -> None:
    save(line("loss", [3.0, 2.0]))
    assert save(line("loss", [3.0, 2.0, 1.0])).points == 1
    assert save(line("loss", [3.0, 2.0, 1.0])).points == 0
    assert now(store_url).points("loss") == [(0, 3.0), (1, 2.0), (2, 1.0)]


def test_a_line_that_was_drawn_anew_is_another_form_of_its_series(save: Save, store_url: str) -> None:
    save(line("loss", [3.0, 2.0]))
    save(line("loss", [9.0]))
    save(line("loss", [9.0, 8.0]))
    found = now(store_url)
    assert found.points("loss") == [(0, 3.0), (1, 2.0)]
    assert found.points("loss [form=2]") == [(0, 9.0), (1, 8.0)]


def test_a_window_that_changed_gives_a_value_at_the_next_step(save: Save, store_url: str) -> None:
    for height in (1, 2, 2, 3):
        save(pane("b", "bars", "plot", {"data": [{"type": "bar", "y": [height]}], "layout": {}}))
    heights = {
        step: json.loads(value.data)["data"][0]["y"] for step, value in now(store_url).values("bars").items()
    }
    assert heights == {0: [1], 1: [2], 2: [3]}


def test_of_a_text_only_what_was_added_comes(save: Save, store_url: str) -> None:
    for text in ("one", "one<br>two", "one<br>two", "three"):
        save(pane("t", "log", "text", text))
    assert {step: value.text for step, value in now(store_url).values("log").items()} == {
        0: "one",
        1: "two",
        2: "three",
    }


def test_a_history_of_pictures_goes_on_one_a_step(save: Save, store_url: str) -> None:
    for shades in ([1], [1, 2, 3], [1, 2, 3], [9]):
        save(pane("h", "seen", "image_history", [picture(shade) for shade in shades]))
    values = now(store_url).values("seen")
    assert {step: int(value.array()[0, 0, 0]) for step, value in values.items()} == {0: 1, 1: 2, 2: 3, 3: 9}


def test_windows_and_curves_of_one_name_are_told_apart(save: Save, store_url: str) -> None:
    twice = line("loss", [1.0], win="w2")
    twice["i"] = 1
    twins = line("twins", [1.0], win="w3", name="t")
    twins["content"]["data"] *= 2
    save(line("loss", [2.0], win="w1"), twice, twins)
    found = now(store_url)
    assert found.points("loss") == [(0, 2.0)]
    assert found.points("loss [window=w2]") == [(0, 1.0)]
    assert set(found.series) == {"loss", "loss [window=w2]", "twins/t", "twins/t [trace=2]"}


def test_a_run_that_began_again_keeps_its_steps_and_arrows_stay_a_figure(save: Save, store_url: str) -> None:
    again, arrows = line("again", [1, 2, 3, 4], win="a"), line("arrows", [1, 2, 3, 4, 5], win="b")
    again["content"]["data"][0]["x"] = [0, 1, 0, 1]
    arrows["content"]["data"][0] |= {"x": [0, 1, None, 0, 1], "y": [0, 1, None, 0, 2]}
    save(again, arrows)
    found = now(store_url)
    assert found.points("again") == [(0, 3.0), (1, 4.0)]
    assert found.series["again"].count == 4
    assert found.series["arrows"].kind == "figure"


def test_steps_beyond_what_a_float_can_count_are_exact(save: Save, store_url: str) -> None:
    steps = [-5, 2**53 + 1, 2**63 - 1]
    save(line("far", [1, 2, 3], x=steps), line("beyond", [1, 2], win="b", x=[0, 2**63]))
    found = now(store_url)
    assert [step for step, _ in found.points("far")] == steps
    assert found.points("beyond/x") == [(0, 0.0), (1, 2.0**63)]


def test_what_cannot_be_understood_stays_as_text_with_a_sentence(save: Save, store_url: str) -> None:
    done = save(
        pane("i", "broken", "image", {"src": "data:image/png;base64,AAAA", "caption": None}),
        pane("n", "odd", "network", {"nodes": 3}),
        pane("u", "new", "hologram", {"depth": 3}),
        pane("f", "away", "image", {"src": "http://example.org/a.png"}),
    )
    assert sorted(sentence.partition(" is kept as text: ")[2][:40] for sentence in done.problems) == [
        "a picture of 3 bytes is no image/png: ca",
        "a picture's source must be its data, but",
        "it is not of the form that 'network' has",
    ]
    found = now(store_url)
    assert "AAAA" in found.value("broken").text
    assert '"depth": 3' in found.value("new").text
    assert "http://example.org/a.png" in found.value("away").text


WHOLE = json.dumps({"jsons": {f"w{n}": line(f"loss {n}", [n], win=f"w{n}") for n in range(4)}, "reload": {}})


@pytest.mark.parametrize(
    ("text", "curves", "sentence"),
    [
        (WHOLE[:500], 2, r"is damaged or cut off after \d+ of its 500 bytes. What is whole was read"),
        (WHOLE[:-2], 4, "is damaged or cut off after"),
        (WHOLE.replace('"title": "loss 1"', "???"), 3, "window 'w1' is damaged"),
        (WHOLE.replace('"x": [0]', '"x": [0', 1), 3, "is damaged or cut off|window 'w0' is damaged"),
        (WHOLE.replace('"id": "w2"', '"id": "w2', 1), 3, "is damaged"),
    ],
)
def test_of_a_damaged_file_every_whole_window_is_read(
    tmp_path: Path, store_url: str, text: str, curves: int, sentence: str
) -> None:
    (tmp_path / "main.json").write_text(text)
    done = import_runs(VisdomSource(tmp_path), store_url)
    assert done.points == curves
    assert any(re.search(sentence, problem) for problem in done.problems)


@pytest.mark.parametrize("broken", [b"w\x01", b"w\xff", b"w\\q"])
def test_a_window_whose_id_is_damaged_is_read(tmp_path: Path, store_url: str, broken: bytes) -> None:
    (tmp_path / "main.json").write_bytes(WHOLE.encode().replace(b'"w1": {', b'"' + broken + b'": {', 1))
    assert import_runs(VisdomSource(tmp_path), store_url).points == 4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty: nothing was ever written"),
        ("null", 'holds "null": Visdom saved an environment that it had never opened'),
        ("[1, 2]", r"expected .* to be an environment of Visdom, but it begins with b'\[1, 2\]'"),
        ('{"a": {"b": {}}}', 'it has no "jsons"'),
        ("\x00" * 100, "it begins with"),
    ],
)
def test_a_file_without_windows_gets_a_sentence_and_costs_the_others_nothing(
    tmp_path: Path, store_url: str, text: str, sentence: str
) -> None:
    (tmp_path / "a.json").write_text(text)
    source = VisdomSource(tmp_path)
    assert source.runs() == []
    assert re.search(sentence, source.problems[0])
    (tmp_path / "main.json").write_text(WHOLE)
    done = import_runs(VisdomSource(tmp_path), store_url)
    assert (done.runs, done.points) == (1, 4)
    assert any(re.search(sentence, problem) for problem in done.problems)


def test_a_new_environment_without_windows_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "main.json").write_text('{"jsons": {}, "reload": {}}')
    assert VisdomSource(tmp_path).runs() == []


def test_a_place_without_environments_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"but it holds no .json file. Name Visdom's folder"):
        VisdomSource(tmp_path).runs()
    with pytest.raises(BadInput, match="but there is no "):
        VisdomSource(tmp_path / "nothing").runs()
    with pytest.raises(
        BadInput, match=r"expected a Visdom server at http://127\.0\.0\.1:9, but it does not answer"
    ):
        VisdomSource("http://127.0.0.1:9").runs()
    (tmp_path / "numbers").write_text("[1, 2]")
    with pytest.raises(BadInput, match=r"or a log of its client, but line 1 of .* is no message of Visdom"):
        VisdomSource(tmp_path / "numbers").runs()
    with pytest.raises(BadInput, match="expected the URL of a Visdom server"):
        VisdomSource("http://:bad").runs()


def test_an_environment_that_the_server_does_not_have(panes: Any) -> None:
    with pytest.raises(BadInput, match=r"expected an environment 'none' at .*, but it has only"):
        VisdomSource(f"{panes[0]}/env/none").runs()


def test_what_a_server_gets_meanwhile_is_followed(panes: Any, store_url: str) -> None:
    client = visdom_client(panes[0], "live")
    client.line(np.array([1.0]), np.array([0]), win="w", opts={"title": "loss"})
    stop = Event()
    source = VisdomSource(f"{panes[0]}/env/live")
    arguments = {"follow": True, "stop": stop}
    following = Thread(target=import_runs, args=(source, store_url), kwargs=arguments)
    following.start()
    try:
        wait_until(lambda: points_now(store_url) == [(0, 1.0)])
        client.line(np.array([0.5]), np.array([1]), win="w", update="append")
        wait_until(lambda: points_now(store_url) == [(0, 1.0), (1, 0.5)])
    finally:
        stop.set()
        following.join(30)


def points_now(store_url: str) -> list[tuple[int, float]]:
    try:
        return now(store_url).points("loss")
    except (StoreError, IndexError, KeyError):
        return []


def test_an_export_comes_back_as_its_runs(tmp_path: Path, store_url: str) -> None:
    run_ids = [fill(store_url, "alpha"), fill(store_url, "beta", seed=1)]
    with Reader.open(store_url) as reader:
        export_visdom(reader, run_ids, folder=tmp_path / "envs")
        back = str(tmp_path / "back.db")
        done = import_runs(VisdomSource(tmp_path / "envs"), back)
        assert (done.runs, done.problems) == (2, {})
        again = import_runs(VisdomSource(tmp_path / "envs"), back)
        assert (again.grown, again.points, again.records) == (0, 0, 0)
        with Reader.open(back) as other:
            for run_id in run_ids:
                compare(Found(reader, reader.run(run_id)), Found(other, other.run(run_id)))


def compare(before: Found, after: Found) -> None:
    """Compare a run with what came back of it; docs/guide/import-visdom.md says what cannot."""
    facts = ("run_id", "project", "name", "state", "created_at", "finished_at", "tags", "notes", "config")
    assert [getattr(after.run, name) for name in facts] == [getattr(before.run, name) for name in facts]
    for label, series in before.series.items():
        if series.kind == "scalar" and label != "odd":
            assert after.points(label) == before.points(label)
    assert dict(after.points("odd"))[3] == 1e300
    assert after.value("film").data == before.value("film").data
    for label in ("tone", "notes/first", "digit", "trial"):
        assert after.values(label) == before.values(label)
    corner, twin = before.value("corner"), after.value("corner")
    for part in ("vertices", "faces", "colors"):
        assert (getattr(twin, part) == getattr(corner, part)).all()
    newest = before.values("weights/fc1")[7]
    assert after.values("weights/fc1")[7].counts.sum() == pytest.approx(newest.counts.sum())
    assert json.loads(after.value("bars").data)["data"] == json.loads(before.value("bars").data)["data"]
    assert [layer.parameters for layer in after.value("model").layers] == [0, 0, 36, 10]
    assert len(after.value("vectors").vectors) == 20
    assert list(after.value("surest").columns) == ["name", "score"]


def test_an_enormous_history_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_IN_MEMORY", 1 << 16)
    monkeypatch.setattr(parts, "PIECE_BYTES", 200_000)
    noise = np.random.default_rng(0).integers(0, 255, (150, 150, 3), np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(noise).save(buffer, "PNG")
    item = {"src": f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}", "caption": "x"}
    text = json.dumps({"jsons": {"h": pane("h", "seen", "image_history", [item] * 8)}, "reload": {}})
    assert len(text) > 700_000
    (tmp_path / "main.json").write_text(text)
    source = VisdomSource(tmp_path / "main.json")
    [found] = source.runs()
    pieces = list(source.read(found, found.parts[0], 0))
    assert [len(piece.records) for piece in pieces] == [3, 3, 2]
    rest = list(source.read(found, found.parts[0], pieces[1].position))
    assert [record.step for piece in rest for record in piece.records] == [6, 7]


def test_a_log_of_the_client_gives_the_windows_of_the_server_that_it_was_sent_to(
    panes: Any, tmp_path: Path, store_url: str
) -> None:
    log = tmp_path / "visdom.log"
    client = visdom_client(panes[0], "logged", log_to_filename=str(log))
    fill_every_window(client)
    client.line(np.array([5.0]), np.array([9]), win="loss", name="1", update="replace")
    client.line(None, None, win="loss", name="val", update="remove")
    for update in ("appendRow", "prependColumn"):
        client.heatmap(shown.GRID.T if update != "appendRow" else shown.GRID, win="heat", update="replace")
        client.heatmap(np.ones((1, 3) if update == "appendRow" else (3, 1)), win="heat", update=update)
    found = replayed(log)
    assert not found.problems
    held = json.loads(client.get_window_data(env="logged"))
    assert found.environments["logged"].keys() == held.keys()
    for win, window in found.environments["logged"].items():
        assert {key: held[win][key] for key in ("title", "type", "i")} == {
            key: window[key] for key in ("title", "type", "i")
        }
        assert contents(window) == contents(held[win])
    log.write_text(log.read_text() + "[half a li")
    done = import_runs(VisdomSource(log), store_url)
    assert done.runs == 1
    assert done.records > 25
    assert any("is no message of Visdom" in problem for problem in done.problems)


def contents(window: dict[str, Any]) -> Any:
    """Return what a window shows, without what a server keeps for its own page."""
    content: Any = window["content"]
    if window["type"] == "embeddings":
        return {name: value for name, value in content.items() if name != "has_previous"}
    return content
