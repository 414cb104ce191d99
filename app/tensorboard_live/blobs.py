"""Pictures, sounds and graphs for TensorBoard: sequences of keys, and the bytes behind each.

All pictures of a step are one sequence, `[width, height, picture, picture ...]`, and so are its sounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tensorboard.data import provider as _provider
from tensorboard.plugins.graph import metadata as graphs

from ...storage.model import Record, Series
from ...storage.read import Reader
from ...storage.read_steps import most_a_step
from ...trackers.sinks.tensorboard.conceptual import conceptual_graph, graph_in_metadata
from ...trackers.sinks.tensorboard.media import picture_of
from ...trackers.sinks.tensorboard.steps import is_step_statistics, step_statistics
from ...trackers.sinks.tensorboard.values import graph_def, metadata
from .catalogue import Catalogue, Shown
from .keys import BlobKey
from .tensors import by_step, newest_value

provider: Any = _provider  # carries no types

PICTURES = ("image", "video", "figure")
BLOBS: Mapping[str, tuple[str, ...]] = {"images": PICTURES, "audio": ("audio",)}
"""TensorBoard's plugin -> our kinds."""
OF_GRAPHS: Mapping[str, tuple[str, ...]] = {graphs.PLUGIN_NAME: ("graph",)}
"""The same of the one that has several names for what it shows."""
MOST_A_STEP = 50
"""Pictures or sounds: TensorBoard makes a card of each."""

_GRAPH_PART = {
    graphs.PLUGIN_NAME: "data",
    graphs.PLUGIN_NAME_RUN_METADATA_WITH_GRAPH: "tagged",
    graphs.PLUGIN_NAME_KERAS_MODEL: "layers",
    graphs.PLUGIN_NAME_TAGGED_RUN_METADATA: "profile",
}
KERAS_MODEL = "/keras_model"
"""How the names of texts end that hold the JSON of an imported Keras model."""
_PICTURE: Mapping[str, Callable[[Any], bytes]] = {
    "width": lambda value: str(picture_of(value).width).encode(),
    "height": lambda value: str(picture_of(value).height).encode(),
    "data": lambda value: picture_of(value).data,
}
_PARTS_OF: Mapping[str, Mapping[str, Callable[[Any], bytes]]] = {
    **dict.fromkeys(PICTURES, _PICTURE),
    "audio": {"data": lambda value: value.data},
    "graph": {
        "data": lambda value: graph_def(value).SerializeToString(),
        "tagged": lambda value: graph_in_metadata(value).SerializeToString(),
        "layers": conceptual_graph,
    },
    "text": {"layers": lambda value: value.text.encode()},
    "table": {"profile": lambda value: step_statistics(value).SerializeToString()},
}


def described_blobs(
    catalogue: Catalogue, sizes: StepSizes, plugin: str, run_tag_filter: Any
) -> dict[str, dict[str, Any]]:
    """Return what TensorBoard knows of series of pictures, sounds or graphs before it reads them."""
    answer: dict[str, dict[str, Any]] = {}
    chosen = _chosen(catalogue, plugin, run_tag_filter)
    # The graph that counts is the newest one.
    many = [] if plugin in _GRAPH_PART else [shown for _, shown in chosen]
    longest = sizes.of(catalogue.reader, many)
    for tag, shown in chosen:
        series = shown.series
        most = min(longest.get((series.run_id, series.series_id), 1), MOST_A_STEP)
        answer.setdefault(shown.run, {})[tag] = provider.BlobSequenceTimeSeries(
            max_step=series.last_step,
            max_wall_time=series.last_time,
            max_length=most + len(_head(series)),
            plugin_content=_content(plugin, series.kind),
            description=shown.description,
            display_name=shown.display_name,
        )
    return answer


def blob_sequences(
    catalogue: Catalogue, plugin: str, run_tag_filter: Any, most: int
) -> dict[str, dict[str, Any]]:
    """Return the keys of pictures, sounds or graphs, of at most so many steps; the last one included."""
    answer: dict[str, dict[str, Any]] = {}
    part = _GRAPH_PART.get(plugin, "data")
    for tag, shown in _chosen(catalogue, plugin, run_tag_filter):
        steps = by_step(catalogue.reader, shown.series, most)
        answer.setdefault(shown.run, {})[tag] = [_sequence(shown.series, step, part) for step in steps]
    return answer


def read_blob(catalogue: Catalogue, key: BlobKey) -> bytes | None:
    """Return the bytes of a key, None when there is no such blob."""
    shown = catalogue.find(key.run_id, key.series_id)
    convert = None if shown is None else _PARTS_OF.get(shown.series.kind, {}).get(key.part)
    if shown is None or convert is None:
        return None
    reader = catalogue.reader
    for record in reader.records(shown.series, first_step=key.step, last_step=key.step):
        if key.fits(record):
            return convert(reader.load(shown.series, record))
    return None


def _chosen(catalogue: Catalogue, plugin: str, run_tag_filter: Any) -> list[tuple[str, Shown]]:
    """Return the series of a plugin that pass the filter, with their tags."""
    if plugin not in _GRAPH_PART:
        return [(one.tag, one) for one in catalogue.chosen(BLOBS[plugin], run_tag_filter)]
    runs = None if run_tag_filter is None else provider.RunTagFilter(runs=run_tag_filter.runs)
    tags = None if run_tag_filter is None else run_tag_filter.tags
    found: dict[tuple[str, str], Shown] = {}
    for tag, shown in _GRAPHS[plugin](catalogue, runs):
        if tags is None or tag in tags:
            found.setdefault((shown.run, tag), shown)
    return [(tag, shown) for (_, tag), shown in found.items()]


def _graphs_of_runs(catalogue: Catalogue, runs: Any) -> Iterator[tuple[str, Shown]]:
    """Yield the graphs; the one of a run that comes first is shown without a tag."""
    return ((graphs.RUN_GRAPH_NAME, one) for one in catalogue.chosen(("graph",), runs))


def _graphs_with_tags(catalogue: Catalogue, runs: Any) -> Iterator[tuple[str, Shown]]:
    # Here, a graph shares its name with its statistics only, and TensorBoard shows the two together.
    return ((one.tag.removesuffix(" (graph)"), one) for one in catalogue.chosen(("graph",), runs))


def _conceptual_graphs(catalogue: Catalogue, runs: Any) -> Iterator[tuple[str, Shown]]:
    """Yield Keras' own models as they were imported, then what has layers."""
    texts = (one for one in catalogue.chosen(("text",), runs) if one.tag.endswith(KERAS_MODEL))
    yield from ((one.tag.removesuffix(KERAS_MODEL), one) for one in texts)
    yield from _graphs_with_tags(catalogue, runs)


def _profiles(catalogue: Catalogue, runs: Any) -> Iterator[tuple[str, Shown]]:
    """Yield tables of step statistics; they are looked for in runs that have a graph."""
    with_graph = {one.run for one in catalogue.chosen(("graph",), runs)}
    for one in catalogue.chosen(("table",), runs):
        if one.run in with_graph and is_step_statistics(newest_value(catalogue.reader, one.series)):
            yield one.tag, one


_GRAPHS = {
    graphs.PLUGIN_NAME: _graphs_of_runs,
    graphs.PLUGIN_NAME_RUN_METADATA_WITH_GRAPH: _graphs_with_tags,
    graphs.PLUGIN_NAME_KERAS_MODEL: _conceptual_graphs,
    graphs.PLUGIN_NAME_TAGGED_RUN_METADATA: _profiles,
}
PLUGINS = frozenset({*BLOBS, *_GRAPHS})


def _content(plugin: str, kind: str) -> bytes:
    if plugin == graphs.PLUGIN_NAME:
        return b""
    # Of its tagged graphs, TensorBoard wants to know the version.
    return b"1" if plugin in _GRAPH_PART else metadata(kind, None).plugin_data.content


class StepSizes:
    """How many values series have of one step; known for as long as a series does not grow."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[tuple[str, int], tuple[int, int]] = {}

    def of(self, reader: Reader, chosen: Iterable[Shown]) -> dict[tuple[str, int], int]:
        """Return (run_id, series_id) -> the most values of a step. Raises StoreError."""
        series = {(one.series.run_id, one.series.series_id): one.series for one in chosen}
        new = [
            one
            for key, one in series.items()
            if one.count > 1 and self._known.get(key, (0, 0))[0] != one.count
        ]
        found = reader.ask(lambda connection: most_a_step(connection, new)) if new else {}
        self._known |= {key: (series[key].count, most) for key, most in found.items()}
        return {key: self._known.get(key, (1, 1))[1] for key in series}


def _head(series: Series) -> tuple[str, ...]:
    """Return the parts that stand once before the values of a step."""
    return ("width", "height") if series.kind in PICTURES else ()


def _sequence(series: Series, records: Sequence[Record], part: str) -> Any:
    """Return the keys of what was logged at a step."""
    keys = [BlobKey.of(records[0], name) for name in _head(series)]
    keys += [BlobKey.of(record, part) for record in records[-MOST_A_STEP:]]
    return provider.BlobSequenceDatum(
        step=records[-1].step,
        wall_time=records[-1].time,
        values=tuple(provider.BlobReference(key.encode()) for key in keys),
    )
