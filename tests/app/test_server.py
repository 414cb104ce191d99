"""The dashboard as a process: what it says, what it listens on, what it refuses, and how it ends."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest
import websockets.sync.client as websockets
from websockets.exceptions import InvalidStatus

from contracts.filled_store import fill
from served import Served, serve, start
from support import wait_until

WITHOUT = (
    "import sys; sys.modules.update({name: None for name in %r}); from stepscope.app.cli import main; main()"
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Yield a dashboard over one run; tests that end it start their own."""
    store = str(tmp_path_factory.mktemp("store") / "runs.db")
    fill(store)
    with serve(store) as served:
        yield served


def test_the_address_that_is_printed_answers(served: Served) -> None:
    assert "runs.db" in served.printed
    assert served.printed.count("\n") == 1
    assert served.get("/_stcore/health").text == "ok"


def test_it_listens_on_loopback_only_also_with_visdom_and_talks_to_nobody_else(served: Served) -> None:
    assert served.get("/tensorboard/").status == 200
    assert served.get("/visdom/").status == 200
    processes = [psutil.Process(served.pid), *served.children()]
    assert len(processes) == 2
    ends = [
        end for process in processes for c in process.net_connections() for end in (c.laddr, c.raddr) if end
    ]
    assert {end.ip for end in ends} == {"127.0.0.1"}
    public = [c for c in processes[0].net_connections() if c.status == psutil.CONN_LISTEN]
    assert len(public) == 1


@pytest.mark.parametrize("page", ["/charts", "/tb", "/vd", "/run?runs=x"])
def test_a_page_can_be_opened_by_its_address(served: Served, page: str) -> None:
    answer = served.get(page)
    assert answer.status == 200
    assert answer.text == served.get("/").text


def test_a_mount_without_slash_leads_to_the_one_with_it_and_keeps_the_query(served: Served) -> None:
    answer = served.get("/tensorboard?runFilter=a%7Cb")
    assert (answer.status, answer.headers["location"]) == (307, "/tensorboard/?runFilter=a%7Cb")
    assert served.get("/visdom").headers["location"] == "/visdom/"


def test_the_first_page_has_its_name_too(served: Served) -> None:
    assert served.get("/runs?find=a").headers["location"] == "/?find=a"


@pytest.mark.parametrize("path", ["/tensorboard/_stcore/health", "/visdom/_stcore/host-config"])
def test_the_mounts_do_not_pass_for_streamlit(served: Served, path: str) -> None:
    assert served.get(path).status == 404


@pytest.mark.parametrize("path", ["/", "/tensorboard/data/runs", "/visdom/"])
def test_a_request_that_another_site_caused_is_refused(served: Served, path: str) -> None:
    rebound = served.get(path, host="evil.example:8501")
    assert rebound.status == 403
    assert "this one was for 'evil.example:8501'" in rebound.text
    foreign = served.get(path, origin="https://evil.example")
    assert foreign.status == 403
    assert "came from 'https://evil.example'" in foreign.text


def test_another_name_of_this_machine_is_welcome(served: Served) -> None:
    assert served.get("/tensorboard/data/runs", host="localhost:9000").status == 200


@pytest.mark.parametrize("path", ["/_stcore/stream", "/visdom/socket"])
def test_a_websocket_of_another_site_is_refused(served: Served, path: str) -> None:
    url = served.address.replace("http", "ws") + path
    with pytest.raises(InvalidStatus, match="403"):
        websockets.connect(url, origin="https://evil.example", proxy=None)


def test_tensorboard_has_no_websocket(served: Served) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        websockets.connect(served.address.replace("http", "ws") + "/tensorboard/data", proxy=None)
    assert served.printed.count("\n") == 1


def test_a_store_that_is_not_there_yet_may_come(store_url: str) -> None:
    with serve(store_url) as served:
        assert "Nothing is logged yet: there is no store at" in served.printed
        assert served.get("/").status == 200
        assert served.json("/tensorboard/data/runs") == []
        assert not Path(store_url).exists()
        run_id = fill(store_url)
        assert served.json("/tensorboard/data/runs") == [f"baseline-{run_id}"]


def test_a_store_that_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    store = tmp_path / "notes.db"
    store.write_text("not a database, " * 100)
    with start("ui", "--store", str(store), "--port", "0") as served:
        assert served.process.wait(60) == 1
    assert served.printed.startswith(f"stepscope: {store}")
    assert served.printed.count("\n") == 1


def test_a_port_that_is_taken_is_said_at_once(store_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start("ui", "--store", store_url, "--port", str(port)) as served:
            assert served.process.wait(60) == 1
    assert f"stepscope: port {port} of 127.0.0.1 is taken. Choose another one" in served.printed
    assert served.printed.count("\n") == 1


def test_without_the_extras_their_pages_say_how_to_install_them(store_url: str) -> None:
    with serve(store_url, code=WITHOUT % ["tensorboard", "a2wsgi", "visdom", "tornado"]) as served:
        for extra in ("tensorboard", "visdom"):
            answer = served.get(f"/{extra}/")
            assert answer.status == 503
            assert f"pip install &quot;stepscope[{extra}]&quot;" in answer.text
        assert served.get("/").status == 200


def test_a_browser_is_opened_when_asked_for(store_url: str, tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o700)
    with serve(store_url, "--open", BROWSER=f"{browser} %s") as served:
        wait_until(
            lambda: opened.exists() and opened.read_text() == f"{served.address}\n", what="the browser"
        )


def test_a_store_that_was_replaced_is_shown_as_it_is_now(store_url: str) -> None:
    before = fill(store_url, "before")
    with serve(store_url) as served:
        assert served.json("/tensorboard/data/runs") == [f"before-{before}"]
        for path in Path(store_url).parent.glob("stepscope.db*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert served.json("/tensorboard/data/runs") == []
        after = fill(store_url, "after")
        assert served.json("/tensorboard/data/runs") == [f"after-{after}"]


def test_it_needs_no_folder_of_its_own_and_no_settings_of_the_folder_apply(
    store_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    (folder / ".streamlit").mkdir(parents=True)
    (folder / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "elsewhere"\nport = 1\n')
    (folder / "tornado.py").write_text("raise RuntimeError('the file of the user was imported')")
    with serve(store_url, cwd=folder) as served:
        assert served.get("/_stcore/health").text == "ok"
        assert served.get("/visdom/").status == 200


@pytest.mark.crash
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_nothing_is_left(store_url: str, tmp_path: Path, number: signal.Signals) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serve(store_url, TMPDIR=str(temporary)) as served:
        assert served.get("/visdom/").status == 200
        (visdom,) = served.children()
        assert list(temporary.iterdir())
        served.process.send_signal(number)
        assert served.process.wait(30) == {signal.SIGINT: 130}.get(number, -number)
        wait_until(
            lambda: not visdom.is_running() or visdom.status() == psutil.STATUS_ZOMBIE, 30, "Visdom's end"
        )
    assert not list(temporary.iterdir())
    assert "Traceback" not in served.printed
