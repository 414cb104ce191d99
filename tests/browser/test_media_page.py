"""The Media page in a real browser: what was logged is drawn and played, and reaches nowhere else."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest
from playwright.sync_api import Page, expect

import stepscope
from contracts.filled_store import HOSTILE, fill

pytestmark = pytest.mark.browser


def test_every_kind_is_drawn_and_nothing_is_run_or_loaded(store_url: str, dashboard: str, page: Page) -> None:
    fill(store_url)
    elsewhere = "https://elsewhere.example/x.png"
    hostile = go.Figure(go.Scatter(y=[1, 3, 2], name=HOSTILE))
    hostile.add_layout_image(source=elsewhere, x=0, y=1, sizex=1, sizey=1)
    hostile.update_layout(title=f"<a href='{elsewhere}'>a link</a>{HOSTILE}", annotations=[{"text": HOSTILE}])
    with stepscope.init(store=store_url, name="hostile", project="digits") as run:
        maps = go.Figure(go.Scattergeo(lon=[1], lat=[2]))
        run.log({"chart": [stepscope.Figure(hostile), stepscope.Figure(maps)]}, step=1)
        run.log({"cells": stepscope.Table([HOSTILE], [[f"![x]({elsewhere})"]])}, step=1)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(f"{dashboard}/media")
    page.get_by_text("All", exact=True).first.click()
    expect(page.get_by_label("figure bars of run baseline at step 5")).to_be_visible()
    expect(page.get_by_label("embedding vectors of run baseline at step 5")).to_be_visible()
    expect(page.get_by_text("1 map not shown: it would be loaded from another server")).to_be_visible()
    expect(page.get_by_text("<a href=", exact=False).first).to_be_visible()
    assert page.locator("a[href*='elsewhere']").count() == 0
    player = page.locator("video").first
    expect(player).to_be_visible()
    assert player.evaluate(
        "v => new Promise(r => v.readyState ? r(true) : v.onloadedmetadata = () => r(true))"
    )
    assert player.evaluate("v => [v.videoWidth, v.videoHeight, v.duration]") == [18, 16, 1]
    assert not dialogs
