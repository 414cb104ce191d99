"""Step statistics of graphs, and graphs in the further forms that TensorBoard shows."""

from __future__ import annotations

import json
from typing import Any

from tensorboard.plugins.graph import keras_util

from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer
from stepscope.storage.kinds.table import TableData
from stepscope.trackers.sinks.tensorboard.conceptual import conceptual_graph, graph_in_metadata
from stepscope.trackers.sinks.tensorboard.steps import COLUMNS, is_step_statistics, step_statistics


def test_step_statistics_are_told_by_device() -> None:
    table = TableData(
        COLUMNS,
        (
            ("/cpu", "a", 10, 5, 64),
            ("/gpu", "b", 12, 3.0, None),
            ("/cpu", "c", 15, 1, -1),
            (None, "d", 1, 1, 1),
        ),
    )
    assert is_step_statistics(table)
    found = step_statistics(table).step_stats.dev_stats
    assert [device.device for device in found] == ["/cpu", "/gpu"]
    assert [
        (node.node_name, node.all_start_micros, node.all_end_rel_micros, node.memory[0].total_bytes)
        for device in found
        for node in device.node_stats
    ] == [("a", 10, 5, 64), ("c", 15, 1, 0), ("b", 12, 3, 0)]
    assert not is_step_statistics(TableData(("node", "time"), ()))


def as_tensorboard_draws(graph: GraphData) -> dict[str, list[str]]:
    made: Any = keras_util.keras_model_to_graph_def(json.loads(conceptual_graph(graph)))
    return {node.name: list(node.input) for node in made.node}


def test_what_is_computed_between_layers_leads_from_one_to_the_other() -> None:
    nodes = (
        GraphNode("x", "placeholder"),
        GraphNode("fc1", "linear", "fc1", ("x",)),
        GraphNode("relu", "relu", "", ("fc1",)),
        GraphNode("fc2", "linear", "block/fc2", ("relu",)),
        GraphNode("add", "add", "", ("fc2", "relu")),
        GraphNode("out", "linear", "out", ("add",)),
    )
    layers = tuple(
        Layer(path, kind) for path, kind in [("", "Net"), ("fc1", "L"), ("block", "S"), ("block/fc2", "Lä")]
    )
    graph = GraphData("net", "torch", "torch.fx", nodes, (*layers, Layer("out", "L")))
    assert as_tensorboard_draws(graph) == {
        "net/x": [],
        "net/fc1": ["net/x"],
        "net/block/fc2": ["net/fc1"],
        "net/out": ["net/block/fc2", "net/fc1"],
    }


def test_layers_alone_are_drawn_without_edges_and_nothing_as_nothing() -> None:
    layers = (Layer("", "Net"), Layer("a", "Dense"), Layer("b", "Dense"))
    assert as_tensorboard_draws(GraphData("net", "keras", "modules", (), layers)) == {
        "net/a": [],
        "net/b": [],
    }

    nodes = (GraphNode("x", "placeholder"), GraphNode("y", "relu", "", ("x",)))
    assert as_tensorboard_draws(GraphData("net", "torch", "torch.jit", nodes)) == {
        "net/x": [],
        "net/y": ["net/x"],
    }
    assert as_tensorboard_draws(GraphData("", "torch", "modules")) == {"model/model": []}


def test_a_tagged_graph_is_in_the_metadata_of_a_run() -> None:
    graph = GraphData("net", "torch", "torch.fx", (GraphNode("x", "placeholder"),))
    [function] = graph_in_metadata(graph).function_graphs
    assert [node.name for node in function.pre_optimization_graph.node] == ["x"]
