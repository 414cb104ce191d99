"""A viewer, or news of the store, that come before the page has heard of the choice before.

The browser then asks with the address and the values of controls that it still knows.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

import stepscope
from slow_link import SlowLink
from stepscope.storage.kinds.graph import GraphData, Layer
from support import wait_until

pytestmark = pytest.mark.browser


def finished(store_url: str, *names: str) -> None:
    for name in names:
        stepscope.init(store=store_url, name=name, console=False).finish()


def test_a_choice_outlives_news(slow_link: SlowLink, page: Page, dashboard: str, store_url: str) -> None:
    finished(store_url, "first", "second")
    page.goto(dashboard)
    field = page.get_by_label("Filter", exact=True)
    names = page.locator(".stepscope-runs .body .name")
    field.fill('name == "first"')
    field.press("Enter")
    expect(names).to_have_text(["first"])
    slow_link.hold()
    field.fill('name != "first"')
    field.press("Enter")
    slow_link.wait_for_drawings(1)
    finished(store_url, "third")
    slow_link.wait_for_drawings(2)
    slow_link.release()
    expect(names).to_have_text(["third", "second"])
    expect(field).to_have_value('name != "first"')


def test_runs_are_ticked_quickly_after_all_were_taken_away(
    slow_link: SlowLink, page: Page, dashboard: str, store_url: str
) -> None:
    finished(store_url, "first", "second", "third")
    page.goto(f"{dashboard}/charts")
    ticks = page.get_by_role("checkbox")
    expect(ticks).to_have_count(3)
    slow_link.hold()
    page.get_by_role("button", name="None", exact=True).click()
    slow_link.wait_for_drawings(1)
    page.get_by_label("Find runs").fill("i")
    slow_link.wait_for_drawings(2)
    slow_link.release()
    expect(page.get_by_text("0 of 3 shown")).to_be_visible()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)


def test_a_tick_outlives_the_drawing_of_the_one_before(
    slow_link: SlowLink, page: Page, dashboard: str, store_url: str
) -> None:
    finished(store_url, "first", "second", "third")
    page.goto(f"{dashboard}/charts?runs=")
    expect(page.get_by_role("checkbox")).to_have_count(3)

    def tick(name: str) -> None:
        page.locator(".stCheckbox", has_text=name).locator("label").click()

    slow_link.hold()
    tick("first")
    slow_link.wait_for_drawings(1)
    tick("second")
    slow_link.wait_for_drawings(2)
    slow_link.release_one_drawing()
    tick("third")
    slow_link.wait_for_drawings(2)
    slow_link.release()
    expect(page.get_by_text("3 of 3 shown")).to_be_visible()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(3)


def test_back_over_two_pages_shows_the_page_as_it_was(page: Page, dashboard: str, store_url: str) -> None:
    finished(store_url, "first", "second")
    page.goto(dashboard)
    names = page.locator(".stepscope-runs .body .name")
    field = page.get_by_label("Filter", exact=True)
    for text, shown in (('name == "first"', ["first"]), ('name == "second"', ["second"])):
        field.fill(text)
        field.press("Enter")
        expect(names).to_have_text(shown)
        wait_until(lambda: "filter=" in page.url, what="the filter in the address")
        if shown == ["first"]:
            page.get_by_role("link", name="Charts").click()
            expect(page.get_by_role("searchbox", name="Metrics")).to_be_visible()
            page.get_by_role("link", name="Runs", exact=True).click()
    page.evaluate("history.go(-2)")
    expect(names).to_have_text(["first"])
    expect(field).to_have_value('name == "first"')


def test_a_layer_is_chosen_quickly_after_a_module_was_closed(
    slow_link: SlowLink, page: Page, dashboard: str, store_url: str
) -> None:
    paths = {"": "Net", "body": "Block", "body/one": "Linear", "body/two": "Linear", "head": "Linear"}
    layers = tuple(Layer(path, kind, parameters=4) for path, kind in paths.items())
    with stepscope.init(store=store_url, name="net", console=False) as run:
        run.log({"model": stepscope.Graph(GraphData("net", "torch", "modules", (), layers))}, step=0)

    def box(part: str) -> Locator:
        return page.locator(f".stepscope-graph [data-id='{part}']")

    page.goto(f"{dashboard}/graph")
    box("body").click()
    box("body/one").click()
    expect(box("body/one")).to_have_attribute("aria-pressed", "true")
    wait_until(lambda: "layer=body" in page.url, what="the layer in the address")
    slow_link.hold()
    box("body").locator(".sign").click()
    slow_link.wait_for_drawings(1)
    box("head").focus()
    page.keyboard.press("Enter")
    slow_link.wait_for_drawings(2)
    slow_link.release()
    expect(box("head")).to_have_attribute("aria-pressed", "true")
    expect(box("body/one")).to_have_count(0)
