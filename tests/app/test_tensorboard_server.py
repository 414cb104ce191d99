"""`stepscope tensorboard`: TensorBoard on a port of its own."""

from __future__ import annotations

import signal
from collections.abc import Generator
from pathlib import Path

import pytest

import stepscope
from served import Served, serve
from stepscope.app.access.check import AccessCheck
from stepscope.app.access.entrance import AccessRefused, Entrance
from stepscope.app.cli import main
from stepscope.app.tensorboard_live.server import build_app
from support import wait_until

PASSWORD = "a long password"  # noqa: S105


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("store") / "stepscope.db")


@pytest.fixture(scope="module")
def served(store: str) -> Generator[Served]:
    with serve(store, verb="tensorboard") as served:
        yield served


def test_it_waits_for_a_store_and_shows_it_at_the_root(served: Served, store: str) -> None:
    assert "Nothing is logged yet" in served.printed
    assert "TensorBoard shows" in served.printed
    assert f"{served.address}/ (Ctrl-C stops it)" in served.printed
    page = served.get("/")
    assert page.status == 200
    assert "TensorBoard" in page.text
    assert served.json("/data/runs") == []
    with stepscope.init(name="first", store=store) as run:
        run.log({"loss": 0.5}, step=1, context={"split": "train"})
    assert served.json("/data/runs") == [f"first-{run.id}", f"first-{run.id}/train"]
    [[_, step, value]] = served.json("/data/plugin/scalars/scalars", run=f"first-{run.id}/train", tag="loss")
    assert (step, value) == (1, 0.5)


def test_pages_of_other_sites_may_not_ask_nor_frame_it(served: Served) -> None:
    refused = served.get("/data/runs", host="evil.example")
    assert refused.status == 403
    framed_by = [
        policy
        for policy in served.get("/").headers.get_all("Content-Security-Policy")
        if policy.startswith("frame-ancestors")
    ]
    assert len(framed_by) == 1
    assert "evil" not in framed_by[0]
    assert "'self'" in framed_by[0]


def test_a_taken_port_gets_a_sentence(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    port = served.address.rpartition(":")[2]
    assert main(["tensorboard", "--port", port]) == 1
    printed = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 is taken" in printed
    assert f"stepscope tensorboard --port {int(port) + 1}" in printed


@pytest.mark.long  # test_server.py ends the dashboard's server so, which is the same
def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    with serve(str(tmp_path / "other.db"), verb="tensorboard") as served:
        served.process.send_signal(signal.SIGINT)
        wait_until(lambda: served.process.poll() is not None, 30, "its end")
    assert served.process.returncode in (0, 130)
    assert "Traceback" not in served.printed


def test_others_reach_it_with_a_password_only() -> None:
    everywhere = "0.0.0.0"
    with pytest.raises(AccessRefused, match=r"TensorBoard on 0\.0\.0\.0 would be open.*names\.$"):
        Entrance(everywhere, command="tensorboard").access(6006)
    access = Entrance(everywhere, password=PASSWORD, command="tensorboard").access(6006)
    assert access.login is not None
    [middleware] = build_app("sqlite:///nothing.db", access).user_middleware
    assert (middleware.cls, middleware.kwargs) == (AccessCheck, {"access": access})
