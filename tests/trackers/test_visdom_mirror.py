"""A run is shown on a real Visdom server while it trains; one that is away costs the training nothing."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests

import stepscope
from real_visdom import door, free_port, visdom_server
from stepscope.storage.errors import BadInput
from stepscope.storage.read import Reader
from stepscope.trackers import mirror
from stepscope.trackers.media.base import Loggable
from stepscope.trackers.mirror import MirrorPlace, place_of
from stepscope.trackers.raw import Payload
from stepscope.trackers.sinks.visdom.client import VisdomServer
from stepscope.trackers.sinks.visdom.follow import MOST_POINTS, MOST_RECORDS, VisdomFollower
from stepscope.trackers.sinks.visdom.panes import line_window
from support import wait_until

LOSS = line_window("loss")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("visdom") / "envs"


@pytest.fixture(scope="module")
def server(folder: Path) -> Generator[str]:
    with visdom_server(folder) as url:
        yield url


def held(url: str, env: str) -> dict[str, Any]:
    """Return the windows that a server has, none when it is away."""
    try:
        answer = requests.post(f"{url}/win_data", json={"eid": env, "win": None}, timeout=10)
    except requests.ConnectionError:
        return {}
    return answer.json() if answer.ok else {}


def curve(shown: dict[str, Any], win: str = LOSS, place: int = 0) -> dict[int, float]:
    traces: list[Any] = shown[win]["content"]["data"] if win in shown else []
    return dict(zip(traces[place]["x"], traces[place]["y"], strict=True)) if traces else {}


def address(url: str, env: str) -> str:
    return f"visdom://{url.removeprefix('http://')}/{env}"


def children(pid: int | None = None) -> set[psutil.Process]:
    """Return the mirrors that a process, this one if none is named, has started."""
    found: set[psutil.Process] = set()
    for one in psutil.Process(pid).children():
        with suppress(psutil.Error):  # one of those that capture the environment has just ended
            if one.cmdline()[-1:] == ["stepscope.trackers.mirror_child"]:
                found.add(one)
    return found


def test_a_run_is_shown_while_it_trains(server: str, store_url: str) -> None:
    with stepscope.init(store=store_url, name="live", mirror=address(server, "live")) as run:
        run.log({"train/loss": 3.0}, step=0)
        run.log({"train/loss": 2.0}, step=1)
        wait_until(lambda: curve(held(server, "live")) == {0: 3.0, 1: 2.0}, 60, "the first points")
        [child] = children()
        # What sends is another process: this one has no connection to the server.
        port = int(server.rpartition(":")[2])
        assert not [one for one in psutil.Process().net_connections() if one.raddr and one.raddr.port == port]
        run.log({"train/loss": 1.0}, step=2)
        wait_until(lambda: len(curve(held(server, "live"))) == 3, what="the next point")
        run.log({"train/loss": 0.5, "note": stepscope.Text("the last")}, step=3)
    shown = held(server, "live")
    assert curve(shown) == {0: 3.0, 1: 2.0, 2: 1.0, 3: 0.5}
    assert shown[f"config_{run.id}"]["content"][0]["value"] == "finished"
    assert any("the last" in str(window["content"]) for window in shown.values())
    wait_until(lambda: not child.is_running(), what="the child to end")


def test_a_server_that_comes_and_goes(server: str, store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with stepscope.init(store=store_url, mirror=f"visdom://127.0.0.1:{port}/away") as run:
        run.log({"train/loss": 2.0}, step=0)
        wait_until(lambda: caplog.records, 30, "the notice")
        with door(server, port):
            wait_until(lambda: curve(held(server, "away")) == {0: 2.0}, 30, "what was missed")
        requests.post(f"{server}/delete_env", json={"eid": "away"}, timeout=10)
        run.log({"train/loss": 1.0}, step=1)
        with door(server, port):
            wait_until(lambda: curve(held(server, "away")) == {0: 2.0, 1: 1.0}, 30, "all of it once more")
            run.finish()
            assert held(server, "away")[f"config_{run.id}"]["content"][0]["value"] == "finished"
    said_once(caplog, port)


@pytest.mark.long
def test_a_server_that_is_started_anew(
    store_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with stepscope.init(store=store_url, mirror=f"visdom://127.0.0.1:{port}/anew") as run:
        run.log({"train/loss": 2.0}, step=0)
        wait_until(lambda: caplog.records, 30, "the notice")
        with visdom_server(tmp_path / "first", port=port) as url:
            wait_until(lambda: curve(held(url, "anew")) == {0: 2.0}, 60, "what was missed")
        run.log({"train/loss": 1.0}, step=1)
        with visdom_server(tmp_path / "second", port=port) as url:
            wait_until(lambda: curve(held(url, "anew")) == {0: 2.0, 1: 1.0}, 60, "all of it once more")
            run.finish()
            assert held(url, "anew")[f"config_{run.id}"]["content"][0]["value"] == "finished"
    said_once(caplog, port)


def said_once(caplog: pytest.LogCaptureFixture, port: int) -> None:
    [notice] = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"expected a Visdom server at http://127.0.0.1:{port}, but" in notice
    assert "Connection refused. The mirror tries again; the run goes on." in notice


def test_a_server_that_never_answers_holds_nobody_up(
    store_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mirror, "_FINISH_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        run = stepscope.init(store=store_url, mirror=f"visdom://127.0.0.1:{port}/silent")
        silent.accept()
        for step in range(10_000):
            run.log({"train/loss": 1.0 / (step + 1)}, step=step)
        assert run.flush()
        run.finish()
        [child] = children()
    with Reader.open(store_url) as reader:
        [series] = reader.series(run.id, name="train/loss")
        assert series.count == 10_000
    assert "Visdom did not take everything within 0.5 seconds" in caplog.text
    child.kill()


def test_a_killed_training_leaves_no_child(server: str, store_url: str) -> None:
    code = (
        "import os, time, stepscope\n"
        f"run = stepscope.init(store={store_url!r}, mirror={address(server, 'killed')!r})\n"
        "run.log({'train/loss': 1.0}, step=0)\n"
        "worker = os.fork()\n"  # one that outlives its parent, and holds its pipes open
        "if not worker:\n"
        "    time.sleep(60)\n"
        "    os._exit(0)\n"
        "print(worker, flush=True)\n"
        "run.flush()\n"
        "time.sleep(60)\n"
    )
    program = [sys.executable, "-c", code]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as training:
        assert training.stdout is not None
        worker = int(training.stdout.readline())
        [child] = children(training.pid)
        wait_until(lambda: curve(held(server, "killed")), 30, "the child to send")
        os.kill(training.pid, signal.SIGKILL)
        wait_until(lambda: not child.is_running(), what="the child to end")
        os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize(
    "wrong", ["http://localhost:8097", "visdom://", "visdom://localhost:port/x", "localhost", 8097]
)
def test_a_wrong_address(
    store_url: str, wrong: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = r"mirror takes the address of a Visdom server, such as visdom://localhost:8097/env, but got "
    with pytest.raises(BadInput, match=expected):
        stepscope.init(store=store_url, mirror=wrong)
    assert not Path(store_url).exists()
    monkeypatch.setenv("STEPSCOPE_STRICT", "0")
    with stepscope.init(store=store_url, mirror=wrong) as run:
        run.log({"train/loss": 1.0})
    assert caplog.text.count("mirror takes the address") == 1
    with Reader.open(store_url) as reader:
        assert reader.run(run.id).state == "finished"


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("visdom://localhost", MirrorPlace("http://localhost", None)),
        (
            "visdom://me:a%40b@host:80/base/{project}_{run}",
            MirrorPlace("http://me:a%40b@host:80/base", "{project}_{run}"),
        ),
        ("visdom+https://host/my%20env", MirrorPlace("https://host", "my env")),
        ("visdom://host/base/", MirrorPlace("http://host/base", None)),
    ],
)
def test_addresses(given: str, place: MirrorPlace) -> None:
    assert place_of(given) == place


def test_the_environment_may_name_the_mirror_and_other_ranks_start_none(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPSCOPE_MIRROR", "visdom://127.0.0.1:1/nowhere")
    with stepscope.init(store=store_url):
        assert len(children()) == 1
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    before = children()
    with stepscope.init(store=store_url) as run:
        assert run.rank == 1
        assert children() <= before


class Follow:
    """One run and its follower, without the child between them."""

    def __init__(self, store: str, server: str, env: str, **begun: Any) -> None:
        self.run = stepscope.init(store=store, **begun)
        assert self.run.flush()
        self.url, self.env = server, env
        self.reader = Reader.open(store)
        self.server = VisdomServer(server)
        self.follower = VisdomFollower(self.reader, self.run.id, self.server, env)

    def close(self) -> None:
        self.run.finish()
        self.reader.close()
        self.server.close()

    def send(self) -> dict[str, Any]:
        assert self.run.flush()
        self.follower.send()
        return held(self.url, self.env)


@pytest.fixture
def follow(server: str, store_url: str, tmp_path: Path) -> Generator[Follow]:
    one = Follow(store_url, server, tmp_path.name, name="one")
    yield one
    one.close()


def test_a_long_curve_stays_bounded_and_true(follow: Follow) -> None:
    logged = 0
    for many in (20, 40, 700, 500, 5_000, 300):
        for step in range(logged, logged + many):
            follow.run.log({"train/loss": step * 2.0}, step=step)
        logged += many
        shown = curve(follow.send())
        assert len(shown) <= MOST_POINTS
        assert list(shown) == sorted(shown)
        assert all(value == step * 2.0 for step, value in shown.items())
        assert max(shown) == logged - 1
        gaps = np.diff(list(shown))
        assert gaps.max() <= 4 * logged / len(shown)
    assert held(follow.url, follow.env)[LOSS]["content"]["data"][0]["mode"] == "lines"


def test_only_what_is_new_is_sent(follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = stepscope.Image(np.zeros((8, 8)))
    follow.run.log({"train/loss": 1.0, "words": stepscope.Text("first"), "seen": picture}, step=0)
    follow.send()
    calls = counted_calls(monkeypatch, follow.server)
    follow.send()
    assert [endpoint for endpoint, _ in calls] == ["win_exists"]
    calls.clear()
    follow.run.log({"train/loss": 0.5, "words": stepscope.Text("second"), "seen": picture}, step=1)
    shown = follow.send()
    sent = [message for endpoint, message in calls if endpoint == "update"]
    assert len(sent) == len([one for one in calls if one[0] != "win_exists"]) == 3
    assert not any("first" in message for message in sent)
    assert curve(shown) == {0: 1.0, 1: 0.5}
    [words] = [window for window in shown.values() if window["title"] == "words · one"]
    assert words["content"].index("first") < words["content"].index("second")
    [seen] = [window for window in shown.values() if window["title"] == "seen · one"]
    assert [item["caption"] for item in seen["content"]] == ["step 0", "step 1"]
    assert seen["selected"] == 1


def test_a_step_that_was_logged_before_is_replaced(follow: Follow) -> None:
    for step in range(5):
        follow.run.log({"train/loss": 1.0}, step=step)
    follow.send()
    follow.run.log({"train/loss": 7.0}, step=2)
    assert curve(follow.send()) == {0: 1.0, 1: 1.0, 2: 7.0, 3: 1.0, 4: 1.0}


def test_a_history_stays_bounded(follow: Follow) -> None:
    for step in range(MOST_RECORDS + 5):
        follow.run.log({"words": stepscope.Text(f"word {step}")}, step=step)
        if step % 7 == 0:
            follow.send()
    [words] = [window for window in follow.send().values() if window["title"] == "words · one"]
    heads = words["content"].count("<h4>step ")
    assert MOST_RECORDS // 2 <= heads <= MOST_RECORDS
    assert "word 0<" in words["content"]
    assert f"word {MOST_RECORDS + 4}<" in words["content"]


def test_a_closed_window_comes_back_whole(follow: Follow) -> None:
    follow.run.log({"train/loss": 1.0, "words": stepscope.Text("first")}, step=0)
    follow.send()
    for win in held(follow.url, follow.env):
        if not win.startswith("config"):
            requests.post(f"{follow.url}/close", json={"eid": follow.env, "win": win}, timeout=10)
    follow.run.log({"train/loss": 0.5, "words": stepscope.Text("second")}, step=1)
    shown = follow.send()
    assert curve(shown) == {0: 1.0, 1: 0.5}
    assert any("first" in str(window["content"]) for window in shown.values())


class Broken(Loggable):
    kind = "figure"

    def payload(self) -> Payload:
        return Payload(self.kind, b"{", {"media_type": "application/json", "caption": None})


def test_what_cannot_be_shown_is_named_and_the_rest_is_sent(follow: Follow) -> None:
    follow.run.log({"chart": Broken(), "train/loss": 1.0}, step=0)
    assert curve(follow.send()) == {0: 1.0}
    [(what, reason)] = follow.follower.problems.items()
    assert what == "figure chart at step 0"
    assert "is not plotly's JSON" in reason


def test_two_runs_of_one_name_share_a_window(follow: Follow, store_url: str) -> None:
    other = Follow(store_url, follow.url, follow.env, name="one")
    for step in range(80):
        follow.run.log({"train/loss": 1.0}, step=step)
        other.run.log({"train/loss": 2.0}, step=step)
        if step % 20 == 0:
            follow.send()
            other.send()
    follow.send()
    shown = other.send()
    names = [trace["name"] for trace in shown[LOSS]["content"]["data"]]
    assert names == ["one · train/loss", f"one · train/loss ({other.run.id})"]
    assert set(curve(shown).values()) == {1.0}
    assert curve(shown, place=1) == dict.fromkeys(range(80), 2.0)
    other.close()


def test_every_rank_has_its_curve(follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"one · train/loss [rank={rank}]" for rank in range(4)]
    shown: list[Any] = []
    other = Follow(str(follow.reader.location.path), follow.url, follow.env, name="other")
    for step in range(3):
        for rank in range(4):
            follow.run.log({"train/loss": float(rank + step)}, step=step, context={"rank": rank})
        calls = counted_calls(monkeypatch, follow.server)
        shown = follow.send()[LOSS]["content"]["data"]
        # Once they are there, one update has the new points of all of them.
        updates = [message for endpoint, message in calls if endpoint == "update" and "train/loss" in message]
        assert step == 0 or len(updates) == 1
        if step == 0:
            other.run.log({"train/loss": 9.0}, step=0)
            other.send()
    for rank in range(4):
        [trace] = [trace for trace in shown if trace["name"] == names[rank]]
        assert (trace["x"], trace["y"]) == ([0, 1, 2], [rank, rank + 1, rank + 2])
    assert shown[4]["y"] == [9.0]
    other.close()


def counted_calls(monkeypatch: pytest.MonkeyPatch, server: VisdomServer) -> list[tuple[str, str]]:
    """Return a list to which each request to a server is added from now on."""
    calls: list[tuple[str, str]] = []
    post = VisdomServer._post  # pyright: ignore[reportPrivateUsage]

    def counted(endpoint: str, message: dict[str, Any]) -> Any:
        calls.append((endpoint, str(message)))
        return post(server, endpoint, message)

    monkeypatch.setattr(server, "_post", counted)
    return calls


def test_the_server_keeps_it_on_disk(follow: Follow, folder: Path) -> None:
    follow.run.log({"train/loss": 1.0}, step=0)
    follow.send()
    follow.follower.save()
    assert LOSS in json.loads((folder / f"{follow.env}.json").read_text())["jsons"]
