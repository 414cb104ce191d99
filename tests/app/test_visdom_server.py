"""The dashboard's Visdom: filled from runs, reached through the public port, started again when it ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import visdom
import websockets.sync.client as websockets
from websockets.exceptions import InvalidStatus

from contracts.filled_store import fill
from served import UI, Served, serve
from stepscope.app.visdom_live import server as visdom_server
from stepscope.app.visdom_live.assets import static_folder
from stepscope.app.visdom_live.process import VisdomUnavailable
from stepscope.app.visdom_live.server import BASE_URL, ENVIRONMENT, VisdomServer
from stepscope.storage.errors import RunNotFound
from support import wait_until


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("store") / "stepscope.db")


@pytest.fixture(scope="module")
def server(store: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[VisdomServer]:
    """Yield a server whose user has no folder of Visdom's."""
    server = VisdomServer(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        server.origin()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Yield a dashboard over an empty store."""
    with serve(str(tmp_path_factory.mktemp("store") / "stepscope.db")) as served:
        yield served


def titles(server: VisdomServer) -> set[str]:
    """Return the titles of the windows that are shown."""
    url = f"{server.origin()}{BASE_URL}/win_data"
    answer = requests.post(url, json={"eid": ENVIRONMENT, "win": None}, timeout=30)
    return {window["title"] for window in answer.json().values()}


def test_it_shows_the_chosen_runs_and_no_others(server: VisdomServer, store: str) -> None:
    first, second = fill(store, "alpha"), fill(store, "omega", seed=1)
    assert server.problem() is None
    server.fill([first])
    shown = titles(server)
    assert any("alpha" in title for title in shown)
    server.fill([second])
    assert len(titles(server)) == len(shown)
    assert not any("alpha" in title for title in titles(server))
    server.fill([first, second])
    assert any("alpha" in title for title in titles(server))
    assert any("omega" in title for title in titles(server))


def test_a_run_that_is_not_there_is_said(server: VisdomServer) -> None:
    with pytest.raises(RunNotFound, match="no such run"):
        server.fill(["no such run"])


def test_it_starts_when_it_is_needed_and_again_after_it_was_killed(served: Served) -> None:
    assert not served.children()
    assert served.get("/visdom/").status == 200
    (child,) = served.children()
    child.kill()
    wait_until(lambda: served.get("/visdom/").status == 200, what="Visdom to be there again")
    (other,) = [one for one in served.children() if one.status() != psutil.STATUS_ZOMBIE]
    assert other.pid != child.pid


def test_without_a_login_neither_its_page_nor_its_websocket_is_reached(store_url: str) -> None:
    with serve(store_url, STEPSCOPE_PASSWORD="long enough") as served:  # noqa: S106
        for path in ("/visdom/", "/visdom/env/main", "/visdom/static/js/main.js"):
            assert served.get(path).status == 401
        for path in ("/visdom/socket", "/visdom/vis_socket"):
            with pytest.raises(InvalidStatus, match="403"):
                websockets.connect(served.address.replace("http:", "ws:") + path, proxy=None)
        assert not served.children()


def test_a_server_that_does_not_start_is_said(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tornado.py").write_text("raise RuntimeError('broken on purpose')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(VisdomUnavailable, match="ended with exit code 1"):
        VisdomServer(store_url).origin()


def test_environments_are_compared_though_the_user_has_none(server: VisdomServer) -> None:
    address = server.origin() + BASE_URL
    requests.post(f"{address}/env/other", json={"eid": "other"}, timeout=30)
    assert requests.get(f"{address}/compare/main+other", timeout=30).ok


def test_without_a_dashboard_there_is_none() -> None:
    with pytest.raises(VisdomUnavailable, match="Start it with: stepscope ui"):
        visdom_server.current()


def test_visdoms_own_client_works_through_the_public_port(served: Served) -> None:
    address = served.address.replace("http:", "ws:")
    with websockets.connect(f"{address}{BASE_URL}/socket", proxy=None) as page:
        port = int(served.address.rpartition(":")[2])
        client = visdom.Visdom(
            "http://127.0.0.1",
            port=port,
            base_url=BASE_URL,
            raise_exceptions=True,
            use_incoming_socket=False,  # its thread would outlive the server, and log in other tests
        )
        assert client.check_connection(timeout_seconds=30)
        client.text("<b>hello</b>", win="greeting", env="a/b")
        client.text("<b>world</b>", win="greeting", env="main")
        assert wait_until(lambda: client.win_exists("greeting", env="a/b"))
        # The window is sent to pages that look at the environment; they say so with their first request.
        register = receive(page, "register")
        requests.post(f"{served.address}{BASE_URL}/env/main", json={"sid": register["data"]}, timeout=30)
        assert receive(page, "window")["content"] == "<b>world</b>"
        page.send(json.dumps({"cmd": "close", "data": "greeting", "eid": "main"}))
        wait_until(lambda: not client.win_exists("greeting", env="main"), what="the page's message to arrive")
        client.close(env="a/b")


def test_windows_of_many_megabytes_pass_through(served: Served) -> None:
    text = "x" * (24 << 20)
    address = served.address + BASE_URL
    message = {"eid": "main", "win": "large", "data": [{"type": "text", "content": text}], "opts": {}}
    assert requests.post(f"{address}/events", json=message, timeout=60).text == "large"
    asked = {"eid": "main", "win": "large"}
    assert requests.post(f"{address}/win_data", json=asked, timeout=60).json()["content"] == text
    socket = address.replace("http:", "ws:") + "/socket"
    with websockets.connect(socket, proxy=None, max_size=1 << 30) as page:
        register = receive(page, "register")
        requests.post(f"{address}/env/main", json={"sid": register["data"]}, timeout=60)
        assert receive(page, "window")["content"] == text


def receive(page: Any, command: str) -> dict[str, Any]:
    """Return the next message of a kind."""
    while True:
        message = json.loads(page.recv(timeout=30))
        if message["command"] == command:
            return message


def test_without_its_assets_the_page_says_what_to_do(store_url: str, tmp_path: Path) -> None:
    installed = static_folder()
    assert installed is not None
    shutil.copytree(installed.parent, tmp_path / "visdom", ignore=shutil.ignore_patterns("jquery.min.js"))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {UI}"
    with serve(store_url, code=code) as served:
        answer = served.get("/visdom/")
        assert answer.status == 503
        assert "1 of the scripts and styles of its page are not: js/jquery.min.js." in answer.text
        assert "python tools/visdom_assets.py" in answer.text
