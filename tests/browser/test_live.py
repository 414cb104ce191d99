"""How a page hears of what is new, also when the server or a proxy before it refuses for a while."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

import stepscope

pytestmark = pytest.mark.browser


def test_a_page_that_is_refused_listens_again(page: Page, dashboard: str, store_url: str) -> None:
    stepscope.init(store=store_url, name="first", console=False).finish()
    refused: list[str] = []

    def answer(route: Route) -> None:
        if len(refused) < 2:
            refused.append(route.request.url)
            route.fulfill(status=503, body="")
        else:
            route.continue_()

    page.route("**/changes?*", answer)
    page.goto(dashboard)
    expect(page.get_by_text("first").first).to_be_visible(timeout=60_000)
    stepscope.init(store=store_url, name="second", console=False).finish()
    expect(page.get_by_text("second").first).to_be_visible(timeout=60_000)
    assert len(refused) == 2


def test_a_page_that_is_told_twice_before_its_scripts_come(
    page: Page, dashboard: str, store_url: str
) -> None:
    for name in ("first", "second"):
        stepscope.init(store=store_url, name=name, console=False).finish()
    waiting: list[Route] = []
    scripts = re.compile("/(run_table|live).js$")
    page.route(scripts, lambda route: waiting.append(route))
    page.goto(dashboard)
    field = page.get_by_label("Filter", exact=True)
    field.fill('name != "first"')
    field.press("Enter")
    expect(page.get_by_text("1 run", exact=True)).to_be_visible()
    for route in waiting:
        route.continue_()
    names = page.locator(".stepscope-runs .body .name")
    expect(names).to_have_text(["second"])
    stepscope.init(store=store_url, name="third", console=False).finish()
    expect(names).to_have_text(["third", "second"])
