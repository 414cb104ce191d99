"""A model's graph as users wrap it."""

from __future__ import annotations

from ...storage.errors import BadInput
from ...storage.kinds.graph import GraphData
from ..raw import Payload
from .base import Loggable


class Graph(Loggable):
    """A model's graph."""

    kind = "graph"

    def __init__(self, data: GraphData) -> None:
        """Wrap a graph that a hook or the user built."""
        self.data = data

    def payload(self) -> Payload:
        """Return the graph as JSON. Raises BadInput when it is no GraphData."""
        data = self.data
        if not isinstance(data, GraphData):
            raise BadInput(
                f"a graph must be a stepscope GraphData, but got {type(data).__name__}. "
                f"For a model use TorchTracker, KerasTracker or TensorFlowTracker."
            )
        facts = {
            "nodes": len(data.nodes),
            "layers": len(data.layers),
            "parameters": data.parameters,
        }
        return Payload(self.kind, data.to_json().encode(), facts)
