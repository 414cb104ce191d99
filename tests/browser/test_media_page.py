"""The Media page in a real browser: one slider for all runs; what was logged is drawn and runs nothing."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

import stepscope
from contracts.filled_store import HOSTILE, fill
from pages import change

pytestmark = pytest.mark.browser


@pytest.fixture
def gan(store_url: str) -> str:
    """Fill a store with two runs that log one picture at steps of different length."""
    for name, every, count in (("quick", 1, 6), ("slow", 10, 4)):
        with stepscope.init(store=store_url, name=name, project="gan") as run:
            for number in range(count):
                shade = np.full((6, 8), number / 10)
                step = number * every
                run.log({"samples": stepscope.Image(shade, caption=f"{name} at {step}")}, step=step)
                run.log({"notes": stepscope.Text(f"what {name} said at {step}")}, step=step)
    return store_url


def card(page: Page, run: str) -> Locator:
    return page.locator("figure.card").filter(has_text=run).first


def shade(card: Locator) -> int:
    """Return the grey of the picture that the card really shows."""
    card.locator("img").evaluate("i => i.decode()")
    data = card.page.request.get(card.locator("img").evaluate("i => i.src")).body()
    return int(np.asarray(Image.open(io.BytesIO(data)))[0, 0])


@pytest.mark.usefixtures("gan")
def test_one_slider_drives_all_runs(dashboard: str, page: Page, shot: Callable[[str], None]) -> None:
    page.goto(f"{dashboard}/media")
    expect(card(page, "quick")).to_contain_text("step 5")
    expect(card(page, "slow")).to_contain_text("step 30")
    slider = page.get_by_role("slider", name="step")
    slider.focus()
    # From the newest place, 30: 20, then 10, which "quick" never reached: its nearest is shown and named.
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(card(page, "slow")).to_contain_text("step 10")
    expect(card(page, "slow").locator(".step")).not_to_have_class("step other")
    expect(card(page, "quick").locator(".step.other")).to_have_text("step 5")
    expect(card(page, "slow")).to_contain_text("slow at 10")
    assert (shade(card(page, "quick")), shade(card(page, "slow"))) == (128, 26)
    # What the server draws follows once the slider rests, and the address keeps it.
    expect(page.get_by_text("what slow said at 10")).to_be_visible()
    page.wait_for_url("**step=10**")
    shot("media")
    page.reload()
    expect(card(page, "slow")).to_contain_text("step 10")
    expect(page.get_by_text("what quick said at 5")).to_be_visible()
    page.goto(f"{dashboard}/media?by=progress&progress=0")
    expect(card(page, "slow")).to_contain_text("step 0")
    expect(page.locator("output")).to_have_text("0 %")


def test_a_run_that_trains_is_followed_until_a_step_is_chosen(
    store_url: str, dashboard: str, page: Page
) -> None:
    with stepscope.init(store=store_url, name="trains") as run:

        def log(step: int) -> None:
            run.log({"samples": stepscope.Image(np.full((6, 8), step / 10))}, step=step)
            run.flush()

        log(0)
        page.goto(f"{dashboard}/media")
        expect(card(page, "trains")).to_contain_text("step 0")
        for step in (1, 2):
            log(step)
            expect(card(page, "trains")).to_contain_text(f"step {step}", timeout=15_000)
        slider = page.get_by_role("slider", name="step")
        slider.press("Home")
        expect(card(page, "trains")).to_contain_text("step 0")
        page.wait_for_url("**step=0")
        log(3)
        expect(slider).to_have_attribute("max", "3", timeout=15_000)
        expect(card(page, "trains")).to_contain_text("step 0")
        assert shade(card(page, "trains")) == 0


@pytest.mark.usefixtures("gan")
def test_the_original_and_the_wipe(dashboard: str, page: Page, shot: Callable[[str], None]) -> None:
    page.goto(f"{dashboard}/media?media=samples")
    card(page, "slow").locator("button").click()
    viewer = page.get_by_role("dialog")
    expect(viewer).to_contain_text("slow at 30 · 8 ")
    assert viewer.locator("img").evaluate("i => getComputedStyle(i).imageRendering") == "pixelated"
    page.keyboard.press("ArrowLeft")
    expect(viewer).to_contain_text("step 20")
    expect(card(page, "slow")).to_contain_text("step 20")
    page.keyboard.press("ArrowUp")
    expect(viewer).to_contain_text("quick at 5")
    with page.expect_download() as saved:
        viewer.get_by_text("save").click()
    assert saved.value.suggested_filename == "quick-samples-step5.png"
    assert np.asarray(Image.open(saved.value.path())).tolist() == np.full((6, 8), 128).tolist()
    shot("media-original")
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    page.get_by_text("runs", exact=True).click()
    divider = page.get_by_role("slider", name="Divider between quick and slow")
    divider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "2")
    place = page.locator(".wipe").bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + 0.75 * place["width"], place["y"] + 9)
    expect(divider).to_have_attribute("aria-valuenow", "75")
    shot("media-wipe")
    page.wait_for_url("**wipe=runs**")


def test_a_picture_that_is_gone_is_a_sentence_on_its_card(gan: str, dashboard: str, page: Page) -> None:
    change(gan, "UPDATE blobs SET data = x'00' WHERE run_id = (SELECT run_id FROM runs WHERE name = 'slow')")
    page.goto(f"{dashboard}/media?media=samples")
    expect(page.get_by_text("image samples of run slow at step 30 cannot be shown.")).to_be_visible()
    expect(card(page, "quick").locator("img")).to_be_visible()


def test_every_kind_is_drawn_and_nothing_is_run_or_loaded(store_url: str, dashboard: str, page: Page) -> None:
    ids = [fill(store_url)]
    elsewhere = "https://elsewhere.example/x.png"
    hostile = go.Figure(go.Scatter(y=[1, 3, 2], name=HOSTILE))
    hostile.add_layout_image(source=elsewhere, x=0, y=1, sizex=1, sizey=1)
    hostile.update_layout(title=f"<a href='{elsewhere}'>a link</a>{HOSTILE}", annotations=[{"text": HOSTILE}])
    with stepscope.init(store=store_url, name="hostile", project="digits") as run:
        maps = go.Figure(go.Scattergeo(lon=[1], lat=[2]))
        run.log({"chart": [stepscope.Figure(hostile), stepscope.Figure(maps)]}, step=1)
        run.log({"cells": stepscope.Table([HOSTILE], [[f"![x]({elsewhere})"]])}, step=1)
        run.log({"picture": stepscope.Image(np.eye(4), caption=HOSTILE)}, step=1)
        ids.append(run.id)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    address = f"{dashboard}/media?runs={','.join(ids)}"
    page.goto(address)
    expect(page.locator("figure.card").filter(has_text=HOSTILE)).to_be_visible(timeout=20_000)
    expect(page.get_by_role("figure", name="figure bars of run baseline at step 5")).to_be_attached()
    page.goto(f"{address}&media=chart")
    told = page.get_by_role("figure", name="figure chart of run hostile at step 1")
    told.last.scroll_into_view_if_needed()
    expect(told.last).to_have_attribute("data-drawn", "", timeout=20_000)
    expect(page.get_by_text("1 map not shown: it would be loaded from another server")).to_be_visible()
    expect(page.get_by_text("<a href=", exact=False).first).to_be_visible()
    assert page.locator("a[href*='elsewhere']").count() == 0
    page.goto(f"{address}&media=film")
    player = page.locator("video").first
    assert player.evaluate(
        "v => new Promise(r => v.readyState ? r(true) : v.onloadedmetadata = () => r(true))"
    )
    assert player.evaluate("v => [v.videoWidth, v.videoHeight, v.duration]") == [18, 16, 1]
    assert not dialogs
