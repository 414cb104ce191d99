"""Graph: the model of a run, by module, with shapes and parameter counts."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from ...storage.kinds.graph import GraphData
from ...storage.model import Series
from .. import queries
from ..views import graph
from ..views.words import count, one_of, plain
from ..widgets import chart, notices, page, table
from ..widgets.run_picker import Choice, choose_one


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, lambda: None)


def _draw(chosen: Choice, _: None) -> None:
    graphs = queries.series(chosen.run_ids, "graph")
    having = {one.run_id for one in graphs}
    if not having:
        notices.nothing(
            "The chosen runs have logged no graph. The hooks log one; see also `stepscope.Graph`."
        )
        return
    run = choose_one(replace(chosen, runs=tuple(run for run in chosen.runs if run.run_id in having)))
    found = [one for one in graphs if one.run_id == run.run_id]
    one = found[0] if len(found) == 1 else _one_of_several(found)
    with notices.guarded(f"graph {one.name} of run {run.name}"):
        newest = queries.records(one, most=1)[-1]
        _graph(queries.load(one, newest), one)


def _one_of_several(found: list[Series]) -> Series:
    names = [one.name for one in found]
    return found[names.index(st.selectbox("Graph", names, width=360))]


def _graph(data: GraphData, one: Series) -> None:
    facts = [
        one_of(data.parameters, "parameter"),
        one_of(len(data.layers), "layer"),
        one_of(len(data.nodes), "operation"),
        f"from {data.source}",
    ]
    st.markdown(f"**{plain(data.name)}**  ·  {plain(data.framework)}  ·  {plain('  ·  '.join(facts))}")
    drawn, told = st.columns([3, 5], gap="medium")
    with drawn, notices.guarded(f"the drawing of graph {one.name}"):
        _drawing(data, one)
    with told, notices.guarded(f"the layers of graph {one.name}"):
        _layers(data, one)


def _drawing(data: GraphData, one: Series) -> None:
    deepest = graph.depths(data)
    depth = 0
    if deepest:
        depth = st.slider(
            "Levels of modules that are opened", 0, deepest, 0, key="depth", bind="query-params"
        )
    boxes, _ = graph.boxes_of(data, depth)
    if len(boxes) > graph.MOST_BOXES:
        st.caption(
            f"The first {graph.MOST_BOXES} of {count(len(boxes))} boxes. Open fewer levels to see the whole."
        )
    dark = st.context.theme.type == "dark"
    with st.container(border=True, horizontal_alignment="center"):
        dot = graph.drawing(data, depth, dark=dark)
        # Its type names the optional package graphviz; a DOT string needs neither that nor a binary.
        st.graphviz_chart(dot, alt=f"The modules of graph {one.name}")  # pyright: ignore[reportUnknownMemberType]


def _layers(data: GraphData, one: Series) -> None:
    rows = graph.rows(data)
    if not rows:
        notices.nothing("This graph tells operations only, no layers.")
        return
    layers = {
        "Layer": [
            "\u2003" * row.path.count("/") + (row.path.rpartition("/")[2] or data.name) for row in rows
        ],
        "Type": [row.type for row in rows],
        "Output": [row.output for row in rows],
        "Parameters": [row.parameters for row in rows],
        "FLOPs": [row.flops for row in rows],
        "Memory": [row.memory for row in rows],
        "Share": [row.share for row in rows],
        # Of a model of which nothing is frozen it would say the same as the parameters.
        "Trainable": [row.trainable if rows[0].trainable < rows[0].parameters else None for row in rows],
    }
    # A tree of modules alone knows no costs.
    layers = {title: column for title, column in layers.items() if any(cell is not None for cell in column)}
    config = {
        "Parameters": st.column_config.NumberColumn(format="localized"),
        "Trainable": st.column_config.NumberColumn(format="localized"),
        "Share": st.column_config.ProgressColumn(
            width="small", format="percent", min_value=0.0, max_value=1.0
        ),
        "FLOPs": st.column_config.NumberColumn(
            format="compact",
            help="Of a forward of one sample: products of matrices, convolutions and attention, a "
            "multiply-add counted as two",
        ),
        "Memory": st.column_config.NumberColumn(
            format="bytes", help="Of the parameters, and of what the layers return for one sample"
        ),
    }
    table.draw(layers, alt=f"The layers of graph {one.name}", config=config)
    if data.parameters:
        chart.draw(
            graph.figure(data), key=f"treemap {one.run_id} {one.series_id}", alt=f"Parameters of {data.name}"
        )
