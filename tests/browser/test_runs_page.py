"""The Runs page in the browser: ticks belong to runs, what is chosen is in the address, actions ask first."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Locator, Page, expect

import stepscope
from contracts.filled_store import fill
from stepscope.storage.read import Reader
from support import wait_for, wait_until

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000


def address(page: Page) -> dict[str, list[str]]:
    # Not page.url, which Playwright brings up to date only while it waits for something.
    return parse_qs(page.evaluate("location.search.slice(1)"))


def chosen(page: Page) -> list[str]:
    (text,) = address(page).get("runs", [""])
    return text.split(",") if text else []


def rows(page: Page) -> Locator:
    return page.locator(".stepscope-runs .body [role=row]")


def names(page: Page) -> Locator:
    return page.locator(".stepscope-runs .body .name")


def row(page: Page, name: str) -> Locator:
    return rows(page).filter(has=page.get_by_text(name, exact=True))


def tick(page: Page, name: str) -> Locator:
    box = row(page, name).get_by_role("checkbox")
    expect(box).to_be_visible(timeout=PATIENCE_MS)
    box.click()
    return box


def test_ticked_runs_stay_ticked_when_a_newer_one_comes(page: Page, dashboard: str, store_url: str) -> None:
    first, second = fill(store_url, "first"), fill(store_url, "second")
    page.goto(dashboard)
    tick(page, "second")
    wait_for([first], lambda: chosen(page), "the older run alone")
    with stepscope.init(store=store_url, project="digits", name="third", config={"epochs": 4}) as third:
        third.log({"epoch": 1, "loss": 0.5}, step=0)
        expect(row(page, "third")).to_contain_text("epoch 1 of 4", timeout=PATIENCE_MS)
        third.log({"epoch": 2, "loss": 0.4}, step=1)
        expect(row(page, "third")).to_contain_text("epoch 2 of 4", timeout=PATIENCE_MS)
        tick(page, "second")
        wait_for({first, second}, lambda: set(chosen(page)), "both older runs")
        assert third.id not in chosen(page)
    expect(row(page, "third")).to_contain_text("finished", timeout=PATIENCE_MS)
    row(page, "first").click()
    page.locator(".stepscope-runs").focus()
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    wait_until(lambda: third.id in chosen(page), what="the run ticked by the keyboard")


def test_a_view_is_found_sorted_grouped_and_survives_reload_and_back(
    page: Page, dashboard: str, store_url: str, shot: Callable[[str], None]
) -> None:
    for number in range(6):
        config = {"lr": 0.1 * number, "width": 8 * (number % 2)}
        with stepscope.init(store=store_url, name=f"n{number}", config=config) as run:
            run.log({"val_loss": abs(number - 3.5)}, step=0)
    page.goto(dashboard)
    field = page.get_by_label("Filter", exact=True)
    field.fill("lrr > 0.15")
    field.press("Enter")
    expect(page.get_by_text("column 1: there is no field, config entry or metric 'lrr'")).to_be_visible()
    expect(page.get_by_text("Near names: 'lr'")).to_be_visible()
    field.fill("lr > 0.15 and val/loss.min < 2")
    field.press("Enter")
    expect(names(page)).to_have_text(["n5", "n4", "n3", "n2"])

    page.get_by_role("button", name="validation/loss").click()
    wait_for({"n3", "n4"}, lambda: set(names(page).all_text_contents()[-2:]), "the worst first")
    page.get_by_role("button", name="validation/loss ↓").click()
    wait_for({"n3", "n4"}, lambda: set(names(page).all_text_contents()[:2]), "the best first")
    wait_for(["validation/loss"], lambda: address(page).get("sort"), "the address")

    page.get_by_label("Group by").click()
    page.get_by_role("option", name="config.width").click()
    expect(names(page)).to_have_count(6)
    group = page.locator(".stepscope-runs .group").filter(has=page.locator(".name", has_text="8"))
    expect(group).to_contain_text("± ")
    group.locator(".name").click()
    expect(names(page)).to_have_count(4)
    wait_for(['["8"]'], lambda: address(page).get("groups"), "the closed group in the address")
    shot("runs")

    before, seen = address(page), names(page).all_text_contents()
    page.reload()
    expect(names(page)).to_have_text(seen)
    page.get_by_role("link", name="Charts").click()
    expect(page.locator(".stepscope-chart").first).to_be_visible(timeout=PATIENCE_MS)
    wait_for(None, lambda: address(page).get("filter"), "the filter in the address of another page")
    page.go_back()
    expect(names(page)).to_have_text(seen)
    wait_for(before, lambda: address(page), "the address on the way back")


def test_runs_are_named_before_they_are_deleted(page: Page, dashboard: str, store_url: str) -> None:
    kept = stepscope.init(store=store_url, name="kept")
    kept.finish()
    for name in ("bad one", "bad two"):
        stepscope.init(store=store_url, name=name).finish()
    page.goto(f"{dashboard}/?find=bad&runs=none")
    page.get_by_text("all 2 listed").click()
    page.get_by_role("button", name="Edit").click()
    tags = page.get_by_label("Give tags")
    tags.fill("doomed")
    tags.press("Enter")
    page.get_by_role("button", name="Tag", exact=True).click()
    expect(page.get_by_text("2 runs tagged.")).to_be_visible()
    expect(row(page, "bad one")).to_contain_text("doomed")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("bad one")
    expect(dialog).to_contain_text("bad two")
    dialog.get_by_role("button", name="Delete 2 runs").click()
    expect(page.get_by_text("No run fits what is looked for")).to_be_visible(timeout=PATIENCE_MS)
    with Reader.open(store_url) as reader:
        assert [run.run_id for run in reader.runs()] == [kept.id]
