"""Layers of two graphs in pairs, across frameworks."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepscope.app.graphs import matching as graph_matching
from stepscope.app.graphs.alignment import Pair, align
from stepscope.app.graphs.layer_kinds import kind_of, kind_of_operation
from stepscope.app.graphs.units import flops_of, units
from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer

TORCH = GraphData(
    "model",
    "torch",
    "torch.export",
    (
        GraphNode("x", "input", "", (), ((2, 1, 8, 8),)),
        GraphNode("c", "aten.conv2d", "conv1", ("x",), ((2, 32, 8, 8),)),
        GraphNode("r", "aten.relu", "relu1", ("c",), ((2, 32, 8, 8),)),
        GraphNode("p", "aten.max_pool2d", "", ("r",), ((2, 32, 4, 4),)),
        GraphNode("f", "aten.flatten", "", ("p",), ((2, 512),)),
        GraphNode("d", "aten.linear", "out", ("f",), ((2, 10),)),
        GraphNode("o", "output", "", ("d",)),
    ),
    (
        Layer("", "Net", flops=0),
        Layer("conv1", "Conv2d", 320, 320, (2, 32, 8, 8), 36864),
        Layer("norm", "BatchNorm2d", 64, 64, (2, 32, 8, 8), 0),
        Layer("relu1", "ReLU", 0, 0, (2, 32, 8, 8), 0),
        Layer("out", "Linear", 5130, 5130, (2, 10), 10240),
    ),
)
KERAS = GraphData(
    "sequential",
    "keras",
    "tf.function",
    (
        GraphNode("args", "input", "", (), ((None, 8, 8, 1),)),
        GraphNode("m/conv1/convolution", "Conv2D", "conv1", ("args",), ((None, 8, 8, 32),)),
        GraphNode("m/conv1/Relu", "Relu", "conv1", ("m/conv1/convolution",), ((None, 8, 8, 32),)),
        GraphNode("m/pool", "MaxPool", "pool", ("m/conv1/Relu",), ((None, 4, 4, 32),)),
        GraphNode("m/out", "MatMul", "out", ("m/pool",), ((None, 10),)),
        GraphNode("m/soft", "Softmax", "out", ("m/out",), ((None, 10),)),
        GraphNode("output", "output", "", ("m/soft",)),
    ),
    (
        Layer("", "Sequential", flops=0),
        Layer("input", "InputLayer", 0, 0, (None, 8, 8, 1), 0),
        Layer("conv1", "Conv2D", 320, 320, (None, 8, 8, 32), 36864),
        Layer("norm", "BatchNormalization", 128, 64, (None, 8, 8, 32), 0),
        Layer("pool", "MaxPooling2D", 0, 0, (None, 4, 4, 32), 0),
        Layer("flatten", "Flatten", 0, 0, (None, 512), 0),
        Layer("out", "Dense", 5130, 5130, (None, 10), 10240),
    ),
)


def seen(rows: tuple[Pair, ...]) -> list[tuple[str, str]]:
    return [(row.a.path if row.a else "", row.b.path if row.b else "") for row in rows]


@pytest.mark.parametrize(
    ("torch", "keras"),
    [
        ("Conv2d", "Conv2D"),
        ("ConvTranspose2d", "Conv2DTranspose"),
        ("Linear", "Dense"),
        ("BatchNorm2d", "BatchNormalization"),
        ("LayerNorm", "LayerNormalization"),
        ("GroupNorm", "GroupNormalization"),
        ("RMSNorm", "RMSNormalization"),
        ("MaxPool2d", "MaxPooling2D"),
        ("AvgPool1d", "AveragePooling1D"),
        ("AdaptiveAvgPool2d", "GlobalAveragePooling2D"),
        ("LeakyReLU", "LeakyReLU"),
        ("SiLU", "Swish"),
        ("Dropout2d", "SpatialDropout2D"),
        ("ZeroPad2d", "ZeroPadding2D"),
        ("MultiheadAttention", "MultiHeadAttention"),
        ("Upsample", "UpSampling2D"),
        ("RNN", "SimpleRNN"),
        ("LSTM", "LSTM"),
        ("Embedding", "Embedding"),
    ],
)
def test_the_same_layer_of_two_frameworks(torch: str, keras: str) -> None:
    assert kind_of(torch, "torch") == kind_of(keras, "keras")


def test_other_layers_stay_apart() -> None:
    names = ("Conv1d", "Conv2d", "Conv3d", "DepthwiseConv2D", "ConvTranspose2d", "Linear", "LayerNorm", "GRU")
    assert len({kind_of(name) for name in names}) == len(names)
    assert kind_of("Conv1D", "torch") == "dense"
    assert kind_of("Conv1D", "keras") == kind_of("Conv1d", "torch")


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        ("aten.relu", "relu"),
        ("aten.relu_", "relu"),
        ("Relu", "relu"),
        ("aten.max_pool2d", "maxpool2d"),
        ("MaxPool", "maxpool2d"),
        ("aten._softmax", "softmax"),
        ("Erfc", "gelu"),
    ],
)
def test_operations_tell_which_layer_they_could_be(op: str, kind: str) -> None:
    assert kind_of_operation(op) == kind


def test_one_model_in_two_frameworks_is_the_same_but_for_its_end() -> None:
    found = align(TORCH, KERAS)
    assert seen(found.rows) == [
        ("", "input"),
        ("conv1", "conv1"),
        ("norm", "norm"),
        ("relu1", ""),
        ("", "pool"),
        ("", "flatten"),
        ("out", "out"),
    ]
    assert found.same
    notes = {(row.a or row.b).path: row.note for row in found.rows if row.a or row.b}  # pyright: ignore[reportOptionalMemberAccess]
    assert notes["conv1"] == "the same shape, channels first and last"
    assert "moving mean" in notes["norm"]
    assert notes["relu1"] == notes["pool"] == "an operation of the other model, not a layer of its own"
    assert found.notes == ("The first model ends without an activation, the second with softmax.",)
    assert (flops_of(TORCH), flops_of(GraphData("n", "torch", "modules"))) == (47104, None)


def test_what_differs_is_named() -> None:
    def one(*layers: Layer, framework: str = "torch") -> GraphData:
        return GraphData("n", framework, "modules", (), (Layer("", "Net"), *layers))

    wide = one(Layer("a", "Conv2d", 320, 320, (2, 32, 8, 8), 100), Layer("b", "Linear", 50, 50, (2, 5), 10))
    slim = one(Layer("a", "Conv2d", 160, 160, (2, 16, 8, 8), 50), Layer("b", "LayerNorm", 50, 50, (2, 5)))
    first, second = align(wide, slim).rows
    assert first.differs == ("shape", "parameters", "FLOPs")
    assert second.differs == ("type",)
    # Within one framework, channels first is another shape than channels last.
    turned = one(Layer("a", "Conv2d", 320, 320, (2, 8, 8, 32), 100), Layer("b", "Linear", 50, 50, (2, 5), 10))
    assert [row.differs for row in align(wide, turned).rows] == [("shape",), ()]


def test_what_was_pooled_away_is_no_size() -> None:
    torch = GraphData("n", "torch", "x", (), (Layer("p", "AdaptiveAvgPool2d", 0, 0, (2, 64, 1, 1)),))
    keras = GraphData("n", "keras", "x", (), (Layer("p", "GlobalAveragePooling2D", 0, 0, (None, 64)),))
    assert align(torch, keras).same
    larger = GraphData("n", "torch", "x", (), (Layer("p", "AdaptiveAvgPool2d", 0, 0, (2, 64, 7, 7)),))
    assert align(larger, keras).differing[0].differs == ("shape",)


@pytest.mark.parametrize(
    ("torch", "keras", "note"),
    [
        (
            Layer("a", "Conv1d", 104, 104, (2, 8, 16), 3072),
            Layer("a", "Conv1D", 104, 104, (None, 16, 8), 3072),
            "the same shape, channels first and last",
        ),
        (
            Layer("a", "Conv2d", 160, 160, (2, 16, 8, 8), 9),
            Layer("a", "DepthwiseConv2D", 160, 160, (None, 8, 8, 16), 9),
            "a convolution of each channel by itself; the same shape, channels first and last",
        ),
        (
            Layer("a", "LSTM", 6400, 6400, (2, 12, 32), 147456),
            Layer("a", "LSTM", 6272, 6272, (None, 12, 32), 0),
            "PyTorch keeps two biases, Keras one",
        ),
    ],
)
def test_what_frameworks_build_otherwise_is_no_difference(torch: Layer, keras: Layer, note: str) -> None:
    one, other = (
        GraphData("n", name, "x", (), (layer,)) for name, layer in (("torch", torch), ("keras", keras))
    )
    assert [(row.differs, row.note) for row in align(one, other).rows] == [((), note)]
    assert align(other, one).same


def test_a_convolution_of_all_channels_is_not_one_of_each() -> None:
    one = GraphData("n", "torch", "x", (), (Layer("a", "Conv2d", 2320, 2320, (2, 16, 8, 8), 99),))
    each = GraphData("n", "keras", "x", (), (Layer("a", "DepthwiseConv2D", 160, 160, (None, 8, 8, 16), 9),))
    assert align(one, each).differing[0].differs == ("type", "parameters", "FLOPs")


def test_a_missing_layer_or_activation_matters() -> None:
    without = GraphData("m", "torch", "torch.export", TORCH.nodes[:2], (*TORCH.layers[:3], *TORCH.layers[4:]))
    (row,) = align(TORCH, without).differing
    assert row.a is not None
    assert (row.a.path, row.b, row.note) == ("relu1", None, "the other model has nothing like it")
    silent = GraphData("m", "torch", "modules", (), without.layers)
    (row,) = [row for row in align(TORCH, silent).rows if not row.b]
    assert not row.matters
    assert "tells no operations" in row.note


def test_attention_and_recurrent_layers_are_compared_as_a_whole() -> None:
    torch = GraphData(
        "m",
        "torch",
        "modules",
        (),
        (
            Layer("", "Net"),
            Layer("attend", "MultiheadAttention", 30, 30, flops=5),
            Layer("attend/out_proj", "NonDynamicallyQuantizableLinear", 10, 10),
        ),
    )
    inner = tuple(Layer(f"attend/{name}", "EinsumDense", 10, 10, flops=1) for name in ("q", "k", "v", "out"))
    keras = GraphData(
        "m", "keras", "keras", (), (Layer("", "F"), Layer("attend", "MultiHeadAttention"), *inner)
    )
    (row,) = align(torch, keras).rows
    assert row.differs == ("FLOPs",)
    assert row.b is not None
    assert (row.b.parameters, row.b.flops) == (40, 4)


def test_layers_stand_in_the_order_of_the_data() -> None:
    nodes = (GraphNode("1", "aten.linear", "late"), GraphNode("2", "aten.linear", "early", ("1",)))
    layers = (Layer("", "Net"), Layer("early", "Linear", 4, 4), Layer("late", "Linear", 4, 4))
    assert [unit.path for unit in units(GraphData("m", "torch", "x", nodes, layers))] == ["late", "early"]


def test_branches_that_run_in_another_order_are_the_same() -> None:
    def one(*order: str) -> GraphData:
        layers = [
            Layer(name, "BatchNorm2d" if "bn" in name else "Conv2d", 9, 9, (2, 4, 8, 8)) for name in order
        ]
        return GraphData("m", "torch", "modules", (), (Layer("", "Net"), *layers))

    found = align(one("conv", "bn_a", "down", "bn_b", "out"), one("conv", "down", "bn_b", "bn_a", "out"))
    assert found.same
    assert len(found.pairs) == 5


def test_a_layer_that_runs_again_stands_for_the_other_models_second_one() -> None:
    def one(framework: str, *layers: Layer, modules: tuple[str, ...]) -> GraphData:
        op = "aten.relu" if framework == "torch" else "Relu"
        nodes = tuple(GraphNode(str(place), op, module) for place, module in enumerate(modules))
        return GraphData("m", framework, "x", nodes, (Layer("", "Net"), *layers))

    again = one("torch", Layer("relu", "ReLU"), modules=("relu", "relu"))
    twice = one("keras", Layer("r1", "ReLU"), Layer("r2", "ReLU"), modules=("r1", "r2"))
    assert align(again, twice).same
    once = one("torch", Layer("relu", "ReLU"), modules=("relu",))
    assert not align(once, twice).same


def test_graphs_without_layers_are_said_to_have_none() -> None:
    bare = GraphData("m", "onnx", "onnx", (GraphNode("x", "input"),))
    assert "a graph tells none" in align(bare, TORCH).notes[0]
    assert align(bare, bare).rows == ()
    assert len(align(TORCH, bare).only_a) == 4


def test_parameters_of_the_model_itself_have_a_row() -> None:
    data = GraphData("m", "torch", "x", (), (Layer("", "ViT", 7, 7), Layer("a", "Linear", 5, 5)))
    assert [unit.path for unit in units(data)] == ["", "a"]


_TYPES = st.sampled_from(("Conv2d", "Conv2D", "Linear", "Dense", "ReLU", "Activation", "Flatten", "Net"))
_SHAPES = st.none() | st.lists(st.none() | st.integers(1, 4), max_size=4).map(tuple)
_PATHS = st.lists(st.text("ab0/", max_size=4), unique=True, max_size=9)


@st.composite
def graphs(draw: st.DrawFn) -> GraphData:
    layers = tuple(
        Layer(
            path, draw(_TYPES), draw(st.integers(0, 3)), 0, draw(_SHAPES), draw(st.none() | st.integers(0, 2))
        )
        for path in draw(_PATHS)
    )
    modules = draw(st.lists(st.sampled_from([layer.path for layer in layers] or [""]), max_size=5))
    ops = [draw(st.sampled_from(("aten.relu", "Relu", "MatMul", "output"))) for _ in modules]
    nodes = tuple(
        GraphNode(str(place), op, module, (str(place - 1),))
        for place, (op, module) in enumerate(zip(ops, modules, strict=True))
    )
    return GraphData("g", draw(st.sampled_from(("torch", "keras"))), "x", nodes, layers)


@given(graphs())
def test_a_graph_beside_itself_is_all_pairs(data: GraphData) -> None:
    found = align(data, data)
    assert found.same
    assert [(row.a, row.b) for row in found.rows] == [(unit, unit) for unit in units(data)]


@given(graphs(), graphs())
def test_swapping_the_graphs_swaps_the_sides(a: GraphData, b: GraphData) -> None:
    there, back = align(a, b), align(b, a)
    assert sorted(map(repr, there.rows)) == sorted(
        repr(Pair(row.b, row.a, row.differs, row.note, row.matters)) for row in back.rows
    )


@given(graphs(), graphs())
def test_every_layer_has_one_row(a: GraphData, b: GraphData) -> None:
    found = align(a, b)
    assert Counter(row.a for row in found.rows if row.a) == Counter(units(a))
    assert Counter(row.b for row in found.rows if row.b) == Counter(units(b))


@settings(max_examples=20)
@given(graphs(), graphs())
def test_models_too_large_to_be_searched_are_paired_by_name_and_in_pieces(a: GraphData, b: GraphData) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_matching, "MOST_CELLS", 0)
        found = align(a, b)
        assert Counter(row.a for row in found.rows if row.a) == Counter(units(a))
        assert Counter(row.b for row in found.rows if row.b) == Counter(units(b))
        assert align(a, a).same


def test_large_models_with_other_names_are_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_matching, "MOST_CELLS", 20)
    one, other = (
        GraphData("n", name, "x", (), tuple(Layer(f"{name}{n}", kind, 9 + n, 9 + n) for n in range(20)))
        for name, kind in (("torch", "Linear"), ("keras", "Dense"))
    )
    assert len(align(one, other).pairs) == 20
