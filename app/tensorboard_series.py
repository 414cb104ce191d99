"""What the store holds, in the terms of TensorBoard's data provider: runs, tags, plugins, keys of blobs.

Values and metadata are those of the export to event files, so that TensorBoard shows the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from tensorboard.data import provider as _provider
from tensorboard.plugins.graph import metadata as graphs
from tensorboard.plugins.hparams import metadata as hparams

from ..storage.model import Record, Run, Series
from ..storage.read import Reader
from ..trackers.sinks.tensorboard_hparams import session_end, session_start
from ..trackers.sinks.tensorboard_values import graph_def, histogram_buckets, metadata
from .tensorboard_keys import BlobKey, run_id_of, run_name

provider: Any = _provider  # carries no types

ByRunAndTag: TypeAlias = dict[str, dict[str, Any]]
"""What TensorBoard gets: `answer[run][tag]`."""

HPARAMS = hparams.PLUGIN_NAME
SCALARS = {"scalars": "scalar"}
TENSORS = {"histograms": "histogram", "text": "text"}
BLOBS = {"images": "image", "audio": "audio", graphs.PLUGIN_NAME: "graph"}
KIND_OF_PLUGIN: Mapping[str, str] = {**SCALARS, **TENSORS, **BLOBS}
"""TensorBoard's plugin -> our kind. Its other plugins draw from these too, or have no data."""

TENSOR_OF: Mapping[str, Callable[[Any], Any]] = {
    "histogram": histogram_buckets,
    "text": lambda value: np.array(value.text),
}
PARTS_OF: Mapping[str, Mapping[str, Callable[[Any], bytes]]] = {
    # TensorBoard keeps the size of an image as the first two blobs of each step.
    "image": {
        "width": lambda value: str(value.width).encode(),
        "height": lambda value: str(value.height).encode(),
        "data": lambda value: value.data,
    },
    "audio": {"data": lambda value: value.data},
    "graph": {"data": lambda value: graph_def(value).SerializeToString()},
}
"""Our kind -> the blobs of each step, in TensorBoard's order."""


def active_plugins(reader: Reader) -> list[str]:
    """Return TensorBoard's names of the plugins for which there are data."""
    runs = reader.runs()
    kinds = {series.kind for series in reader.series([run.run_id for run in runs])}
    found = [plugin for plugin, kind in KIND_OF_PLUGIN.items() if kind in kinds]
    return [*found, HPARAMS] if any(run.config for run in runs) else found


def listed_run(run: Run) -> Any:
    """Return a run as TensorBoard lists it; its name is its identity."""
    name = run_name(run)
    return provider.Run(run_id=name, run_name=name, start_time=run.created_at)


def chosen_runs(reader: Reader, run_tag_filter: Any) -> dict[str, Run]:
    """Return the runs that pass the filter, by id."""
    wanted = None if run_tag_filter is None else run_tag_filter.runs
    if wanted is None:
        return {run.run_id: run for run in reader.runs()}
    ids = [run_id for name in wanted if (run_id := run_id_of(name)) is not None]
    return {run.run_id: run for run in reader.runs(run_ids=ids) if run_name(run) in wanted}


def chosen_series(reader: Reader, kind: str, run_tag_filter: Any) -> Iterator[tuple[str, str, Series]]:
    """Yield the series of a kind that pass the filter, with the names of their run and tag."""
    runs = chosen_runs(reader, run_tag_filter)
    tags = None if run_tag_filter is None else run_tag_filter.tags
    for series in reader.series(list(runs), kind=kind, name=_only_name(kind, tags)):
        # Of a run's graphs, TensorBoard knows one.
        tag = graphs.RUN_GRAPH_NAME if kind == "graph" else series.label
        if tags is None or tag in tags:
            yield run_name(runs[series.run_id]), tag, series


def _only_name(kind: str, tags: frozenset[str] | None) -> str | None:
    """Return the one name of series that can have such a tag, so that the store need not list all."""
    if kind == "graph" or tags is None or len(tags) != 1:
        return None
    (tag,) = tags
    # The tag of a series with a context ends with that: `loss [rank=1]`.
    return None if tag.endswith("]") else tag


def sampled_points(reader: Reader, series: Series, most: int) -> list[tuple[int, float, float]]:
    """Return at most that many of the points, as step, time, value; the first and last among them."""
    points = reader.points(series, max_points=max(most - 1, 1))
    sampled = list(zip(points.step.tolist(), points.time.tolist(), points.last.tolist(), strict=True))
    if points.bucketed and most > 1:
        # Each entry is the last point of its bucket, so the first point of all is in none: often the largest
        # loss of the run.
        first = reader.points(series, last_step=int(points.first_step[0]))
        sampled.insert(0, (int(first.step[-1]), float(first.time[-1]), float(first.last[-1])))
    return sampled


def one_a_step(reader: Reader, series: Series, most: int) -> list[Record]:
    """Return at most one record for each step: a step is unique in TensorBoard."""
    return list({record.step: record for record in reader.records(series, max_records=most)}.values())


def _description(series: Series, content: bytes) -> dict[str, Any]:
    return {
        "max_step": series.last_step,
        "max_wall_time": series.last_time,
        "plugin_content": content,
        "description": "",
        "display_name": "",
    }


def describe_scalars(_reader: Reader, series: Series) -> Any:
    """Return what TensorBoard knows of a series of numbers before it reads them."""
    return provider.ScalarTimeSeries(**_description(series, b""))


def describe_tensors(_reader: Reader, series: Series) -> Any:
    """Return the same of a series of histograms or texts."""
    return provider.TensorTimeSeries(**_description(series, metadata(series.kind).plugin_data.content))


def describe_blobs(_reader: Reader, series: Series) -> Any:
    """Return the same of a series of images, sounds or graphs."""
    content = b"" if series.kind == "graph" else metadata(series.kind).plugin_data.content
    return provider.BlobSequenceTimeSeries(
        max_length=len(PARTS_OF[series.kind]), **_description(series, content)
    )


def blob_sequence(series: Series, record: Record) -> Any:
    """Return the keys of a record's blobs."""
    keys = [BlobKey.of(record, part).encode() for part in PARTS_OF[series.kind]]
    values = tuple(provider.BlobReference(key) for key in keys)
    return provider.BlobSequenceDatum(step=record.step, wall_time=record.time, values=values)


def read_blob(reader: Reader, key: BlobKey) -> bytes | None:
    """Return the bytes of a key, None when there is no such blob."""
    for series in reader.series(key.run_id):
        convert = PARTS_OF.get(series.kind, {}).get(key.part)
        if series.series_id == key.series_id and convert is not None:
            for record in reader.records(series, first_step=key.step, last_step=key.step):
                if key.fits(record):
                    return convert(reader.load(series, record))
    return None


def configs(runs: Mapping[str, Run]) -> ByRunAndTag:
    """Return the config and the end of each run that has a config, as TensorBoard's hyperparameters."""
    answer: ByRunAndTag = {}
    for run in runs.values():
        for value in (session_start(run), session_end(run)) if run.config else ():
            if value is not None:
                series = provider.TensorTimeSeries(
                    max_step=0,
                    max_wall_time=run.updated_at,
                    plugin_content=value.metadata.plugin_data.content,
                    description="",
                    display_name="",
                )
                answer.setdefault(run_name(run), {})[value.tag] = series
    return answer
