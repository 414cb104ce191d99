"""The Runs page in the browser: ticks belong to runs, not to rows."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect

import stepscope
from contracts.filled_store import fill
from support import wait_until

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000
ROW = 35


def chosen(page: Page) -> list[str]:
    # Not page.url, which Playwright brings up to date only while it waits for something.
    (text,) = parse_qs(page.evaluate("location.search.slice(1)")).get("runs", [""])
    return text.split(",") if text else []


def tick(page: Page, row: int) -> None:
    """Click the box of a row, the first being 0; the table is one canvas."""
    table = page.get_by_test_id("stDataFrame")
    expect(table.locator("canvas").first).to_be_visible(timeout=PATIENCE_MS)
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + ROW / 2, box["y"] + ROW * (row + 1.5))


def test_ticked_runs_stay_ticked_when_a_newer_one_comes(page: Page, dashboard: str, store_url: str) -> None:
    first, second = fill(store_url, "first"), fill(store_url, "second")
    page.goto(dashboard)
    expect(page.get_by_text("2 runs · 2 chosen")).to_be_visible(timeout=PATIENCE_MS)
    tick(page, row=0)
    wait_until(lambda: chosen(page) == [first], what="the older run alone")
    with stepscope.init(store=store_url, project="digits", name="third") as third:
        expect(page.get_by_text("3 runs · 1 chosen")).to_be_visible(timeout=PATIENCE_MS)
        tick(page, row=1)
        wait_until(lambda: set(chosen(page)) == {first, second}, what="both older runs")
        assert third.id not in chosen(page)
