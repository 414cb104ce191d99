"""The Charts page in the browser: live, zoomed, smoothed, and in step with the other pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import stepscope
from contracts.filled_store import fill
from support import wait_for, wait_until

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000

GROUPS = {"0.1 · train · mean of 2 runs", "0.5 · train · 1 run"}
DRAWN = """b => (b._fullData ?? []).filter(t => !t.meta?.mark && !t.meta?.band)
  .map(t => ({name: t.name, many: t._length, y: Array.from(t.y)}))"""
RANGE = "b => b._fullLayout.xaxis.range"


def chart(page: Page, metric: str) -> Locator:
    """Return the chart of a metric, once it is drawn."""
    found = page.locator(f".stepscope-chart[aria-label^='{metric} of']")
    expect(found.locator(".main-svg").first).to_be_visible(timeout=PATIENCE_MS)
    return found


def lines(drawn: Locator) -> list[dict[str, Any]]:
    return drawn.evaluate(DRAWN)


def longest(drawn: Locator) -> int:
    return max((line["many"] for line in lines(drawn)), default=0)


def begins(drawn: Locator, letters: int) -> set[str]:
    """Return the first letters of the names of a chart's lines."""
    return {line["name"][:letters] for line in lines(drawn)}


def zoomed_range(drawn: Locator, least: float, most: float) -> list[float]:
    """Return the range of a chart's steps, once it lies within these."""

    def within() -> list[float]:
        first, last = drawn.evaluate(RANGE)
        return [first, last] if least < first < last < most else []

    return wait_until(within, what=f"a range between {least} and {most}")


def address(page: Page) -> str:
    """Return the page's address; page.url is brought up to date only while Playwright waits for something."""
    return page.evaluate("location.href")


def log(run: stepscope.Run, first: int, last: int) -> None:
    rng = np.random.default_rng(first)
    for step in range(first, last):
        run.log({"loss/train": 1 / (step + 1) + 0.1 * rng.random()}, step=step)
    assert run.flush()


def drag(page: Page, drawn: Locator) -> None:
    """Zoom into the middle of a chart, as a hand does."""
    box = drawn.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.7, steps=5)
    page.mouse.up()


def test_a_run_appears_and_grows_while_it_trains_and_keeps_the_zoom(
    page: Page, dashboard: str, store_url: str
) -> None:
    page.goto(f"{dashboard}/charts")
    expect(page.get_by_role("heading", name="No runs yet")).to_be_visible(timeout=PATIENCE_MS)
    with stepscope.init(store=store_url, name="training") as run:
        log(run, 0, 60)
        drawn = chart(page, "loss")
        expect(page.locator("label").filter(has_text="training")).to_be_visible(timeout=PATIENCE_MS)
        wait_for(60, lambda: longest(drawn), "the number of points")

        drawn.evaluate("b => b.mark = 'the same element'")
        drag(page, drawn)
        zoomed = zoomed_range(drawn, 10, 50)
        log(run, 60, 120)
        wait_for(120, lambda: longest(drawn), "the number of points")
        assert drawn.evaluate(RANGE) == pytest.approx(zoomed)
        assert drawn.evaluate("b => b.mark") == "the same element"


def test_smoothing_changes_the_curve_and_leaves_the_logged_one_behind_it(
    page: Page, dashboard: str, store_url: str
) -> None:
    with stepscope.init(store=store_url) as run:
        log(run, 0, 100)
    page.goto(f"{dashboard}/charts?smoothing=0.9")
    drawn = chart(page, "loss")
    wait_for(2, lambda: len(lines(drawn)), "the number of lines")
    behind, front = (np.array(line["y"]) for line in lines(drawn))
    assert np.diff(front)[20:].std() < 0.3 * np.diff(behind)[20:].std()

    slider = page.get_by_role("slider", name="Smoothing")
    slider.focus()
    page.keyboard.press("Home")
    wait_for(1, lambda: len(lines(drawn)), "the number of lines")
    np.testing.assert_array_equal(lines(drawn)[0]["y"], behind)
    wait_until(lambda: address(page).endswith("smoothing=0"), what="the address")


def test_ticking_a_run_reaches_every_page_and_survives_a_reload(
    page: Page, dashboard: str, store_url: str
) -> None:
    fill(store_url, "first")
    second = fill(store_url, "second", seed=1)
    page.goto(f"{dashboard}/charts")
    drawn = chart(page, "loss")
    wait_for({"first", "secon"}, lambda: begins(drawn, 5), "two runs")
    page.locator("label").filter(has_text="first").click()
    wait_for({"second"}, lambda: begins(drawn, 6), "one run")
    wait_until(lambda: f"runs={second}" in address(page), what="the address")

    page.reload()
    wait_for({"second"}, lambda: begins(chart(page, "loss"), 6), "one run after the reload")
    page.get_by_role("link", name="Distributions").click()
    expect(page.locator(".stepscope-chart[aria-label='weights/fc1 of second']")).to_be_visible(
        timeout=PATIENCE_MS
    )
    expect(page.locator(".stepscope-chart[aria-label$='of first']")).to_have_count(0)
    wait_until(lambda: f"runs={second}" in address(page), what="the address of the next page")


def test_groups_pins_and_a_zoom_survive_a_reload(
    page: Page, dashboard: str, store_url: str, shot: Callable[[str], None]
) -> None:
    for lr in (0.1, 0.1, 0.5):
        with stepscope.init(store=store_url, name=f"lr {lr}", config={"lr": lr}) as run:
            log(run, 0, 3000)
            run.log({"net/width": lr}, step=0)
            run.alert("half way", step=1500)
    page.goto(f"{dashboard}/charts?group_by=config.lr&smoothing=0")
    drawn = chart(page, "loss")
    wait_for(GROUPS, lambda: {line["name"] for line in lines(drawn)}, "two groups")
    expect(page.get_by_text("0.1 (2 runs)")).to_be_visible(timeout=PATIENCE_MS)
    shot("charts-groups")

    before = longest(drawn)
    drag(page, drawn)
    wait_until(lambda: "zoom=" in address(page), what="the zoom in the address")
    wait_until(lambda: longest(drawn) > before, what="finer points")
    zoomed = drawn.evaluate(RANGE)

    page.get_by_role("button", name="Pin net/width").click()
    expect(page.get_by_text("Pinned")).to_be_visible(timeout=PATIENCE_MS)
    page.reload()
    drawn = chart(page, "loss")
    wait_for(pytest.approx(zoomed), lambda: drawn.evaluate(RANGE), "the zoom after a reload")
    expect(page.get_by_text("Pinned")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Unpin net/width")).to_be_visible(timeout=PATIENCE_MS)
    shot("charts-pinned-and-zoomed")

    for folded in (True, False):
        page.locator("summary").filter(has_text="Metrics").click()
        wait_for(folded, lambda: "sections=" in address(page), "whether sections are in the address")
        expect(page.locator(".stepscope-chart[aria-label^='loss of']")).to_have_count(0 if folded else 1)


@pytest.mark.parametrize("name", ["media", "graph", "run"])
def test_the_other_pages_show_what_was_logged(page: Page, dashboard: str, store_url: str, name: str) -> None:
    fill(store_url, "first")
    page.goto(f"{dashboard}/{name}")
    shown = {
        "media": page.get_by_role("img", name="image digit of run first at step 7"),
        "graph": page.locator(".stepscope-graph .box").first,
        "run": page.get_by_role("heading", name="first"),
    }
    expect(shown[name]).to_be_visible(timeout=PATIENCE_MS)
    # The Run page says of a tab that has nothing that there is nothing: that is an alert for Streamlit.
    wrong = ("stAlertContentError", "stAlertContentWarning", "stException")
    expect(page.locator(", ".join(f"[data-testid={kind}]" for kind in wrong))).to_have_count(0)


def test_nothing_that_was_logged_runs_in_the_browser(page: Page, dashboard: str, store_url: str) -> None:
    evil = "<img src=x onerror='window.hit=1'><script>window.hit=1</script>"
    with stepscope.init(store=store_url, project=evil, name=evil, tags=(evil,), notes=evil) as run:
        run.log({evil: 1.0, f"{evil}h": np.arange(9.0), f"{evil}t": stepscope.Text(evil)}, step=0)
        run.log({f"{evil}i": stepscope.Image(np.zeros((8, 8)), caption=evil)}, step=0)
    for name in ("", "charts", "distributions", "media", "run"):
        page.goto(f"{dashboard}/{name}")
        expect(page.get_by_text("onerror").or_(page.locator("canvas")).first).to_be_visible(
            timeout=PATIENCE_MS
        )
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.hit") is None
