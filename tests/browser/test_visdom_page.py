"""Visdom in the browser: its windows, drawn from the chosen runs, through the one public port."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from contracts.filled_store import fill

pytestmark = pytest.mark.browser
PATIENCE_MS = 60_000


def test_the_dashboards_page_fills_visdom_which_shows_its_windows(
    page: Page, dashboard: str, store_url: str
) -> None:
    fill(store_url)
    page.goto(f"{dashboard}/vd")
    frame = page.frame_locator("iframe[src*='/visdom/']")
    expect(frame.locator(".window .main-svg").first).to_be_visible(timeout=PATIENCE_MS)

    # The same server in a tab of its own. Its page is told about windows through its websocket.
    page.goto(f"{dashboard}/visdom/")
    expect(page.get_by_role("button", name="online")).to_be_visible(timeout=PATIENCE_MS)
    for drawn in (".main-svg", "img", "audio", "table"):
        expect(page.locator(f".window {drawn}").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".window").filter(has_text="baseline").first).to_be_visible()
