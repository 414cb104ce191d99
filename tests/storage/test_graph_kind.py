"""Graphs of earlier versions are read as well."""

from __future__ import annotations

from stepscope.storage.kinds.graph import GraphData, Layer


def test_layers_stored_without_costs_are_read() -> None:
    old = (
        '{"name":"net","framework":"torch","source":"modules","nodes":[],"layers":'
        '[{"path":"a","type":"Linear","parameters":3,"trainable":2,"output_shape":[null,1]}]}'
    )
    assert GraphData.from_json(old).layers == (Layer("a", "Linear", 3, 2, (None, 1)),)


def test_costs_of_layers_come_back() -> None:
    graph = GraphData("net", "torch", "modules", (), (Layer("a", "Linear", flops=2**40, memory=0),))
    assert GraphData.from_json(graph.to_json()) == graph
