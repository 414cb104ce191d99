"""How a page hears of what is new, also when the server or a proxy before it refuses for a while."""

from __future__ import annotations

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
