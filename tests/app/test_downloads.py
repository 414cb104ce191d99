"""Files of artifacts over HTTP, and the Run page that links them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import stepscope
from pages import opened
from stepscope.app.routing.downloads import address_of, downloads
from stepscope.storage.artifacts import ArtifactInfo, artifacts_of_run
from stepscope.storage.read import Reader

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


@pytest.fixture
def filled(store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Fill a store with one run that says all that a run can say."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "wëights.bin").write_bytes(os.urandom(2_000_000))
    (tmp_path / "model" / "page.html").write_text("<script>alert(1)</script>")
    with stepscope.init(store=store_url, project="p", name="maker") as run:
        run.log({"loss": 1.0, "system/stepscope/cost_percent": 0.4})
        print("val <b>0.98</b>")
        print("careful", file=sys.stderr)
        for number in range(5):
            run.alert(f"alert {number} <b>", "because ![x](y)", "error" if number else "info")
        run.log_artifact(tmp_path / "model", "classifier", type="model", metadata={"acc": 0.98})
    with stepscope.init(store=store_url, project="p", name="user") as run:
        run.use_artifact("classifier")
    capsys.readouterr()
    return store_url


def artifact_of(store: str) -> ArtifactInfo:
    with Reader.open(store) as reader:
        (found,) = artifacts_of_run(reader, reader.find_run("maker").run_id)
    return found


def test_files_are_saved_and_never_shown(filled: str, tmp_path: Path) -> None:
    client = TestClient(Starlette(routes=[downloads(filled)]))
    artifact = artifact_of(filled)
    for number, file in enumerate(artifact.files):
        answer = client.get(address_of(artifact, number))
        assert answer.content == (tmp_path / "model" / file.path).read_bytes()
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    "path",
    [
        "/artifacts/../../../etc/passwd",
        "/artifacts/%2e%2e/%2e%2e/0",
        "/artifacts/{run}/..%2f..%2fetc/0",
        "/artifacts/{run}/{token}/7",
        "/artifacts/{run}/{token}/-1",
        "/artifacts/{run}/{token}/../0",
        "/artifacts/0000000000/{token}/0",
        "/artifacts/{run}/staged-000000000000/0",
        "/artifacts/{run}/{token}",
    ],
)
def test_nothing_else_is_given(filled: str, path: str) -> None:
    client = TestClient(Starlette(routes=[downloads(filled)]))
    artifact = artifact_of(filled)
    answer = client.get(path.format(run=artifact.run_id, token=artifact.token))
    assert answer.status_code == 404
    assert b"root:" not in answer.content


def run_page(store: str, run: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("STEPSCOPE_STORE", store)
    with Reader.open(store) as reader:
        run_id = reader.find_run(run).run_id
    return opened("run", runs=run_id, part="Artifacts")


def test_the_run_page_shows_what_the_run_says(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test = run_page(filled, "maker", monkeypatch)
    assert not test.exception
    alerts = [str(one.value).replace("\\", "") for one in test.error]
    assert [alert.split("**")[1] for alert in alerts] == ["alert 4 <b>", "alert 3 <b>", "alert 2 <b>"]
    cells = {str(cell) for frame in test.dataframe for cell in frame.value.to_numpy().ravel()}
    assert {"wëights.bin", address_of(artifact_of(filled), 0), "acc", "alert 1 <b>"} <= cells
    said = "\n".join(str(one.value) for one in test.markdown).replace("\\", "")
    assert "**classifier** · v0 · model · 2 MB" in said
    assert "cost 0.4 % of step time" in said


def test_a_run_that_used_an_artifact_says_so(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test = run_page(filled, "user", monkeypatch)
    assert not test.exception
    cells = {str(cell) for frame in test.dataframe for cell in frame.value.to_numpy().ravel()}
    assert "classifier:v0" in cells
