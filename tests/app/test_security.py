"""What a run writes and what a stranger asks for: nothing of it runs, and nothing else is given."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request

import psutil
import pytest
import websockets.sync.client as websockets
from websockets.exceptions import InvalidStatus

from contracts.filled_store import fill
from contracts.hostile_store import MARK, attack, fill_hostile, values
from pages import opened
from served import Served, ask, serve
from stepscope.app.access.entrance import LOCAL
from stepscope.storage.kinds import KINDS
from support import ROOT, run_python

PAGES = re.findall(r'url_path="(\w+)"', (ROOT / "app" / "main.py").read_text())
ROUTES = """
import json, sys
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes
from stepscope.app.routing import changes
from stepscope.app.access.check import Access
from stepscope.app.server import build_app
app = build_app(sys.argv[1], Access(), changes.Changes())
routes = [*app._user_routes, *create_streamlit_routes(app._create_runtime())]
print(json.dumps([[type(route).__name__, route.path] for route in routes]))
"""
CLIMBS = (
    "../" * 8 + "{secret}",
    "..%2f" * 8 + "{secret}",
    "%2e%2e%2f" * 8 + "{secret}",
    "..%252f" * 8 + "{secret}",
    "..%5c" * 8 + "{secret}",
    "....//" * 8 + "{secret}",
    "%c0%ae%c0%ae/" * 8 + "{secret}",
    "/{secret}",
    "%2f{secret}",
    "file:%2f%2f%2f{secret}",
    "..%00/{secret}",
    "{secret}%00.png",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("security")
    (folder / "secret.txt").write_text("the secret of the neighbour")
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Generator[Served]:
    store = str(folder / "stepscope.db")
    fill(store)
    with serve(store) as served:
        yield served


@pytest.fixture(scope="module")
def routes(folder: Path) -> list[tuple[str, str]]:
    """Return kind and template of every route of the server, Streamlit's own among them."""
    printed = run_python("-c", ROUTES, str(folder / "stepscope.db"))
    return [(kind, path) for kind, path in json.loads(printed.splitlines()[-1]) if path]


def raw(served: Served, path: str) -> tuple[int, bytes]:
    """Ask for a path exactly as it is written."""
    connection = http.client.HTTPConnection(LOCAL, urlsplit(served.address).port, timeout=60)
    connection.putrequest("GET", path, skip_host=False)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read(1_000_000)
    connection.close()
    return answer.status, body


def filled_in(template: str, value: str) -> list[str]:
    """Return a route's address with each of its parameters in turn replaced, and one below it."""
    names = re.findall(r"\{[^}]*\}", template)
    below = [f"{template.rstrip('/')}/{value}"] if not names else []
    others = re.sub(r"\{[^}]*\}", "x", template)
    return (
        below
        + [others] * bool(names)
        + [re.sub(r"\{[^}]*\}", "0", template.replace(name, value, 1)) for name in names]
    )


def test_no_route_leads_out_of_what_it_serves(
    served: Served, routes: list[tuple[str, str]], folder: Path
) -> None:
    templates = {path for kind, path in routes if kind != "WebSocketRoute"} - {"/changes"}
    assert {
        "/artifacts/{run_id}/{token}/{number:int}",
        "/media/{file_id:path}",
        "/visdom",
        "/tensorboard",
    } <= templates
    secrets = (str(folder / "secret.txt").lstrip("/"), str(folder / "stepscope.db").lstrip("/"))
    paths = {
        path
        for template in templates
        for climb in CLIMBS
        for secret in secrets
        for path in filled_in(template, climb.format(secret=secret))
    }
    for path in sorted(paths):
        status, body = raw(served, path)
        assert status < 500 or status == 503, path
        for content in (b"the secret of the neighbour", b"SQLite format 3"):
            assert content not in body, path


def test_another_host_or_origin_is_refused_by_every_route(
    served: Served, routes: list[tuple[str, str]]
) -> None:
    for kind, template in routes:
        path = re.sub(r"\{[^}]*\}", "0", template)
        for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"}):
            if kind == "WebSocketRoute":
                with pytest.raises(InvalidStatus, match="403"):
                    connect(served, path, headers)
            else:
                assert served.get(path, **headers).status == 403, path


@pytest.mark.parametrize("path", ["/_stcore/stream", "/visdom/socket", "/tensorboard/x", "/nothing"])
@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_every_websocket_is_refused_to_another_site(
    served: Served, path: str, headers: dict[str, str]
) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        connect(served, path, headers)


def connect(served: Served, path: str, headers: dict[str, str]) -> None:
    """Open a websocket; with "host", claim that the server has that name."""
    with socket.create_connection((LOCAL, urlsplit(served.address).port)) as connection:
        host = headers.get("host", urlsplit(served.address).netloc)
        websockets.connect(
            f"ws://{host}{path}", sock=connection, origin=headers.get("origin"), proxy=None
        ).close()


def other_addresses() -> list[str]:
    """Return the addresses of this machine that others can reach."""
    found = [one for many in psutil.net_if_addrs().values() for one in many if one.family == socket.AF_INET]
    return [one.address for one in found if not one.address.startswith("127.")]


def test_another_address_reaches_nothing_unless_it_logs_in(served: Served, store_url: str) -> None:
    addresses = other_addresses()
    if not addresses:
        pytest.skip("this machine has no address but 127.0.0.1")
    port = urlsplit(served.address).port
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((addresses[0], port), timeout=5)
    fill(store_url)
    with serve(store_url, "--host", "0.0.0.0", STEPSCOPE_PASSWORD="long enough") as shared:  # noqa: S106
        port = int(re.findall(r"http://\S+:(\d+)", shared.printed)[0])
        for path in ("/", "/tensorboard/data/runs", "/visdom/", "/_stcore/health", "/blobs/0/0"):
            assert ask(Request(f"http://{addresses[0]}:{port}{path}")).status == 401
        with pytest.raises(InvalidStatus, match="403"):
            websockets.connect(f"ws://{addresses[0]}:{port}/_stcore/stream", proxy=None)
        # The password is not left where the children or other users could read it.
        assert "long enough" not in " ".join(psutil.Process(shared.pid).cmdline())


def test_the_hostile_run_has_every_kind() -> None:
    import numpy as np

    assert set(values(np.random.default_rng(0))) == {kind.name for kind in KINDS}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return a store, and the id of the hostile run in it."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "files").mkdir()
    store = str(folder / "stepscope.db")
    return store, fill_hostile(store, folder / "files")


@pytest.mark.parametrize("page", PAGES)
def test_nothing_logged_is_handed_to_the_browser_as_html(
    page: str, hostile: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, run_id = hostile
    monkeypatch.setenv("STEPSCOPE_STORE", store)
    test = opened(page, runs=run_id, run=run_id, find=attack("find"), metrics=attack("metrics"))
    test = opened(page, runs=run_id, run=run_id)
    assert not test.exception
    for element in test.markdown:
        assert not element.proto.allow_html or MARK not in element.value
        # A text may have links, which the browser's side cleans; a picture would be fetched from anywhere.
        assert not re.search(r"(?<!\\)!\[", element.value)
    for element in test.get("html"):
        # The tags that are left have nothing of the run in them.
        assert not re.search(rf"<[^>]*{MARK}", element.proto.body)
