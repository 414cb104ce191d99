"""A real Visdom server that asks for a name and a password is filled, and read."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

import stepscope
from real_visdom import visdom_server
from stepscope.storage.errors import BadInput, ExportRefused
from stepscope.storage.read import Reader
from stepscope.trackers.exports import export_visdom
from stepscope.trackers.imports import import_runs
from stepscope.trackers.sources.visdom.source import VisdomSource


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Yield the URL of a server that holds an environment which was lost."""
    home = tmp_path_factory.mktemp("home")
    # Visdom looks for its cookie's secret there.
    (home / ".visdom").mkdir()
    (home / "envs").mkdir()
    (home / "envs" / "lost.json").write_text("null")
    asked = {"VISDOM_USERNAME": "me", "VISDOM_PASSWORD": "se/cr@t", "VISDOM_COOKIE": "crumb"}
    environment = {**asked, "VISDOM_USE_ENV_CREDENTIALS": "1", "HOME": str(home)}
    with visdom_server(home / "envs", options=("-enable_login",), environment=environment) as url:
        yield url


@pytest.fixture
def filled(store_url: str) -> Generator[Reader]:
    with stepscope.init(store=store_url, project="digits", name="baseline") as run:
        run.log({"train/loss": 1.0})
    with Reader.open(store_url) as reader:
        yield reader


def with_login(server: str, login: str) -> str:
    return server.replace("//", f"//{login}@")


def test_runs_are_exported_and_come_back(server: str, filled: Reader, tmp_path: Path) -> None:
    known = with_login(server, "me:se%2Fcr%40t")
    assert export_visdom(filled, ["baseline"], server=known).places == (f"{server}/env/digits",)
    source = VisdomSource(known)
    done = import_runs(source, str(tmp_path / "back.db"))
    assert (done.runs, done.points) == (1, 1)
    assert any("lost cannot be read" in problem for problem in done.problems)
    assert not any("se/cr" in one.key or "se%2Fcr" in one.key for one in source.runs())


def test_an_export_that_is_not_let_in(server: str, filled: Reader) -> None:
    with pytest.raises(ExportRefused, match="it asks for a name and a password"):
        export_visdom(filled, ["baseline"], server=server)
    with pytest.raises(ExportRefused, match="it does not know 'you' with that password") as caught:
        export_visdom(filled, ["baseline"], server=with_login(server, "you:hidden"))
    assert "hidden" not in str(caught.value)


def test_an_import_that_is_not_let_in(server: str) -> None:
    with pytest.raises(BadInput, match=r"asks for a login, asked for env_state\. Put the user"):
        VisdomSource(server).runs()
    with pytest.raises(BadInput, match="asks for a login"):
        VisdomSource(with_login(server, "me:wrong")).runs()
