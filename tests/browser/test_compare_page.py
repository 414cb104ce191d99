"""The Compare page in the browser, and its report, which needs no server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import stepscope
from made_runs import train
from stepscope.app.cli import main
from support import wait_until

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000
EVIL = "</script></style><script>window.hit=1</script><img src=x onerror='window.hit=1'>"


def saved(page: Page, folder: Path) -> Path:
    """Press the button and return the file."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as HTML").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def test_two_frameworks_are_compared_and_the_report_is_saved(
    page: Page, dashboard: str, store_url: str, tmp_path: Path, shot: Callable[[str], None]
) -> None:
    train(store_url, "torch")
    train(store_url, "keras", "keras", shift=0.3, seed=1, config={"lr": 0.2})
    page.goto(f"{dashboard}/compare")
    sentence = page.get_by_text("The curves of accuracy · validation of torch and keras part at epoch 11.")
    expect(sentence).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("are the same layer by layer").first).to_be_visible()
    expect(page.get_by_text("Train, validation and test")).to_be_visible()
    expect(page.get_by_role("heading", name="The code each took")).to_be_visible()
    shot("compare")
    drawn = page.locator(".stepscope-chart[aria-label^='accuracy · validation of torch, keras']")
    drawn.scroll_into_view_if_needed()
    expect(drawn.locator(".main-svg").first).to_be_visible(timeout=PATIENCE_MS)
    expect(drawn.get_by_text("part at epoch 11")).to_be_visible()

    page.get_by_role("radio", name="step").or_(page.get_by_role("button", name="step", exact=True)).click()
    expect(page.get_by_text("part at step 110.")).to_be_visible(timeout=PATIENCE_MS)
    value = page.get_by_role("textbox", name="Time to a value")
    value.fill("0.95")
    value.press("Enter")
    expect(page.get_by_text("Time to accuracy · validation ≥ 0.95:")).to_be_visible(timeout=PATIENCE_MS)
    wait_until(lambda: "compare_value=0.95" in page.evaluate("location.href"), what="the address")

    page.reload()
    expect(page.get_by_text("Time to accuracy · validation ≥ 0.95:")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("part at step 110.")).to_be_visible(timeout=PATIENCE_MS)
    page.goto(saved(page, tmp_path).as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text("Comparison of torch and keras")
    expect(page.get_by_role("heading", name="Time to accuracy · validation ≥ 0.95")).to_be_visible()
    shot("compare_report")


def test_the_report_opens_without_a_server_and_runs_nothing(
    browser: Browser, store_url: str, tmp_path: Path
) -> None:
    for number in (0, 1):
        with stepscope.init(
            store=store_url, project=EVIL, name=f"{EVIL}{number}", tags=(EVIL,), notes=EVIL,
            config={EVIL: EVIL * number},
        ) as run:  # fmt: skip
            run.set_framework(EVIL)
            for epoch in range(1, 12):
                run.log({f"{EVIL}loss": number + 1 / epoch, "epoch": epoch}, step=epoch)
    file = tmp_path / "report.html"
    assert main(["compare", f"{EVIL}0", f"{EVIL}1", "--store", store_url, "--to", str(file)]) == 0

    context = browser.new_context(viewport={"width": 800, "height": 900}, color_scheme="dark", offline=True)
    page = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", level=1)).to_contain_text("Comparison of </script>")
    expect(page.get_by_role("img")).to_be_visible()
    assert page.evaluate("window.hit") is None
    assert asked == [file.as_uri()]
    assert not faults, faults
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    # Wide tables scroll by themselves, the page does not.
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    # Even what is put into it afterwards could not run.
    page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: 'x'}))")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p onclick=\"window.hit=1\" id=p>p</p>')")
    page.locator("#p").click()
    assert page.evaluate("window.hit") is None
    context.close()
