"""The Curves page in the browser: curves of two runs, a step for all, shapes in space, a clicked point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import stepscope
from support import wait_until

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000


def test_curves_and_shapes_of_two_runs_at_one_step(
    page: Page, dashboard: str, store_url: str, shot: Callable[[str], None]
) -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(60) > 0.5
    corners = [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    for name in ("first", "second"):
        with stepscope.init(store=store_url, name=name, console=False) as run:
            for step in (0, 10):
                scores = np.clip((0.3 + 0.04 * step) * labels + 0.4 * rng.random(60), 0, 1)
                run.log({"pr": stepscope.PrCurve(labels, scores)}, step=step)
                rows = [f"<b>{place % 2}</b>" for place in range(9)]
                vectors = rng.normal(size=(9, 3))
                pictures = np.ones((9, 4, 4, 1))
                run.log({"vectors": stepscope.Embedding(vectors, rows, pictures)}, step=step)
                run.log(
                    {"body": stepscope.Mesh(corners, [[0, 1, 2], [0, 1, 3]], [[255, 0, 0]] * 4)}, step=step
                )
    page.goto(f"{dashboard}/curves")
    expect(page.get_by_text("first · step 10 · AP")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("figure", name="pr: average precision over the steps")).to_be_visible()
    shot("curves")

    embedding = page.get_by_role("figure", name="embedding vectors of run first at step 10")
    embedding.scroll_into_view_if_needed()
    point = embedding.locator(".point").first
    expect(point).to_be_visible(timeout=PATIENCE_MS)
    box = point.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_role("img", name="label: <b>")).to_be_visible(timeout=PATIENCE_MS)

    slider = page.get_by_role("slider", name="step")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    wait_until(lambda: "step=0" in page.evaluate("location.href"), what="the address")
    body = page.get_by_role("figure", name="mesh body of run first at step 0")
    expect(body).to_be_attached(timeout=PATIENCE_MS)
    body.scroll_into_view_if_needed()
    expect(body.locator("canvas").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("[data-testid=stException], [data-testid=stAlertContentWarning]")).to_have_count(0)
