"""The Graph page in the browser: modules open and close, layers are found, two models stand side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import stepscope
from contracts.filled_store import HOSTILE
from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer
from support import wait_until

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000
BLOCKS = 1250


def deep(framework: str, width: int, blocks: int = BLOCKS) -> GraphData:
    """Return a network of 5,000 operations, or of fewer blocks: the same block again and again."""
    dense, relu = ("Linear", "aten.relu") if framework == "torch" else ("Dense", "Relu")
    shape = ((None, width),)
    layers = [Layer("", "Net"), Layer("blocks", "ModuleList")]
    nodes, last = [GraphNode("x", "input", "", (), shape)], "x"
    for n in range(blocks):
        path, held = f"blocks/{n}", width * width
        layers += [Layer(path, "Block"), Layer(f"{path}/one", dense, held, held, shape[0], 2 * held)]
        layers.append(Layer(f"{path}/two", dense, held, held, shape[0], 2 * held))
        for name, op in (("one", "aten.linear"), ("", relu), ("two", "aten.linear"), ("", "aten.add")):
            module = f"{path}/{name}" if name else path
            nodes.append(GraphNode(f"{path}/{op}{name}", op, module, (last,), shape))
            last = nodes[-1].node_id
    layers.append(Layer("head", dense, width * 10, width * 10, (None, 10), 20 * width))
    nodes.append(GraphNode(HOSTILE, "aten.linear", "head", (last,), ((None, 10),)))
    return GraphData("deep", framework, "torch.export", tuple(nodes), tuple(layers))


def log(store: str, name: str, graph: GraphData) -> str:
    with stepscope.init(project="deep", name=name, store=store) as run:
        run.log({"model": stepscope.Graph(graph)}, step=0)
        for step in range(3):
            run.log({"weights/head/weight": np.random.default_rng(step).normal(size=99)}, step=step)
        return run.id


def shown(there: Locator) -> Locator:
    """Return what is on the page, once it is."""
    expect(there).to_be_visible(timeout=PATIENCE_MS)
    return there


def box(page: Page, box_id: str) -> Locator:
    return page.locator(f".stepscope-graph [data-id='{box_id}']")


def boxes(page: Page) -> Locator:
    return page.locator(".stepscope-graph .box")


def address(page: Page) -> str:
    return page.evaluate("decodeURIComponent(location.href)")


def test_a_network_of_5000_operations_opens_module_by_module(
    page: Page, dashboard: str, store_url: str, shot: Callable[[str], None]
) -> None:
    log(store_url, "transformer", deep("torch", 8))
    page.goto(f"{dashboard}/graph")
    shown(box(page, "blocks"))
    expect(boxes(page)).to_have_count(3, timeout=PATIENCE_MS)

    # A click opens what holds others; what is alike is one box.
    box(page, "blocks").click()
    row = f"blocks/0…{BLOCKS - 1}"
    expect(box(page, row)).to_contain_text(f"{BLOCKS} \u00d7 Block", timeout=PATIENCE_MS)
    box(page, row).click()
    shown(box(page, "blocks/0"))
    page.get_by_text("boxes, 200 a page").wait_for()
    box(page, "blocks/0").click()
    shown(box(page, "blocks/0/one"))
    wait_until(lambda: '"blocks/0"' in address(page), what="the open modules in the address")

    # A reload, and with it a copied address, shows the same; the sign closes again.
    page.reload()
    shown(box(page, "blocks/0/one"))
    shot("graph")
    box(page, "blocks").locator(".sign").click()
    expect(boxes(page)).to_have_count(3, timeout=PATIENCE_MS)

    # With the keyboard: Enter chooses a layer, whose histograms appear; a space opens it.
    box(page, "head").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".stepscope-chart[aria-label^='weights/head/weight']")).to_be_visible(
        timeout=PATIENCE_MS
    )
    wait_until(lambda: "layer=head" in address(page), what="the layer in the address")
    expect(box(page, "head")).to_have_attribute("aria-pressed", "true", timeout=PATIENCE_MS)
    page.keyboard.press(" ")
    expect(boxes(page).filter(has_text=HOSTILE)).to_have_count(1, timeout=PATIENCE_MS)
    shot("graph-layer")

    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as SVG").press("Enter")
    picture = saved.value.path().read_text(encoding="utf-8")
    assert "&lt;script" in picture
    assert "<script" not in picture

    page.get_by_label("Find layers").fill("blocks/7/two")
    expect(box(page, "blocks")).to_contain_text("1 found", timeout=PATIENCE_MS)


def test_two_models_side_by_side(
    page: Page, dashboard: str, store_url: str, shot: Callable[[str], None]
) -> None:
    log(store_url, "in keras", deep("keras", 16, 12))
    log(store_url, "in torch", deep("torch", 8, 12))
    page.goto(f"{dashboard}/graph")
    expect(boxes(page)).to_have_count(3, timeout=PATIENCE_MS)
    page.get_by_role("combobox", name="Beside").click()
    page.get_by_role("option", name="beside in keras").click()
    expect(page.locator(".stepscope-graph")).to_have_count(2, timeout=PATIENCE_MS)
    shown(page.get_by_text("25 pairs of layers of 25 differ"))
    expect(page.locator(".stepscope-graph .differs")).to_have_count(4, timeout=PATIENCE_MS)
    wait_until(lambda: "beside=" in address(page), what="the second run in the address")
    # Choosing a layer on one side chooses its partner on the other.
    page.locator(".stepscope-graph").nth(0).locator("[data-id='head']").click()
    expect(page.locator(".stepscope-graph .chosen")).to_have_count(2, timeout=PATIENCE_MS)
    wait_until(
        lambda: {"layer=head", "layer_beside=head"} <= set(address(page).split("&")), what="both layers"
    )
    shot("graph-beside")
