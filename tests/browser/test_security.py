"""A hostile run in a real browser: no script of it runs on any page, nothing is fetched from elsewhere."""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from contracts.hostile_store import MARK, attack, fill_hostile
from support import ROOT

pytestmark = pytest.mark.browser
PAGES = re.findall(r'url_path="(\w+)"', (ROOT / "app" / "main.py").read_text())
INSIDE = {"tb": "runs-data-table, tb-webapp", "vd": ".window"}
"""What shows that an embedded page is drawn."""


@pytest.fixture
def ran(page: Page) -> list[str]:
    """Return what scripts of the run did, in any frame: nothing, as long as all is well."""
    ran: list[str] = []
    page.context.expose_function(MARK, lambda where="": ran.append(str(where)))
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    return ran


@pytest.mark.parametrize(
    "names", [("media", "run"), pytest.param(PAGES, marks=pytest.mark.long)], ids=["some pages", "all pages"]
)
def test_no_page_runs_what_a_run_has_logged(
    page: Page, dashboard: str, store_url: str, tmp_path: Path, ran: list[str], names: Sequence[str]
) -> None:
    """The fixture `page` fails when anything is asked of another machine."""
    (tmp_path / "files").mkdir()
    run_id = fill_hostile(store_url, tmp_path / "files")
    page.goto(dashboard)
    page.evaluate(f"{MARK}('a script that runs is noticed')")
    assert ran == ["a script that runs is noticed"]
    ran.clear()
    for name in names:
        page.goto(f"{dashboard}/{name}?runs={run_id}&run={run_id}")
        settled(page)
        if name in INSIDE:
            drawn = page.frame_locator("iframe[src^='/']").locator(INSIDE[name]).first
            expect(drawn).to_be_attached(timeout=60_000)
        touch_everything(page)
        assert not ran, f"on page {name}"
    for name in {"runs", "charts", "media"} & set(names):
        page.goto(
            f"{dashboard}/{name}?find={attack('find')}&metrics={attack('metrics')}&runs={attack('runs')}"
        )
        settled(page)
        assert not ran, f"from the address of page {name}"


def settled(page: Page) -> None:
    """Wait until the page is drawn."""
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=60_000
    )
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def touch_everything(page: Page) -> None:
    """Open what is folded, look at every part of the page, and follow the links that a script hides in."""
    for summary in page.locator("details:not([open]) > summary").all():
        summary.click()
    page.mouse.move(640, 450)
    page.mouse.wheel(0, 4000)
    for chart in page.locator(".plot-container").all()[:4]:
        chart.hover(force=True)
    for link in page.locator("a[href^='javascript']").all():
        link.click(force=True)


class OtherSite(BaseHTTPRequestHandler):
    """A site whose pages use the dashboard at `dashboard`."""

    dashboard = ""

    def do_GET(self) -> None:
        base = self.dashboard
        asks = f"<iframe src='{base}'></iframe><script src='{base}/tensorboard/data/runs'></script>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"{asks}<a href='{base}/charts'>charts</a>".encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other_site(dashboard: str) -> Generator[str]:
    OtherSite.dashboard = dashboard
    try:
        server = HTTPServer(("127.0.0.2", 0), OtherSite)
    except OSError:
        pytest.skip("this machine has no address of its own but 127.0.0.1")
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.2:{server.server_port}"
        server.shutdown()


def test_a_page_of_another_site_can_neither_frame_it_nor_ask_it_for_anything(
    browser: Browser, dashboard: str, other_site: str
) -> None:
    """A link to it may be anywhere; test_sharing.py has the frame of a notebook, which may."""
    page = browser.new_page()
    answers: dict[str, int] = {}
    page.on("response", lambda answer: answers.update({answer.url: answer.status}))
    with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
        page.goto(other_site)
    assert answers[f"{dashboard}/tensorboard/data/runs"] == 403
    page.get_by_role("link", name="charts").click()
    expect(page.get_by_test_id("stTopNav").get_by_role("link", name="Charts")).to_be_visible(timeout=60_000)
    page.close()
