"""A model's graph as Visdom's network: modules as circles, what flows between them as arrows."""

from __future__ import annotations

from ....storage.kinds.graph import GraphData
from .panes import Frame, Json, Pane

MOST_MODULES = 60
"""Visdom lays circles out by forces; more of them are a tangle, and the table of layers says more."""
_PIXELS = 480


def network_panes(frame: Frame, graph: GraphData) -> list[Pane]:
    """Return a network of a graph's modules; none when there are too many, or nothing flows.

    Operations of one module are one circle. The id of the window is the same for all runs: Visdom draws every
    network of a page into the first one.
    """
    module_of = {node.node_id: node.module or node.op for node in graph.nodes}
    arrows = {
        (module_of[source], module_of[node.node_id]): None
        for node in graph.nodes
        for source in node.inputs
        if source in module_of and module_of[source] != module_of[node.node_id]
    }
    modules = list(dict.fromkeys(module_of.values()))
    if not arrows or len(modules) > MOST_MODULES:
        return []
    types = {layer.path: layer.type for layer in graph.layers}
    place = {module: index for index, module in enumerate(modules)}
    kinds = sorted({types.get(module, "") for module in modules})
    nodes: list[Json] = [
        {"name": index, "label": module, "club": kinds.index(types.get(module, ""))}
        for module, index in place.items()
    ]
    edges: list[Json] = [{"source": place[one], "target": place[other], "label": ""} for one, other in arrows]
    content: Json = {"nodes": nodes, "edges": edges}
    return [Pane("graph_network", "network", f"{frame.title} (modules)", content, _PIXELS, _PIXELS)]
