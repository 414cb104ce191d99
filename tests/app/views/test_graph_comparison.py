"""Two graphs side by side, in words."""

from __future__ import annotations

from stepscope.app.graphs.alignment import align
from stepscope.app.views.graph_comparison import (
    ALONE,
    DIFFERENT,
    agrees,
    colour,
    differing_paths,
    table,
    totals,
    verdict,
)
from stepscope.storage.kinds.graph import GraphData, Layer

NAMES = ("a", "b")


def model(framework: str, *layers: Layer) -> GraphData:
    return GraphData("m", framework, "modules", (), (Layer("", "Net"), *layers))


TORCH = model(
    "torch",
    Layer("conv", "Conv2d", 320, 320, (2, 32, 8, 8), 100),
    Layer("flat", "Flatten", 0, 0, (2, 2048), 0),
    Layer("out", "Linear", 50, 50, (2, 10), 20),
)
KERAS = model(
    "keras",
    Layer("conv", "Conv2D", 320, 320, (None, 8, 8, 32), 100),
    Layer("out", "Dense", 55, 55, (None, 11), 22),
)


def test_each_row_says_in_words_how_its_sides_go_together() -> None:
    found = align(TORCH, KERAS)
    columns = table(found.rows, NAMES)
    assert columns[""] == ["= same", "· left only", "≠ shape, parameters, FLOPs"]
    assert columns["a"] == ["conv", "flat", "out"]
    assert columns["b"] == ["conv", "", "out"]
    assert columns["Type"] == ["Conv2d | Conv2D", "Flatten", "Linear | Dense"]
    assert columns["Parameters"] == ["320", "0", "50 | 55"]
    assert columns["Output"][0] == "2 \u00d7 32 \u00d7 8 \u00d7 8 | ? \u00d7 8 \u00d7 8 \u00d7 32"


def test_rows_that_matter_have_a_colour_and_their_layers_a_mark() -> None:
    wider = model("torch", *TORCH.layers[1:], Layer("more", "Linear", 7, 7))
    found = align(wider, KERAS)
    assert [colour(row) for row in found.rows] == [None, None, DIFFERENT, ALONE]
    assert differing_paths(found, first=True) == {"out": "≠ shape, parameters, FLOPs", "more": "✗ only here"}
    assert list(differing_paths(found, first=False)) == ["out"]
    assert table(found.rows, NAMES)[""][3] == "✗ left only"
    assert verdict(found, NAMES) == "1 pair of layers of 2 differ; 1 layer only in a."


def test_totals_of_both_and_their_ratio() -> None:
    assert totals(TORCH, KERAS) == {
        "Parameters": "370 | 375 (\u00d7 1.014)",
        "Trained": "370 | 375 (\u00d7 1.014)",
        "FLOPs": "120 | 122 (\u00d7 1.017)",
        "Layers": "3 | 2 (\u00d7 0.6667)",
        "Operations": "0 | 0",
    }
    bare = GraphData("m", "onnx", "onnx")
    assert totals(bare, TORCH)["FLOPs"] == "\u2013 | 120"


def test_the_verdict_is_one_sentence() -> None:
    assert verdict(align(TORCH, TORCH), NAMES) == (
        "The models are the same, layer by layer: 3 pairs, no difference."
    )
    bare = GraphData("m", "onnx", "onnx")
    found = align(bare, bare)
    assert verdict(found, NAMES) == (
        "There is nothing to compare. Layers cannot be compared: a graph tells none."
    )
    assert not agrees(found)
    assert agrees(align(TORCH, TORCH))
