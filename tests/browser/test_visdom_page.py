"""Visdom in the browser: its windows, drawn from the chosen runs, through the one public port."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import stepscope
from contracts.filled_store import fill
from contracts.hostile_store import MARK, fill_hostile
from served import UI, serve
from stepscope.app.visdom_live.assets import static_folder
from stepscope.trackers.run import Run

pytestmark = pytest.mark.browser
PATIENCE_MS = 60_000


@pytest.mark.slow
def test_a_live_run_grows_in_both_pages_which_are_not_loaded_again(
    page: Page, dashboard: str, store_url: str, shot: Callable[[str], None]
) -> None:
    filled = fill(store_url)
    with stepscope.init(store=store_url, name="live", console=False) as run:
        for step in range(5):
            run.log({"up": 1.0}, step=step)
        assert run.flush()
        page.goto(f"{dashboard}/vd?runs={run.id},{filled}")
        frame = page.frame_locator("iframe[src*='/visdom/']")
        expect(frame.locator(".window .main-svg").first).to_be_visible(timeout=PATIENCE_MS)
        page.frames[-1].evaluate("window.loadedOnce = true")
        run.log({"up": 1.0, "height": 0.5}, step=5)
        expect(frame.locator(".window").filter(has_text="height").first).to_be_visible(timeout=PATIENCE_MS)
        assert page.frames[-1].evaluate("window.loadedOnce")
        shot("visdom")
        grows_in_tensorboard(page, run, shot)

    # The same server in a tab of its own. Its page is told about windows through its websocket.
    page.goto(f"{dashboard}/visdom/")
    expect(page.get_by_role("button", name="online")).to_be_visible(timeout=PATIENCE_MS)
    for drawn in (".main-svg", "img", "audio", "table"):
        expect(page.locator(f".window {drawn}").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".window").filter(has_text="baseline").first).to_be_visible()


def grows_in_tensorboard(page: Page, run: Run, shot: Callable[[str], None]) -> None:
    page.get_by_test_id("stTopNav").get_by_role("link", name="TensorBoard").click()
    board = page.frame_locator("iframe[src*='/tensorboard/']")
    expect(board.get_by_text("height").first).to_be_visible(timeout=PATIENCE_MS)
    page.frames[-1].evaluate("window.loadedOnce = true")
    run.log({"up": 1.0, "brand_new": 0.5}, step=6)
    expect(board.get_by_text("brand_new").first).to_be_visible(timeout=PATIENCE_MS)
    assert page.frames[-1].evaluate("window.loadedOnce")
    shot("tensorboard")


def test_without_visdoms_scripts_the_dashboard_draws_its_windows(
    page: Page, store_url: str, tmp_path: Path, shot: Callable[[str], None]
) -> None:
    """The fixture `page` fails when anything is asked of another machine."""
    (tmp_path / "files").mkdir()
    run_id, hostile = fill(store_url), fill_hostile(store_url, tmp_path / "files")
    ran: list[str] = []
    page.context.expose_function(MARK, lambda where="": ran.append(str(where)))
    with serve(store_url, code=without_scripts(tmp_path)) as served:
        page.goto(f"{served.address}/vd?runs={run_id}")
        expect(page.get_by_text("The dashboard draws these windows itself")).to_be_visible(
            timeout=PATIENCE_MS
        )
        for drawn in (".js-plotly-plot .main-svg", "audio", "[data-testid=stImage] img", "video"):
            expect(page.locator(drawn).first).to_be_attached(timeout=PATIENCE_MS)
        expect(page.get_by_text("step 7: <digit> 7")).to_be_visible()
        page.get_by_role("slider").first.press("Home")
        expect(page.get_by_text("step 2: <digit> 2")).to_be_visible()
        shot("visdom-natively")

        page.goto(f"{served.address}/vd?runs={hostile}")
        expect(page.locator(".js-plotly-plot").first).to_be_attached(timeout=PATIENCE_MS)
        expect(page.get_by_test_id("stApp")).to_have_attribute(
            "data-test-script-state", re.compile("notRunning"), timeout=PATIENCE_MS
        )
        assert not ran


def without_scripts(folder: Path) -> str:
    """Return how to start a dashboard whose Visdom lacks a script that its page needs."""
    installed = static_folder()
    assert installed is not None
    shutil.copytree(installed.parent, folder / "visdom", ignore=shutil.ignore_patterns("jquery.min.js"))
    return f"import sys; sys.path.insert(0, {str(folder)!r}); {UI}"
