"""What a browser loads of ours, under addresses that it may keep."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from stepscope.app.routing import browser_files, hints


@pytest.fixture
def client() -> TestClient:
    async def page(_: object) -> HTMLResponse:
        return HTMLResponse("<p>")

    routes = [browser_files.route(), Route("/charts", page), Route("/runs", page)]
    return TestClient(hints.Hints(Starlette(routes=routes)))


def test_a_file_is_kept_until_it_changes(client: TestClient) -> None:
    answer = client.get(browser_files.address_of("chart.js"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert "export default" in answer.text


@pytest.mark.parametrize(
    "path", ["/assets/old/chart.js", "/assets/7/..%2f..%2fchart.py", "/assets/7/chart.py"]
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404


def test_plotly_is_the_one_that_is_installed(client: TestClient) -> None:
    answer = client.get(browser_files.address_of(browser_files.PLOTLY))
    assert answer.text.startswith("/**\n* plotly.js v")


def test_a_page_of_charts_names_what_it_will_ask_for(client: TestClient) -> None:
    link = client.get("/charts").headers["link"]
    assert f"<{browser_files.address_of(browser_files.PLOTLY)}>; rel=preload; as=script" in link
    assert all(
        f"<{browser_files.address_of(name)}>; rel=modulepreload" in link for name in ("chart.js", "table.js")
    )
    assert "/static/js/BidiComponent." in link
    assert "link" not in client.get("/runs").headers


def test_what_is_no_page_stays_as_it_is() -> None:
    async def text(_: object) -> PlainTextResponse:
        return PlainTextResponse("text")

    client = TestClient(hints.Hints(Starlette(routes=[Route("/charts", text)])))
    assert "link" not in client.get("/charts").headers
