"""The Hyperparameters page in the browser: ranges, lines that tell whose they are, the way to other pages."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page, expect

import stepscope
from support import wait_until

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000
SIDE = 70
"""Pixels from the edge of the drawing to its first and last axis."""


def test_a_sweep_is_narrowed_down_and_its_best_runs_are_chosen(
    page: Page, dashboard: str, store_url: str, shot: Callable[[str], None]
) -> None:
    ids: list[str] = []
    for number in range(10):
        config = {"lr": 10.0 ** -(1 + number % 5), "norm": "ab"[number % 2]}
        with stepscope.init(
            store=store_url, name=f"trial <b>{number}</b>", config=config, console=False
        ) as run:
            run.log({"val/loss": abs(number % 5 - 2) + 0.01 * number}, step=0)
            ids.append(run.id)
    page.goto(f"{dashboard}/hyperparameters")
    drawing = page.get_by_role("img", name="Parallel coordinates of 2 settings")
    expect(drawing).to_be_visible(timeout=PATIENCE_MS)
    expect(
        page.get_by_role("figure", name="Importance of each setting for loss · validation (min)")
    ).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("Only 10 runs").or_(page.get_by_text("explain next to nothing"))).to_be_visible()

    # A line tells whose it is, by the keyboard too: the best run first.
    drawing.focus()
    page.keyboard.press("ArrowDown")
    told = page.get_by_role("status").filter(has_text="norm:")
    expect(told).to_contain_text("trial <b>2</b>")
    expect(told).to_contain_text("lr: 0.001")
    shot("hyperparameters")

    # A range on the first axis, lr: its upper half.
    box = drawing.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + SIDE, box["y"] + 46)
    page.mouse.down()
    page.mouse.move(box["x"] + SIDE, box["y"] + 180, steps=4)
    page.mouse.up()
    wait_until(lambda: 'brushes=["[\\"lr\\",' in unquote(page.evaluate("location.href")), what="the address")
    expect(page.get_by_text("Best runs 4")).to_be_visible(timeout=PATIENCE_MS)

    page.get_by_role("button", name="Choose the best 4").click()
    wait_until(lambda: page.evaluate("location.href").count("%2C") >= 3, what="four runs in the address")
    page.reload()
    expect(page.get_by_text("Best runs 4")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Clear ranges").click()
    expect(page.get_by_text("Best runs 10")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("link", name="Charts").click()
    chart = page.locator(".stepscope-chart[aria-label^='loss of']")
    wait_until(lambda: (chart.get_attribute("aria-label") or "").count("trial") == 4, what="four lines")
