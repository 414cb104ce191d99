"""A real dashboard and a real Chromium for the tests in this folder."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from ensure_chromium import find_chromium
from prepared import prepared_dashboards
from slow_link import SlowLink

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FAILED = pytest.StashKey[bool]()
# A machine that is busy takes its time: what never comes still fails, only later.
expect.set_options(timeout=30_000)
SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a test here fail once on a busy machine; the summary names it, and its picture is kept."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the page of a test that it failed, before the page is closed."""
    report = yield
    if report.failed or report.when == "setup":  # the second try of a test begins anew
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def dashboards() -> Generator[Callable[[str], AbstractContextManager[str]]]:
    """Yield what runs a dashboard over a store. Session-wide: what it loads once takes seconds."""
    with prepared_dashboards() as running:
        yield running


@pytest.fixture
def dashboard(store_url: str, dashboards: Callable[[str], AbstractContextManager[str]]) -> Generator[str]:
    """Yield the address of a dashboard over the test's own store, which need not exist yet."""
    with dashboards(store_url) as address:
        yield address


# One browser a module, not a session: while Playwright's synchronous face is open, it keeps an event loop
# running in this thread, in which asyncio.run() of an unrelated test would fail.
@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Yield a headless Chromium, the machine's own."""
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium on this machine; `make test` installs one")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Generator[Page]:
    """Yield an empty page; afterwards, fail if it asked any other machine for anything."""
    elsewhere: list[str] = []

    def remember(asked: Request) -> None:
        if urlsplit(asked.url).hostname not in (None, "127.0.0.1", "localhost"):
            elsewhere.append(asked.url)

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    context.on("request", remember)
    page = context.new_page()
    yield page
    if request.node.stash.get(FAILED, False):
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png")
    context.close()
    assert not elsewhere, f"the page should load from this machine only, but asked for {elsewhere}"


@pytest.fixture
def slow_link(page: Page) -> SlowLink:
    """Return the link between the page and its server; ask for it before the page is opened."""
    return SlowLink(page)


@pytest.fixture
def shot(page: Page) -> Callable[[str], None]:
    """Return a way to keep a picture of what the page shows, in the folder that a run of the tests leaves."""

    def keep(name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return keep
