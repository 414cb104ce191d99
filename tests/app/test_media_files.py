"""Stored pictures, sounds and films over HTTP."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import stepscope
from stepscope.app.routing.media_files import address_of, media_files
from stepscope.storage.read import Reader


@pytest.fixture
def run_id(store_url: str) -> str:
    with stepscope.init(store=store_url) as run:
        run.log({"picture": stepscope.Image(np.eye(8)), "tone": stepscope.Audio(np.zeros(80), 8000)})
        run.log({"film": stepscope.Video(b"\0\0\0\x18ftypmp42" + bytes(range(200)))})
        run.log({"chart": stepscope.Figure(go.Figure())})
        return run.id


@pytest.fixture
def client(store_url: str) -> TestClient:
    return TestClient(Starlette(routes=[media_files(store_url)]))


def digest_of(store: str, run_id: str, name: str) -> str:
    with Reader.open(store) as reader:
        (series,) = reader.series(run_id, name=name)
        (record,) = reader.records(series)
    assert record.digest is not None
    return record.digest


@pytest.mark.parametrize(
    ("name", "media_type"), [("picture", "image/png"), ("tone", "audio/wav"), ("film", "video/mp4")]
)
def test_what_was_stored_is_served_for_good(
    store_url: str, run_id: str, client: TestClient, name: str, media_type: str
) -> None:
    answer = client.get(address_of(run_id, digest_of(store_url, run_id, name)))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert "content-disposition" not in answer.headers


def test_what_no_browser_shows_safely_is_only_saved(store_url: str, run_id: str, client: TestClient) -> None:
    answer = client.get(address_of(run_id, digest_of(store_url, run_id, "chart")))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize(
    ("asked", "status", "begin", "end"),
    [
        ("bytes=0-3", 206, 0, 4),
        ("bytes=200-", 206, 200, 212),
        ("bytes=-12", 206, 200, 212),
        ("bytes=200-9999", 206, 200, 212),
        ("bytes=5-2", 416, 0, 0),
        ("bytes=900-", 416, 0, 0),
        ("bytes=-", 200, 0, 212),
        ("lines=1-2", 200, 0, 212),
    ],
)
def test_a_player_gets_the_part_that_it_asks_for(
    store_url: str, run_id: str, client: TestClient, asked: str, status: int, begin: int, end: int
) -> None:
    address = address_of(run_id, digest_of(store_url, run_id, "film"))
    whole = client.get(address).content
    answer = client.get(address, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, whole[begin:end])
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(whole)}"


@pytest.mark.parametrize(
    "path",
    [
        "/blobs/../../../etc/passwd",
        "/blobs/%2e%2e/%2e%2e",
        "/blobs/0123456789/../../secret",
        f"/blobs/0123456789/{'a' * 63}",
        f"/blobs/0123456789/{'A' * 64}",
        f"/blobs/0123456789/{'a' * 64}",
    ],
)
@pytest.mark.usefixtures("run_id")
def test_nothing_else_is_reached(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_store_that_was_replaced_is_read_anew(store_url: str, run_id: str, client: TestClient) -> None:
    address = address_of(run_id, digest_of(store_url, run_id, "picture"))
    assert client.get(address).status_code == 200
    for file in Path(store_url).parent.glob(f"{Path(store_url).name}*"):
        if file.is_file():
            os.unlink(file)
    answer = client.get(address)
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")
    with stepscope.init(store=store_url) as run:
        run.log({"picture": stepscope.Image(np.eye(8))})
    assert client.get(address_of(run.id, digest_of(store_url, run.id, "picture"))).status_code == 200
