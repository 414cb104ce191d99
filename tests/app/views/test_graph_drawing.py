"""What is drawn of a graph when some modules are open, and what is told of one layer."""

from __future__ import annotations

import pytest

from contracts.filled_store import GRAPH
from stepscope.app.views.graph_details import attributes, details, facts, histograms_of
from stepscope.app.views.graph_drawing import MOST_ARROWS, MOST_BOXES, OPERATION, drawing, visible
from stepscope.app.views.graph_tree import Tree, tree_of
from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer

NET = tree_of(GRAPH)


def deep(blocks: int) -> GraphData:
    """Return a network of the same block again and again."""
    layers = [Layer("", "Net"), Layer("stem", "Linear", 2, 2), Layer("blocks", "ModuleList")]
    nodes = [GraphNode("x", "input"), GraphNode("stem", "aten.linear", "stem", ("x",), ((None, 8),))]
    last = "stem"
    for n in range(blocks):
        path = f"blocks/{n}"
        layers += [Layer(path, "Block"), Layer(f"{path}/fc", "Linear", 72, 72, None, 128)]
        layers.append(Layer(f"{path}/act", "ReLU"))
        nodes.append(GraphNode(f"fc{n}", "aten.linear", f"{path}/fc", (last,), ((None, 8),)))
        nodes.append(GraphNode(f"act{n}", "aten.relu", f"{path}/act", (f"fc{n}",), ((None, 8),)))
        last = f"act{n}"
    return GraphData("deep", "torch", "torch.export", tuple(nodes), tuple(layers))


def test_closed_modules_stand_for_all_that_they_ran() -> None:
    drawn = drawing(NET, ())
    assert [(box.title, box.parent, box.opens) for box in drawn.boxes] == [
        ("placeholder", "", False),
        ("body", "", True),
    ]
    assert drawn.boxes[1].lines == ("Sequential", "? \u00d7 2", "46 parameters")
    assert drawn.arrows == ((f"{OPERATION}x", "body", "? \u00d7 8"),)
    assert drawn.frames == ()


def test_opened_modules_frame_what_is_inside() -> None:
    drawn = drawing(NET, {"body"})
    assert [box.title for box in drawn.boxes] == ["placeholder", "fc1", "relu", "fc2"]
    assert {box.parent for box in drawn.boxes[1:]} == {"body"}
    assert [frame.title for frame in drawn.frames] == ["body · Sequential"]
    assert ("body/fc1", f"{OPERATION}relu:0", "? \u00d7 4") in drawn.arrows
    assert [box.holds for box in drawn.boxes] == [False] * 4
    everything = drawing(NET, NET.parts.keys())
    assert len(everything.boxes) == len(GRAPH.nodes)
    assert [frame.parent for frame in everything.frames] == ["", "body", "body"]


def test_an_operation_is_chosen_by_its_own_box() -> None:
    boxes = drawing(NET, {"body"}).boxes
    assert [box.part for box in boxes if box.box_id.startswith(OPERATION)] == [
        f"{OPERATION}x",
        f"{OPERATION}relu:0",
    ]
    assert all(details(NET, box.part) for box in boxes)


def test_a_module_that_is_alone_on_its_level_is_open_at_first() -> None:
    assert NET.opened_at_first() == {"body"}
    assert tree_of(deep(2)).opened_at_first() == frozenset()


def test_alike_neighbours_are_one_box_that_opens() -> None:
    tree = tree_of(deep(150))
    assert [box.title for box in drawing(tree, ()).boxes] == ["input", "stem", "blocks"]
    (_, _, row) = drawing(tree, {"blocks"}).boxes
    assert (row.box_id, row.title) == ("blocks/0…149", "0 … 149")
    assert row.lines == ("150 \u00d7 Block", "? \u00d7 8", "10.8 k parameters · 19.2 k FLOPs")
    opened = {"blocks", "blocks/0…149", "blocks/3"}
    drawn = drawing(tree, opened)
    assert len(drawn.boxes) == 2 + 149 + 2
    assert [frame.box_id for frame in drawn.frames] == ["blocks", "blocks/0…149", "blocks/3"]
    assert tree.around("blocks/3/fc") == ["blocks", "blocks/0…149", "blocks/3", "blocks/3/fc"]
    assert visible(tree, "blocks/3/fc", {"blocks"}) == "blocks/0…149"
    few = tree_of(deep(3))
    assert [box.box_id for box in drawing(few, {"blocks"}).boxes[2:]] == [f"blocks/{n}" for n in range(3)]


def test_a_tree_of_modules_is_drawn_when_there_are_no_operations() -> None:
    tree = tree_of(GraphData("net", "keras", "modules", (), GRAPH.layers))
    drawn = drawing(tree, {"body"})
    assert [box.title for box in drawn.boxes] == ["body", "fc1", "fc2"]
    assert drawn.arrows == (("body", "body/fc1", ""), ("body", "body/fc2", ""))
    assert drawn.tree
    assert len(drawing(tree, ()).boxes) == 1
    assert not drawing(tree_of(GraphData("empty", "keras", "modules")), ()).boxes


def test_a_huge_flat_graph_is_drawn_in_pages() -> None:
    nodes = tuple(GraphNode(str(i), "op", "", (str(i - 1),) if i else ()) for i in range(5000))
    tree = tree_of(GraphData("n", "torch", "x", nodes))
    assert len(drawing(tree, ()).boxes) == MOST_BOXES
    later = drawing(tree, (), MOST_BOXES)
    assert (later.boxes[0].box_id, later.total) == (f"{OPERATION}{MOST_BOXES}", 5000)
    assert len(later.arrows) == MOST_BOXES - 1


def test_what_everything_reads_has_one_arrow_and_says_so() -> None:
    nodes = [GraphNode("mask", "input"), *(GraphNode(f"n{i}", "op", "", ("mask",)) for i in range(30))]
    drawn = drawing(tree_of(GraphData("n", "torch", "x", tuple(nodes))), ())
    assert len(drawn.arrows) == 1
    assert drawn.boxes[0].lines == ("→ 30 others, one arrow drawn",)
    few = drawing(tree_of(GraphData("n", "torch", "x", tuple(nodes[: MOST_ARROWS + 1]))), ())
    assert len(few.arrows) == MOST_ARROWS


def test_names_of_any_length_and_depth_are_drawn() -> None:
    endless, hostile = "x/" * 5000 + "y", "<script>alert(1)</script>" * 200
    nodes = (GraphNode(hostile, hostile, endless), GraphNode("b", "op", hostile, (hostile, "gone")))
    tree = tree_of(GraphData(hostile, hostile, hostile, nodes, (Layer(endless, hostile, 1, 1),)))
    drawn = drawing(tree, tree.parts.keys())
    assert len(drawn.frames) < 100
    for box in (*drawn.boxes, *drawn.frames):
        assert len(box.title) < 120
        assert all(len(line) < 120 for line in box.lines)


def test_each_call_of_a_layer_has_a_box() -> None:
    shape = ((None, 4),)
    nodes = (
        GraphNode("x", "input", "", (), shape),
        GraphNode("a", "aten.linear", "a", ("x",), shape),
        GraphNode("a_bias", "aten.add", "a", ("a",), shape),
        GraphNode("r1", "aten.relu", "act", ("a_bias",), shape),
        GraphNode("b", "aten.linear", "b", ("r1",), shape),
        GraphNode("r2", "aten.relu", "act", ("b",), shape),
    )
    layers = (Layer("", "Net"), Layer("a", "Linear", 9, 9), Layer("act", "ReLU"), Layer("b", "Linear", 9, 9))
    tree = tree_of(GraphData("n", "torch", "x", nodes, layers))
    drawn = drawing(tree, ())
    assert [box.title for box in drawn.boxes] == ["input", "a", "act", "b", "act · call 2"]
    assert [box.part for box in drawn.boxes[-2:]] == ["b", "act"]
    assert drawn.boxes[-1].lines == ("ReLU", "? \u00d7 4", "the same layer again")
    assert [source for source, _, _ in drawn.arrows] == [box.box_id for box in drawn.boxes[:-1]]
    assert [box.title for box in drawing(tree, {"act"}).boxes] == ["input", "a", "relu", "b", "relu"]


def test_a_graph_of_a_circle_is_drawn() -> None:
    nodes = (GraphNode("a", "op", "", ("b",)), GraphNode("b", "op", "", ("a", "b")))
    assert len(drawing(tree_of(GraphData("n", "t", "x", nodes)), ()).arrows) == 2


def test_details_of_a_layer() -> None:
    told = details(NET, "body/fc1")
    assert told is not None
    assert facts(told) == {
        "Type": "Linear",
        "Input": "? \u00d7 8",
        "Output": "? \u00d7 4",
        "Parameters": "36 (78.3% of the model)",
    }
    assert attributes(told) == {
        "Operation": ["aten.linear"],
        "Output": ["? \u00d7 4"],
        "Attributes": ["bias=True"],
        "Name": ["linear"],
    }


@pytest.mark.parametrize(
    ("box_id", "inputs", "outputs", "operations"),
    [
        ("body", ((None, 8),), ((None, 2),), 3),
        (f"{OPERATION}relu:0", ((None, 4),), ((None, 4),), 1),
        (f"{OPERATION}x", (), ((None, 8),), 1),
    ],
)
def test_details_tell_what_goes_in_and_out(
    box_id: str, inputs: tuple[object, ...], outputs: tuple[object, ...], operations: int
) -> None:
    told = details(NET, box_id)
    assert told is not None
    assert (told.inputs, told.outputs, len(told.operations)) == (inputs, outputs, operations)


def test_details_of_rows_and_of_what_is_not_there() -> None:
    tree: Tree = tree_of(deep(10))
    told = details(tree, "blocks/0…9")
    assert told is not None
    assert facts(told)["Rows alike"] == "10"
    assert facts(told)["Operations"] == "20"
    assert details(tree, "nothing") is details(tree, "") is None


def test_a_layers_histograms_are_its_own() -> None:
    names = [
        "activations/body/fc1",
        "gradients/body/fc1/weight",
        "weights/body/fc1/bias",
        "weights/body/fc1/weight",
        "weights/body/fc10/weight",
        "weights/body/fc1/inner/weight",
        "other/body/fc1",
    ]
    assert histograms_of(names, "body/fc1") == [names[3], names[2], names[1], names[0]]
    assert histograms_of(names, "body") == []
    assert histograms_of(names, "") == []
