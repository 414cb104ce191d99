"""One value of a summary -> numbers and records: pictures and sounds as they are, all else by its kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....storage.errors import BadInput
from ....storage.write_series import NewRecord
from ...media import Loggable, Text
from ...sinks.tensorboard.protos import (
    config_pb2,
    graph_pb2,
    json_format,
    keras_util,
    layout_pb2,
    meta_graph_pb2,
)
from ..base import record
from .graphs import graph_of, graph_of_functions, keras_graph, statistics_of
from .kept import picture_record, sound_record
from .media import made_of
from .origin import Origin
from .tensors import ndarray_of

GRAPH = "graph"
"""The graph of a file, which has no tag."""
KERAS_MODEL = "keras_model"
"""Under it, the JSON of a Keras model lies as text below the tag of its graph."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a value stands."""

    origin: Origin
    tag: str
    step: int
    time: float

    def record(self, value: Loggable, below: str = "") -> NewRecord:
        """Return a value under the tag, or below it. Raises BadInput."""
        name = f"{self.tag}/{below}" if below else self.tag
        return record(name, value, self.step, self.time, self.origin.context)


def records_of(value: Any, plugin: str, context: Context) -> Iterator[float | NewRecord]:
    """Yield numbers, and records ready to store, of a Summary.Value.

    Args:
        value: the message.
        plugin: what its tag's first value said; "" when it said nothing.
        context: where it stands.

    Raises:
        BadInput: there is no way to keep it.
    """
    form = value.WhichOneof("value")
    if form == "image":
        yield _picture(context, value.image.encoded_image_string)
    elif form == "audio":
        yield _sound(context, value.audio.encoded_audio_string, "")
    elif form == "tensor" and plugin in _OWN:
        yield from _OWN[plugin](value.tensor, context)
    else:
        made = made_of(value, plugin)
        for one in made if isinstance(made, list) else [made]:
            yield context.record(one) if isinstance(one, Loggable) else float(one)


def _pictures(tensor: Any, context: Context) -> Iterator[NewRecord]:
    """Read width, height, then one encoded picture after the other."""
    for encoded in _strings(tensor)[2:]:
        yield _picture(context, encoded)


def _sounds(tensor: Any, context: Context) -> Iterator[NewRecord]:
    """Read rows of a WAV file and, maybe, its label."""
    strings = ndarray_of(tensor)
    rows = strings.reshape(len(strings), -1) if strings.ndim else strings.reshape(1, 1)
    for row in rows.tolist():
        label = row[1].decode("utf-8", "replace") if len(row) > 1 else ""
        yield _sound(context, row[0], label)


def _picture(context: Context, encoded: bytes) -> NewRecord:
    definition = context.origin.definition(context.tag, "image")
    return picture_record(definition, encoded, context.step, context.time)


def _sound(context: Context, encoded: bytes, label: str) -> NewRecord:
    definition = context.origin.definition(context.tag, "audio")
    return sound_record(definition, encoded, label, context.step, context.time)


def _layout(tensor: Any, context: Context) -> Iterator[NewRecord]:
    """Keep a layout of custom scalars as JSON."""
    for content in _strings(tensor):
        yield context.record(Text(json_format.MessageToJson(layout_pb2.Layout.FromString(content))))


def _keras_model(tensor: Any, context: Context) -> Iterator[NewRecord]:
    for content in _strings(tensor):
        text = content.decode("utf-8", "replace")
        yield context.record(Text(f"```json\n{text}\n```"), KERAS_MODEL)
        yield context.record(keras_graph(keras_util.keras_model_to_graph_def(json.loads(text)), text))


def _functions(tensor: Any, context: Context) -> Iterator[NewRecord]:
    for content in _strings(tensor):
        yield context.record(graph_of_functions(config_pb2.RunMetadata.FromString(content)))


def _run_metadata(tensor: Any, context: Context) -> Iterator[NewRecord]:
    for content in _strings(tensor):
        yield from _run_metadata_records(content, context)


def records_of_event(event: Any, origin: Origin) -> Iterator[NewRecord]:
    """Yield what an event without a summary holds: a graph, or the statistics of a step.

    Raises:
        BadInput: there is no way to keep it.
    """
    context = Context(origin, GRAPH, event.step, event.wall_time)
    form = event.WhichOneof("what")
    if form == "graph_def":
        yield context.record(graph_of(graph_pb2.GraphDef.FromString(event.graph_def)))
    elif form == "meta_graph_def":
        graph = meta_graph_pb2.MetaGraphDef.FromString(event.meta_graph_def).graph_def
        if graph.node:
            yield context.record(graph_of(graph))
    elif form == "tagged_run_metadata":
        tagged = event.tagged_run_metadata
        named = Context(origin, tagged.tag or GRAPH, event.step, event.wall_time)
        yield from _run_metadata_records(tagged.run_metadata, named)


def _run_metadata_records(content: bytes, context: Context) -> Iterator[NewRecord]:
    """Yield what a RunMetadata holds: the statistics of a step, the graph of what was traced."""
    metadata = config_pb2.RunMetadata.FromString(content)
    statistics = statistics_of(metadata)
    if statistics is not None:
        yield context.record(statistics)
    if metadata.function_graphs or metadata.partition_graphs:
        yield context.record(graph_of_functions(metadata))


def _strings(tensor: Any) -> list[bytes]:
    strings: list[Any] = ndarray_of(tensor).reshape(-1).tolist()
    if not all(isinstance(one, bytes) for one in strings):
        raise BadInput(f"expected strings, but got numbers: {strings!r:.80}")
    return strings


_OWN: Mapping[str, Callable[[Any, Context], Iterator[NewRecord]]] = {
    "images": _pictures,
    "audio": _sounds,
    "custom_scalars": _layout,
    "graph_keras_model": _keras_model,
    "graph_run_metadata": _run_metadata,
    "graph_run_metadata_graph": _functions,
}
"""Plugins whose values are read here; those of the others are what `tensorboard_media` makes of them."""
