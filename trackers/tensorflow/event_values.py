"""What TensorFlow writes into event files -> values to log.

Only TensorFlow's own protos are used: the tensorboard package need not be there to read what it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow

from ...storage.errors import BadInput
from ..media import Graph, HParams
from ..sources.tensorboard.media import TOLD_ELSEWHERE, made_of
from .static_graph import capture_graph_def

tf: Any = tensorflow  # its types say little


class EventValues:
    """Turns events into names and values, and remembers each tag's plugin: only its first event tells."""

    def __init__(self) -> None:
        self._plugins: dict[str, str] = {}

    def of(self, event: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Yield (name, a call that makes the value) for each value of an event.

        The call raises BadInput when there is no way to show the value.
        """
        if event.WhichOneof("what") == "graph_def":
            yield "graph", lambda: Graph(capture_graph_def(_graph_def(event.graph_def), "graph"))
        for value in event.summary.value:
            plugin = value.metadata.plugin_data.plugin_name or self._plugins.get(value.tag, "")
            self._plugins.setdefault(value.tag, plugin)
            if plugin == "hparams":
                yield from _hyperparameters(value)
            elif plugin == "graph_run_metadata_graph":
                yield value.tag, lambda value=value: _function_graph(value.tensor)
            elif plugin not in TOLD_ELSEWHERE:
                yield value.tag, lambda value=value, plugin=plugin: made_of(value, plugin)


def _hyperparameters(value: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Read what tensorboard.plugins.hparams.api.hparams writes at the start of a session."""
    from ..sinks.tensorboard.protos import hparams_data_pb2  # noqa: PLC0415 - of a package that may be missing

    data = hparams_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
    if data.WhichOneof("data") == "session_start_info":
        given = data.session_start_info.hparams
        values = {name: getattr(one, one.WhichOneof("kind")) for name, one in given.items()}
        yield "hparams", lambda: HParams(values)


def _function_graph(tensor: Any) -> Graph:
    """Read what tf.summary.trace_export writes: the largest of the functions that were traced."""
    metadata = tf.compat.v1.RunMetadata.FromString(tf.make_ndarray(tensor).item())
    graphs = [one.pre_optimization_graph for one in metadata.function_graphs] or list(
        metadata.partition_graphs
    )
    if not graphs:
        raise BadInput(
            "expected a traced graph, but trace_export found none: TensorFlow gives the graph of a function "
            "that is traced after trace_on. Write tf.summary.trace_on(graph=True) before its first call."
        )
    return Graph(capture_graph_def(max(graphs, key=lambda graph: len(graph.node)), "graph"))


def _graph_def(data: bytes) -> Any:
    return tf.compat.v1.GraphDef.FromString(data)
