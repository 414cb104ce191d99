"""The password and the exports, as a viewer meets them."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from contracts.filled_store import fill
from served import serve
from stepscope.app.notebook import Dashboard

pytestmark = pytest.mark.browser
PASSWORD = "correct horse battery"  # noqa: S105 - it guards nothing


@pytest.fixture
def shared(store_url: str) -> Generator[str]:
    """Yield the address of a dashboard that asks for a password."""
    with serve(store_url, STEPSCOPE_PASSWORD=PASSWORD) as served:
        yield served.address


def test_a_viewer_logs_in_exports_and_leaves(
    page: Page, shared: str, store_url: str, shot: Callable[[str], None]
) -> None:
    run_id = fill(store_url)
    page.goto(f"{shared}/charts?runs={run_id}")
    page.get_by_label("Password").fill("a wrong one")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    shot("login")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{shared}/charts?runs={run_id}")

    page.goto(f"{shared}/run?runs={run_id}")
    page.get_by_role("button", name="Export").first.click()
    page.get_by_text("Parquet").click()
    expect(page.get_by_text("Parquet of baseline")).to_be_visible()
    # It goes on while one looks at another page.
    page.get_by_test_id("stTopNav").get_by_role("link", name="Charts").click()
    save = page.get_by_role("link", name="Save")
    expect(save).to_be_visible(timeout=60_000)
    shot("export")
    with page.expect_download() as download:
        save.click()
    archive = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert f"points/project=digits/run={run_id}/part-0.parquet" in archive.namelist()
    assert download.value.suggested_filename == "baseline parquet.zip"

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Log out").click()
    opened.value.get_by_role("button", name="Log out").click()
    expect(opened.value.get_by_label("Password")).to_be_visible()
    page.goto(shared)
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_notebook_of_another_origin_shows_the_dashboard(
    page: Page, dashboard: str, store_url: str, shot: Callable[[str], None]
) -> None:
    fill(store_url)
    shown = Dashboard(dashboard, 700, None)
    cell = f"<!doctype html><title>Notebook</title><h1>Notebook</h1>{shown._repr_html_()}".encode()

    class Notebook(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(cell)

    with HTTPServer(("127.0.0.1", 0), Notebook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://localhost:{server.server_port}/")
        frame = page.frame_locator("iframe[title=Stepscope]")
        frame.get_by_test_id("stTopNav").get_by_role("link", name="Charts").click()
        expect(frame.get_by_text("loss").first).to_be_visible(timeout=60_000)
        shot("notebook")
        server.shutdown()
