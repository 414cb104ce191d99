"""The Run page in a real browser: a run that trains is followed, its output searched, its notes written."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest
from playwright.sync_api import Page, expect

import stepscope
from stepscope.storage.read import Reader

pytestmark = pytest.mark.browser

AT_END = "box => box.scrollTop + box.clientHeight >= box.scrollHeight - 3"


@pytest.fixture
def training(store_url: str) -> Generator[stepscope.Run]:
    """Yield a run that has printed more than its box shows, and is still running."""
    run = stepscope.init(store=store_url, name="trains", config={"epochs": 4}, notes="a first **try**")
    for number in range(100):
        print(f"line {number} loss {number / 100}")
    run.log({"epoch": 1, "loss": 0.5}, step=1)
    run.flush()
    yield run
    run.finish()


def test_a_run_is_followed_searched_and_noted(
    training: stepscope.Run, store_url: str, dashboard: str, page: Page, shot: Callable[[str], None]
) -> None:
    page.goto(f"{dashboard}/run?part=Console")
    expect(page.get_by_text("epoch 1 of 4", exact=False)).to_be_visible()
    box = page.get_by_role("log")
    expect(box).to_contain_text("line 99 loss 0.99")
    assert box.evaluate(AT_END)
    print("<b>a new line</b>")
    training.log({"epoch": 2, "loss": 0.4}, step=2)
    training.flush()
    expect(box).to_contain_text("<b>a new line</b>", timeout=15_000)
    assert box.evaluate(AT_END)
    expect(page.get_by_text("epoch 2 of 4", exact=False)).to_be_visible()
    shot("run-console")
    # Whoever reads further up stays there.
    box.evaluate("box => { box.scrollTop = 100 }")
    print("one more")
    training.log({"loss": 0.3}, step=3)
    training.flush()
    expect(box).to_contain_text("one more", timeout=15_000)
    assert box.evaluate("box => box.scrollTop") == 100
    page.get_by_label("Find in the output").fill("LOSS 0.42")
    expect(box.locator("mark")).to_have_text("loss 0.42")
    expect(page.get_by_text("1 of 102 lines")).to_be_visible()
    page.get_by_text("Notes", exact=True).click()
    page.get_by_role("button", name="Edit the notes").click()
    page.get_by_label("Notes, in Markdown").fill("# better\n\n<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="better")).to_be_visible()
    expect(page.get_by_text("<img src=x onerror=alert(1)>").last).to_be_visible()
    with Reader.open(store_url) as reader:
        assert reader.run(training.id).notes.startswith("# better")
    shot("run")
