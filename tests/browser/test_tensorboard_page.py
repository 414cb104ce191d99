"""TensorBoard under /tensorboard, in the browser: the same tags and values as in the store."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from contracts.filled_store import fill
from served import serve
from stepscope.storage.read import Reader

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000
TABS = (
    "Time Series",
    "Scalars",
    "Images",
    "Audio",
    "Graphs",
    "Distributions",
    "Histograms",
    "Text",
    "HParams",
)


@dataclass(frozen=True)
class Board:
    """A dashboard over two runs."""

    address: str
    alpha: str
    omega: str
    last_rate: float


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Generator[Board]:
    store = str(tmp_path_factory.mktemp("store") / "stepscope.db")
    alpha, omega = fill(store, "alpha"), fill(store, "omega", seed=1)
    with Reader.open(store) as reader:
        (rate,) = reader.series(alpha, name="lr")
    assert rate.last_value is not None
    with serve(store) as served:
        yield Board(served.address, alpha, omega, rate.last_value)


def test_it_shows_the_tag_and_the_last_value_of_a_scalar(page: Page, board: Board) -> None:
    page.goto(f"{board.address}/tensorboard/?tagFilter=^lr$#timeseries")
    card = page.locator("scalar-card").filter(has_text="lr").first
    expect(card).to_contain_text(f"alpha-{board.alpha}", timeout=PATIENCE_MS)
    expect(card).to_contain_text(f"{board.last_rate}", timeout=PATIENCE_MS)


def test_its_tabs_are_those_with_data(page: Page, board: Board) -> None:
    page.goto(f"{board.address}/tensorboard/")
    for name in TABS:
        tab = page.get_by_role("tab", name=name, exact=True)
        expect(tab.or_(page.get_by_role("tab", name=name.lower(), exact=True)).first).to_be_visible(
            timeout=PATIENCE_MS
        )


@pytest.mark.parametrize(
    ("tab", "selector"),
    [
        ("images", "tf-image-loader img"),
        ("audio", "tf-audio-loader audio"),
        ("distributions", "tf-distribution-loader vz-distribution-chart svg"),
        ("histograms", "tf-histogram-loader vz-histogram-timeseries svg"),
        ("graphs", "tf-graph-scene svg .node"),
    ],
)
def test_a_tab_draws_what_the_store_holds(page: Page, board: Board, tab: str, selector: str) -> None:
    page.goto(f"{board.address}/tensorboard/#{tab}")
    expect(page.locator(selector).first).to_be_visible(timeout=PATIENCE_MS)


def test_the_run_filter_in_the_address_chooses_by_id(page: Page, board: Board) -> None:
    page.goto(f"{board.address}/tensorboard/?runFilter={board.omega}")
    runs = page.locator("runs-data-table")
    expect(runs).to_contain_text(f"omega-{board.omega}", timeout=PATIENCE_MS)
    expect(runs).not_to_contain_text(board.alpha)


def test_the_dashboards_page_shows_it(page: Page, board: Board) -> None:
    page.goto(f"{board.address}/tb")
    frame = page.frame_locator("iframe[src*='/tensorboard/']")
    expect(frame.locator("runs-data-table")).to_contain_text(f"alpha-{board.alpha}", timeout=PATIENCE_MS)
