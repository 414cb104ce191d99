"""Layers with what is inside them added up, and the areas of the parameters."""

from __future__ import annotations

import plotly.graph_objects as go

from contracts.filled_store import GRAPH
from stepscope.app.views.graph import MOST_AREAS, figure
from stepscope.app.views.graph_rows import DEEPEST, name_of, parent_of, rows, upwards
from stepscope.storage.kinds.graph import GraphData, Layer


def test_layers_add_up_what_is_inside_them() -> None:
    table = {row.path: row for row in rows(GRAPH)}
    assert table[""].parameters == table["body"].parameters == 46
    assert table["body/fc1"].share == 36 / 46
    assert table["body/fc2"].output == (None, 2)


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


def test_paths_go_up_to_the_top_and_only_so_deep() -> None:
    assert list(upwards("a/b/c")) == ["a/b/c", "a/b", "a"]
    assert (name_of("a/b"), name_of("a"), name_of(""), parent_of("a")) == ("b", "a", "", "")
    endless = "/".join("x" * 5000)
    assert len(list(upwards(endless))) == DEEPEST
    assert name_of(endless).count("/") == 5000 - DEEPEST


def test_the_areas_of_the_parameters() -> None:
    drawn = go.Figure(figure(GRAPH))
    assert list(drawn.data[0].ids) == ["/", "body", "body/fc1", "body/fc2"]
    assert list(drawn.data[0].parents) == ["", "/", "body", "body"]


def test_of_very_many_areas_the_largest_are_drawn_with_what_is_around_them() -> None:
    layers = [Layer(f"block{n}/layer", "Linear", n, n) for n in range(500)]
    blocks = [Layer(f"block{n}", "Block") for n in range(500)]
    data = GraphData("n", "torch", "x", (), (Layer("", "Net"), *blocks, *layers))
    drawn = figure(data)["data"][0]
    assert len(drawn["ids"]) == MOST_AREAS
    assert set(drawn["parents"]) <= {"", *drawn["ids"]}


def test_names_are_shown_as_text() -> None:
    data = GraphData("<b>x</b>", "t", "s", (), (Layer("", "<i>", 3, 3),))
    assert "<b>" not in figure(data)["data"][0]["labels"][0]
