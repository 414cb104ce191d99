"""What TensorFlow writes into event files -> values to log: one function for each of TensorBoard's plugins.

Only TensorFlow's own protos are used: the tensorboard package need not be there to read what it wrote.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import PIL.Image
import tensorflow
from numpy.typing import NDArray

from ...storage.errors import BadInput
from ..media import Audio, Graph, Histogram, HParams, Image, PrCurve, Text
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
            form = value.WhichOneof("value")
            plugin = value.metadata.plugin_data.plugin_name or self._plugins.get(value.tag, "")
            self._plugins.setdefault(value.tag, plugin)
            if plugin == "hparams":
                yield from _hyperparameters(value)
            elif plugin not in _TOLD_ELSEWHERE:
                yield value.tag, _maker(value, form, plugin)


def _maker(value: Any, form: str, plugin: str) -> Callable[[], Any]:
    if form in _OLD_FORMS:
        return lambda: _OLD_FORMS[form](getattr(value, form))
    if form == "tensor":
        return lambda: _PLUGINS.get(plugin, _plain)(tf.make_ndarray(value.tensor))

    def refuse() -> Any:
        raise BadInput(f"expected a summary with a value, but the one of {value.tag!r} has {form or 'none'}")

    return refuse


def _hyperparameters(value: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Read what tensorboard.plugins.hparams.api.hparams writes at the start of a session."""
    from ..sinks.tensorboard_protos import hparams_data_pb2  # noqa: PLC0415 - of a package that may be missing

    data = hparams_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
    if data.WhichOneof("data") == "session_start_info":
        given = data.session_start_info.hparams
        values = {name: getattr(one, one.WhichOneof("kind")) for name, one in given.items()}
        yield "hparams", lambda: HParams(values)


def _scalar(tensor: NDArray[Any]) -> float:
    return float(tensor.reshape(()))


def _histogram(buckets: NDArray[Any]) -> Histogram:
    """Read rows of left, right, count; TensorFlow may write none, or some without width."""
    return _binned(buckets[:, 0], buckets[:, 1], buckets[:, 2])


def _binned(left: NDArray[Any], right: NDArray[Any], counts: NDArray[Any]) -> Histogram:
    if not len(counts) or not counts.sum():
        return Histogram(np.empty(0))
    edges = np.unique(np.append(left, right[-1]))
    if len(edges) == 1:
        edges = np.array([np.nextafter(edges[0], -np.inf), np.nextafter(edges[0], np.inf)])
    places = np.clip(np.searchsorted(edges, left, side="right") - 1, 0, len(edges) - 2)
    return Histogram(counts=np.bincount(places, counts, len(edges) - 1), edges=edges)


def _images(parts: NDArray[Any]) -> list[Image]:
    """Read width, height, then one PNG for each picture."""
    return [_picture(encoded) for encoded in parts.reshape(-1)[2:]]


def _picture(encoded: bytes) -> Image:
    return Image(PIL.Image.open(io.BytesIO(encoded)))


def _sounds(rows: NDArray[Any]) -> list[Audio]:
    """Read rows of a WAV file and, maybe, its label."""
    rows = rows.reshape(len(rows), -1) if rows.ndim else rows.reshape(1, 1)
    return [_sound(row[0], row[1].decode() if len(row) > 1 else "") for row in rows]


def _sound(encoded: bytes, label: str = "") -> Audio:
    with wave.open(io.BytesIO(encoded)) as file:
        frames, channels, rate = file.readframes(file.getnframes()), file.getnchannels(), file.getframerate()
    samples = np.frombuffer(frames, "<i2").reshape(-1, channels)
    return Audio(samples, rate, label or None, layout="NC")


def _text(tensor: NDArray[Any]) -> Text:
    """Read one text, a vector as paragraphs, or rows of cells as a table, as TensorBoard shows them."""
    words = [_word(encoded) for encoded in tensor.reshape(-1)]
    if tensor.ndim < 2:
        return Text("\n\n".join(words))
    columns: int = tensor.shape[-1]
    rows = [" | ".join(words[at : at + columns]) for at in range(0, len(words), columns)]
    return Text("\n".join([rows[0], " | ".join(["---"] * columns), *rows[1:]]))


def _word(encoded: Any) -> str:
    return encoded.decode("utf-8", "replace")


def _pr_curve(rows: NDArray[Any]) -> PrCurve:
    return PrCurve.from_counts(*rows)


def _function_graph(tensor: NDArray[Any]) -> Graph:
    """Read what tf.summary.trace_export writes: the largest of the functions that were traced."""
    metadata = tf.compat.v1.RunMetadata.FromString(tensor.item())
    graphs = [one.pre_optimization_graph for one in metadata.function_graphs] or list(
        metadata.partition_graphs
    )
    if not graphs:
        raise BadInput(
            "expected a traced graph, but trace_export found none: TensorFlow gives the graph of a function "
            "that is traced after trace_on. Write tf.summary.trace_on(graph=True) before its first call."
        )
    return Graph(capture_graph_def(max(graphs, key=lambda graph: len(graph.node)), "graph"))


def _plain(tensor: NDArray[Any]) -> Any:
    """Take what no plugin explains for what it is: numbers or words."""
    if tensor.dtype == object:
        return _text(tensor)
    return _scalar(tensor) if tensor.size == 1 else Histogram(tensor)


def _graph_def(data: bytes) -> Any:
    return tf.compat.v1.GraphDef.FromString(data)


def _old_histogram(proto: Any) -> Histogram:
    """Read TensorFlow 1's buckets, whose outermost limits are the largest numbers there are."""
    limits = np.clip(np.array(proto.bucket_limit), proto.min, proto.max)
    return _binned(np.append(proto.min, limits[:-1]), limits, np.array(proto.bucket))


def _old_image(proto: Any) -> Image:
    return _picture(proto.encoded_image_string)


def _old_audio(proto: Any) -> Audio:
    return _sound(proto.encoded_audio_string)


_OLD_FORMS: dict[str, Callable[[Any], Any]] = {
    "simple_value": float,
    "histo": _old_histogram,
    "image": _old_image,
    "audio": _old_audio,
}
"""The fields that TensorFlow 1 fills."""

_TOLD_ELSEWHERE = {"graph_keras_model", "graph_run_metadata"}
"""Of a graph or a profile that comes in another form as well."""

_PLUGINS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "scalars": _scalar,
    "histograms": _histogram,
    "images": _images,
    "audio": _sounds,
    "text": _text,
    "pr_curves": _pr_curve,
    "graph_run_metadata_graph": _function_graph,
}
