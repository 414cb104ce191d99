"""How a page hears of what is new, also when the server or a proxy before it refuses for a while."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

import stepscope
from support import wait_until

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


def drawings(answers: Sequence[str | bytes]) -> int:
    """Return how many drawings of the page, or of a part of it, ended in the server's answers."""
    kinds = [ForwardMsg.FromString(one).WhichOneof("type") for one in answers if isinstance(one, bytes)]
    return kinds.count("script_finished")


def test_a_choice_outlives_news_that_come_before_the_page_heard_of_it(
    page: Page, dashboard: str, store_url: str
) -> None:
    for name in ("first", "second"):
        stepscope.init(store=store_url, name=name, console=False).finish()
    browsers: list[WebSocketRoute] = []
    held: list[str | bytes] = []
    slow = False

    def connect(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        server.on_message(lambda message: held.append(message) if slow else browser.send(message))
        browsers.append(browser)

    def answered(times: int) -> bool:
        page.wait_for_timeout(20)  # In which Playwright handles messages.
        return drawings(held) >= times

    page.route_web_socket("**/_stcore/stream", connect)
    page.goto(dashboard)
    field = page.get_by_label("Filter", exact=True)
    names = page.locator(".stepscope-runs .body .name")
    field.fill('name == "first"')
    field.press("Enter")
    expect(names).to_have_text(["first"])
    slow = True
    field.fill('name != "first"')
    field.press("Enter")
    wait_until(lambda: answered(1), what="the answer to the filter")
    stepscope.init(store=store_url, name="third", console=False).finish()
    wait_until(lambda: answered(2), what="the answer to the news, asked for with the address before")
    slow = False
    for message in held:
        browsers[-1].send(message)
    expect(names).to_have_text(["third", "second"])
    expect(field).to_have_value('name != "first"')
