"""A hostile run in a real browser: no script of it runs on any page, nothing is fetched from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

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
