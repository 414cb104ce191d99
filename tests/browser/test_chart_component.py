"""What every chart can do: the linked cursor, the menu by mouse and by keyboard, and a zoom that stays."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import stepscope
from support import wait_for, wait_until

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000
STEPS = 3000


@pytest.fixture
def charts(page: Page, dashboard: str, store_url: str) -> Callable[[str], Locator]:
    """Open the Charts page over two runs, and return how to find the chart of a metric once it is drawn."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        with stepscope.init(store=store_url, name=f"=run{seed}") as run:
            for step in range(STEPS):
                run.log({"loss": 1 / (step + 1) + 0.1 * rng.random(), "accuracy": step / STEPS}, step=step)
            for step in range(1 if seed else 50):
                run.log({"short": 25.0 if seed else step}, step=step)
            for number in range(12):
                run.log({f"other{number}": 1.0}, step=0)
    page.goto(f"{dashboard}/charts")

    def find(metric: str) -> Locator:
        found = page.locator(f".stepscope-chart[aria-label^='{metric} of']")
        found.scroll_into_view_if_needed()
        expect(found).to_have_attribute("data-drawn", "", timeout=PATIENCE_MS)
        return found

    return find


def range_of(drawn: Locator) -> list[float]:
    return drawn.evaluate("b => b._fullLayout.xaxis.range")


def point_at(page: Page, drawn: Locator, share: float) -> None:
    """Move the mouse over a chart, so far from left to right."""
    box = drawn.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.5)


def test_one_cursor_for_all_charts_and_a_menu_that_saves_what_is_drawn(
    page: Page, charts: Callable[[str], Locator], shot: Callable[[str], None], tmp_path: Path
) -> None:
    loss, accuracy = charts("loss"), charts("accuracy")
    point_at(page, accuracy, 0.5)
    table = page.locator(".stepscope-values:visible")
    expect(table).to_contain_text("=run0")
    expect(table).to_contain_text("=run1")
    expect(table).to_contain_text("smoothed")
    expect(table).to_contain_text("0.49")
    lines = page.locator(".stepscope-cursor:visible")
    assert lines.count() >= 2
    shot("cursor")
    page.mouse.move(0, 0)
    expect(lines).to_have_count(0)

    loss.focus()
    page.keyboard.press("End")
    expect(table.locator("caption")).to_contain_text("2,999")
    page.keyboard.press("ArrowLeft")
    expect(table.locator("caption")).not_to_contain_text("2,999")

    # A lone point at the height of the mouse does not say where the cursor is.
    charts("short").focus()
    page.keyboard.press("End")
    expect(table.locator("caption")).to_contain_text("49")
    expect(table).to_contain_text("=run1 at 0")

    menu = page.get_by_role("button", name="Menu of the chart loss of")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Full screen")).to_be_focused()
    page.keyboard.press("ArrowUp")
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    path = tmp_path / saved.value.suggested_filename
    saved.value.save_as(path)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    # Not as a formula, whatever a spreadsheet makes of a cell that begins with "=".
    assert {row["line"][:6] for row in rows} == {"'=run0", "'=run1"}
    assert all(float(row["min"]) <= float(row["raw"]) <= float(row["max"]) for row in rows)
    assert float(rows[-1]["step"]) == STEPS - 1

    menu.click()
    with page.expect_download() as saved:
        page.get_by_role("menuitem", name="Save as SVG").click()
    saved.value.save_as(tmp_path / "chart.svg")
    assert "=run0" in (tmp_path / "chart.svg").read_text()
    menu.click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)

    # What its button says to a screen reader is as new as the chart.
    page.get_by_test_id("stSidebar").get_by_text("=run1", exact=True).click()
    wait_until(lambda: "=run1" not in (menu.get_attribute("aria-label") or ""), what="a chart of one run")


def test_a_zoom_is_in_the_address_and_brings_finer_points_and_what_lies_below_is_drawn_later(
    page: Page, charts: Callable[[str], Locator]
) -> None:
    loss = charts("loss")
    below = page.locator(".stepscope-chart[aria-label^='other9 of']")
    expect(below).to_have_count(1)
    assert below.get_attribute("data-drawn") is None, "charts far below the window should wait"
    whole = range_of(loss)
    box = loss.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5, steps=4)
    page.mouse.up()
    wait_until(lambda: whole[0] < range_of(loss)[0] < range_of(loss)[1] < whole[1], what="a zoom")
    zoomed = range_of(loss)
    wait_until(lambda: "zoom=" in page.evaluate("location.href"), what="the zoom in the address")
    within = f"b => b._fullData.some(t => t.x.filter(x => x >= {zoomed[0]} && x <= {zoomed[1]}).length > 200)"
    wait_until(lambda: loss.evaluate(within), what="finer points")

    page.reload()
    loss = charts("loss")
    wait_for(pytest.approx(zoomed), lambda: range_of(loss), "the zoom after a reload")
    page.get_by_role("button", name="Menu of the chart loss of").click()
    page.get_by_role("menuitem", name="Reset zoom").click()
    wait_for(pytest.approx(whole), lambda: range_of(loss), "the whole range")
    wait_until(lambda: "zoom=" not in page.evaluate("location.href"), what="an address without zoom")
    charts("other9")
