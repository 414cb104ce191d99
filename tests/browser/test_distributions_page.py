"""The Distributions page in a real browser: two runs in one chart, a zoom that is true, one step in full."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Error, Locator, Page, expect

import stepscope
from support import wait_until

pytestmark = pytest.mark.browser

STEPS = 300
ROWS = "b => Array.from(b._fullData[0].y)"
COLOURS = (
    "() => new Set(document.querySelector('.stepscope-chart')?._fullData?.map(t => t.line?.color)).size > 1"
)
COLUMNS = "b => Array.from(b._fullData[0].x)"


@pytest.fixture
def nets(store_url: str) -> str:
    """Fill a store with the weights of one layer as two frameworks name it."""
    rng = np.random.default_rng(0)
    for name, variable, steps in (("torch", "weight", STEPS), ("keras", "kernel", 3)):
        with stepscope.init(store=store_url, name=name, project="nets") as run:
            for step in range(steps):
                values = rng.normal(step / STEPS, 0.2, 400)
                run.log({f"weights/conv1/{variable}": values}, step=step)
    return store_url


def chart(page: Page, name: str) -> Locator:
    found = page.get_by_role("figure", name=name)

    def near() -> bool:
        try:
            found.scroll_into_view_if_needed(timeout=5_000)
        except Error:  # drawn anew meanwhile
            return False
        return True

    wait_until(near, 30, f"the chart {name}")
    expect(found).to_have_attribute("data-drawn", "", timeout=20_000)
    return found


def drag(chart: Locator, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Zoom into a part of the plot; places are shares of its width and height."""
    inside = chart.locator(".nsewdrag").first.bounding_box()
    assert inside is not None
    (x0, y0), (x1, y1) = [
        (inside["x"] + x * inside["width"], inside["y"] + y * inside["height"]) for x, y in (begin, end)
    ]
    mouse = chart.page.mouse
    mouse.move(x0, y0)
    mouse.down()
    mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
    mouse.move(x1, y1)
    mouse.up()


@pytest.mark.usefixtures("nets")
def test_two_frameworks_in_one_chart_and_a_zoom_that_is_true(
    dashboard: str, page: Page, shot: Callable[[str], None]
) -> None:
    page.goto(f"{dashboard}/distributions?style=heat+map")
    heat = chart(page, "weights/conv1/weight of torch")
    whole, columns = heat.evaluate(ROWS), heat.evaluate(COLUMNS)
    assert len(columns) == 100
    drag(heat, (0.2, 0.4), (0.5, 0.6))
    page.wait_for_url("**zoom=**")
    # As many rows on a third of the height, and steps that were left out before.
    page.wait_for_function(
        "many => document.querySelector('.stepscope-chart')?._fullData?.[0]?.x.length > many",
        arg=len(columns),
    )
    near = heat.evaluate(ROWS)
    assert len(near) == len(whole)
    assert max(near) - min(near) < 0.5 * (max(whole) - min(whole))
    page.get_by_text("overlaid", exact=True).click()
    page.get_by_text("bands", exact=True).click()
    chart(page, "weights/conv1/weight of torch, keras")
    page.wait_for_function(COLOURS)
    shot("distributions")


@pytest.mark.usefixtures("nets")
def test_a_click_shows_a_step_in_full_and_a_slider_all_of_them(
    dashboard: str, page: Page, shot: Callable[[str], None]
) -> None:
    page.goto(f"{dashboard}/distributions?layers=conv1/weight")
    bands = chart(page, "weights/conv1/weight of torch")
    inside = bands.locator(".nsewdrag").first.bounding_box()
    assert inside is not None
    middle = (inside["x"] + inside["width"] / 2, inside["y"] + inside["height"] / 2)
    page.mouse.move(*middle)
    expect(bands.locator(".hoverlayer")).to_contain_text("median")
    page.mouse.click(*middle)
    step = chart(page, "conv1/weight at one step")
    expect(step).to_contain_text("400 numbers")
    expect(page.get_by_text("numbers 400", exact=False)).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(step).to_have_count(0)
    page.get_by_text("one step", exact=True).click()
    slider = page.get_by_role("slider", name="step")
    slider.press("Home")
    expect(chart(page, "weights/conv1/weight of torch")).to_contain_text("step 0: 400 numbers")
    shot("distributions-one-step")
