from __future__ import annotations

import plotly.graph_objects as go

from contracts.filled_store import GRAPH
from stepscope.app.views.graph import MOST_BOXES, boxes_of, depths, drawing, figure, rows
from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer


def test_layers_add_up_what_is_inside_them() -> None:
    table = {row.path: row for row in rows(GRAPH)}
    assert table[""].parameters == table["body"].parameters == 46
    assert table["body/fc1"].share == 36 / 46
    assert table["body/fc2"].output == "? \u00d7 2"


def test_costs_are_added_up_and_unknown_ones_stay_unknown() -> None:
    layers = (
        Layer("", "Net"),
        Layer("body", "Sequential", flops=0, memory=8),
        Layer("body/a", "Linear", flops=20, memory=100),
        Layer("body/b", "Linear", flops=5, memory=10),
        Layer("unused", "Linear", memory=40),
    )
    table = {row.path: row for row in rows(GraphData("n", "torch", "x", (), layers))}
    assert (table[""].flops, table[""].memory) == (25, 158)
    assert (table["body"].flops, table["body"].memory) == (25, 118)
    assert (table["unused"].flops, table["unused"].memory) == (None, 40)
    assert rows(GRAPH)[0].flops is None


def test_closed_modules_stand_for_all_that_they_ran() -> None:
    boxes, edges = boxes_of(GRAPH, 0)
    assert [(box.title, box.parent) for box in boxes] == [("placeholder", ""), ("body · Sequential", "")]
    assert edges == [("x", "module body")]
    assert boxes[1].detail == "? \u00d7 2\n46 parameters"


def test_opened_modules_frame_what_is_inside() -> None:
    assert depths(GRAPH) == 3
    boxes, edges = boxes_of(GRAPH, 1)
    assert [box.title for box in boxes] == ["placeholder", "fc1 · Linear", "aten.relu", "fc2 · Linear"]
    assert {box.parent for box in boxes[1:]} == {"body"}
    assert ("module body/fc1", "relu:0") in edges
    operations, _ = boxes_of(GRAPH, 3)
    assert [box.title for box in operations] == [node.op for node in GRAPH.nodes]
    assert drawing(GRAPH, 3).count("subgraph") == 3


def test_a_tree_of_modules_is_drawn_when_there_are_no_operations() -> None:
    tree = GraphData("net", "keras", "modules", (), GRAPH.layers)
    boxes, edges = boxes_of(tree, 2)
    assert [box.title for box in boxes] == ["net", "body", "fc1", "fc2"]
    assert edges == [("", "body"), ("body", "body/fc1"), ("body", "body/fc2")]


def test_names_cannot_leave_their_quotes() -> None:
    evil = 'a"] x [URL="javascript:alert(1)'
    hostile = GraphData("n", "torch", "x", (GraphNode(evil, evil + "\\", evil),), (Layer(evil, evil, 1, 1),))
    for depth in range(3):
        dot = drawing(hostile, depth)
        assert 'URL="' not in dot.replace('\\"', "'")
    assert (
        "<b>"
        not in figure(GraphData("<b>x</b>", "t", "s", (), (Layer("", "<i>", 3, 3),)))["data"][0]["labels"][0]
    )


def test_a_huge_graph_is_cut_to_what_can_be_read() -> None:
    nodes = tuple(GraphNode(str(i), "op", "", (str(i - 1),) if i else ()) for i in range(5000))
    assert drawing(GraphData("n", "torch", "x", nodes), 0).count("label=") == MOST_BOXES


def test_the_areas_of_the_parameters() -> None:
    drawn = go.Figure(figure(GRAPH))
    assert list(drawn.data[0].ids) == ["/", "body", "body/fc1", "body/fc2"]
    assert list(drawn.data[0].parents) == ["", "/", "body", "body"]
