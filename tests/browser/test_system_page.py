"""The System page in the browser: figures on top, charts of a run that trains, the slow rank."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

import stepscope

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000


def test_a_run_of_two_ranks_while_it_trains(
    page: Page, dashboard: str, store_url: str, shot: Callable[[str], None]
) -> None:
    with stepscope.init(store=store_url, name="two ranks", console=False) as run:
        began = time.time()
        for second in range(0, 100, 5):
            for rank in (0, 1):
                values = {
                    **{"step_time": 0.1 + 0.05 * rank, "data_time": 0.01 + 0.05 * rank, "forward_time": 0.02},
                    **{"system/gpu0/utilization_percent": 90.0 + rank, "system/cpu_percent": 30.0},
                }
                run.log_past(values, step=second, time=began + second, context={"rank": rank})
        assert run.flush()
        page.goto(f"{dashboard}/system")
        expect(page.get_by_text("Rank 1 is the slowest: 0.15 s a step")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_role("figure", name="Step time of each rank of two ranks")).to_be_visible()
        step_time = page.locator(".stepscope-chart[aria-label^='Step time in seconds of']")
        step_time.scroll_into_view_if_needed()
        expect(step_time.locator(".main-svg").first).to_be_visible(timeout=PATIENCE_MS)
        shot("system")
        for rank in (0, 1):
            values = {"system/gpu0/power_w": 500.0}
            run.log_past(values, step=100, time=began + 100, context={"rank": rank})
        assert run.flush()
        expect(page.get_by_text("500 W").first).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_text("side by side", exact=True).click()
    first = page.locator(".stepscope-chart[aria-label^='rank 1 · Step time in seconds']")
    expect(first).to_be_attached(timeout=PATIENCE_MS)
    expect(page.locator("[data-testid=stException], [data-testid=stAlertContentWarning]")).to_have_count(0)
