"""TensorBoard under /tensorboard, in the browser: every tab draws what the store holds."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import stepscope
from contracts.filled_store import GRAPH, fill
from served import serve
from stepscope.storage.read import Reader
from stepscope.trackers.sinks.tensorboard.steps import COLUMNS

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000
TABS = {
    "timeseries": "scalar-card svg path, scalar-card canvas",
    "scalars": "tf-scalar-card vz-line-chart2 svg",
    "images": "tf-image-loader img",
    "audio": "tf-audio-loader audio",
    "graphs": "tf-graph-scene svg .node",
    "distributions": "tf-distribution-loader vz-distribution-chart svg",
    "histograms": "tf-histogram-loader vz-histogram-timeseries svg",
    "text": "tf-text-loader h1",
    "pr_curves": "tf-pr-curve-card vz-line-chart2 svg",
    "hparams": "tf-hparams-session-group-details, tf-hparams-table-view vaadin-grid",
    "mesh": "tf-mesh-loader canvas",
    "custom_scalars": "tf-custom-scalar-multi-line-chart-card vz-line-chart2 svg",
}
"""What each tab draws, by its name in the address."""


@dataclass(frozen=True)
class Board:
    """A dashboard over three runs."""

    address: str
    alpha: str
    omega: str
    keras: str
    last_rate: float


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Generator[Board]:
    store = str(tmp_path_factory.mktemp("store") / "stepscope.db")
    alpha, omega = fill(store, "alpha"), fill(store, "omega", seed=1)
    keras = fill_as_keras(store)
    with Reader.open(store) as reader:
        (rate,) = reader.series(alpha, name="lr")
    assert rate.last_value is not None
    with serve(store) as served:
        yield Board(served.address, alpha, omega, keras, rate.last_value)


def fill_as_keras(store: str) -> str:
    """Log a run with splits, several pictures of a step, and a graph with step statistics; return its id."""
    rows = [["/cpu", "body/fc1/linear", 0, 30, 4096], ["/cpu", "body/fc2/linear", 30, 20, 2048]]
    with stepscope.init(name="keras", project="digits", store=store) as run:
        for split in ("train", "validation"):
            run.log({"curve": 0.5}, step=0, context={"split": split})
        for shade in (0.0, 0.5, 1.0):
            run.log({"shades": stepscope.Image(np.full((4, 4), shade))}, step=1)
        run.log({"trace": stepscope.Graph(GRAPH)}, step=1)
        run.log({"trace": stepscope.Table(COLUMNS, rows)}, step=1)
        return run.id


def show(page: Page, tab: str) -> Locator:
    """Go to a tab of the page that is open, and return what it draws."""
    page.evaluate("tab => { window.location.hash = tab }", tab)
    return page.locator(TABS[tab])


def test_every_tab_draws_what_the_store_holds(page: Page, board: Board) -> None:
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"{board.address}/tensorboard/?runFilter=alpha&tagFilter=^lr$#timeseries")
    for tab in TABS:
        expect(show(page, tab).first, tab).to_be_visible(timeout=PATIENCE_MS)
        if tab == "timeseries":
            card = page.locator("scalar-card").filter(has_text="lr").first
            expect(card).to_contain_text(f"alpha-{board.alpha}", timeout=PATIENCE_MS)
            expect(card).to_contain_text(f"{board.last_rate}", timeout=PATIENCE_MS)
        if tab == "hparams":
            trial = page.locator("tf-hparams-table-view vaadin-grid-cell-content").filter(has_text="alpha-")
            expect(trial.first).to_be_visible(timeout=PATIENCE_MS)
    page.evaluate("window.location.hash = 'projector'")
    projector = page.frame_locator("iframe[src*='projector']").frame_locator("iframe")
    expect(projector.get_by_text("Points: 20")).to_be_visible(timeout=PATIENCE_MS)
    assert refused == []


def test_samples_of_a_step_and_further_forms_of_a_graph(page: Page, board: Board) -> None:
    page.goto(f"{board.address}/tensorboard/#images&tagFilter=shades")
    samples = page.locator("tf-image-loader").filter(has_text="tag: shades")
    expect(samples).to_have_count(3, timeout=PATIENCE_MS)
    expect(samples.nth(2)).to_contain_text("sample: 3 of 3")
    expect(show(page, "graphs").first).to_be_visible(timeout=PATIENCE_MS)
    choose_graph(page, "profile")
    by_time = page.locator("tf-graph-controls").get_by_role("radio", name="Compute time", exact=True)
    expect(by_time).to_be_enabled(timeout=PATIENCE_MS)
    choose_graph(page, "conceptual_graph")
    layers = page.locator("tf-graph-scene svg .node").filter(has_text="net")
    expect(layers.first).to_be_visible(timeout=PATIENCE_MS)


def choose_graph(page: Page, kind: str) -> None:
    """Choose the tagged graph of the run with splits, as its menus would."""
    page.locator("tf-graph-controls").evaluate(
        """(controls, kind) => {
            const run = controls.datasets.findIndex(one => one.name.startsWith("keras"));
            const tag = controls.datasets[run].tags.findIndex(one => one.tag === "trace");
            controls.set("_selectedRunIndex", run);
            controls.set("_selectedTagIndex", tag);
            controls.set("_selectedGraphType", kind);
        }""",
        kind,
    )


def test_the_dashboards_page_shows_the_chosen_runs_with_their_splits(page: Page, board: Board) -> None:
    page.goto(f"{board.address}/tb?runs={board.keras}")
    runs = page.frame_locator("iframe[src*='/tensorboard/']").locator("runs-data-table")
    for part in ("", "/train", "/validation"):
        expect(runs).to_contain_text(f"keras-{board.keras}{part}", timeout=PATIENCE_MS)
    expect(runs).not_to_contain_text(board.alpha)
