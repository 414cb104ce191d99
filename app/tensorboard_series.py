"""What the store holds, in the terms of TensorBoard's data provider: runs, tags, plugins, keys of blobs.

Values and metadata are those of the export to event files, so that TensorBoard shows the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from tensorboard.data import provider as _provider
from tensorboard.plugins.graph import metadata as graphs
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.mesh import metadata as meshes
from tensorboard.plugins.pr_curve import metadata as pr_curves

from ..storage.model import Record, Run, Series
from ..storage.read import Reader
from ..trackers.sinks.tensorboard_hparams import session_end, session_start
from ..trackers.sinks.tensorboard_media import markdown_of, mesh_parts, picture_of, pr_curve_rows
from ..trackers.sinks.tensorboard_names import run_id_of, run_name
from ..trackers.sinks.tensorboard_values import graph_def, histogram_buckets, metadata
from .tensorboard_keys import BlobKey

provider: Any = _provider  # carries no types

ByRunAndTag: TypeAlias = dict[str, dict[str, Any]]
"""What TensorBoard gets: `answer[run][tag]`."""

HPARAMS = hparams.PLUGIN_NAME
MESHES = meshes.PLUGIN_NAME
SCALARS = {"scalars": ("scalar",)}
TENSORS = {"histograms": ("histogram",), "text": ("text", "table"), pr_curves.PLUGIN_NAME: ("pr_curve",)}
BLOBS = {"images": ("image", "video", "figure"), "audio": ("audio",), graphs.PLUGIN_NAME: ("graph",)}
KINDS_OF_PLUGIN: Mapping[str, tuple[str, ...]] = {**SCALARS, **TENSORS, **BLOBS, MESHES: ("mesh",)}
"""TensorBoard's plugin -> our kinds. Its other plugins draw from these too, or have no data.

Embeddings are in none: the projector reads files, so it needs an export.
"""

TENSOR_OF: Mapping[str, Callable[[Any], Any]] = {
    "histogram": histogram_buckets,
    "text": lambda value: np.array(markdown_of(value)),
    "table": lambda value: np.array(markdown_of(value)),
    "pr_curve": pr_curve_rows,
}
_PICTURE: Mapping[str, Callable[[Any], bytes]] = {
    # TensorBoard keeps the size of an image as the first two blobs of each step.
    "width": lambda value: str(picture_of(value).width).encode(),
    "height": lambda value: str(picture_of(value).height).encode(),
    "data": lambda value: picture_of(value).data,
}
PARTS_OF: Mapping[str, Mapping[str, Callable[[Any], bytes]]] = {
    **dict.fromkeys(BLOBS["images"], _PICTURE),
    "audio": {"data": lambda value: value.data},
    "graph": {"data": lambda value: graph_def(value).SerializeToString()},
}
"""Our kind -> the blobs of each step, in TensorBoard's order."""


def active_plugins(reader: Reader) -> list[str]:
    """Return TensorBoard's names of the plugins for which there are data."""
    runs = reader.runs()
    kinds = {series.kind for series in reader.series([run.run_id for run in runs])}
    found = [plugin for plugin, known in KINDS_OF_PLUGIN.items() if kinds.intersection(known)]
    return [*found, HPARAMS] if "hparams" in kinds or any(run.config for run in runs) else found


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


def chosen_series(
    reader: Reader, kinds: Sequence[str], run_tag_filter: Any
) -> Iterator[tuple[str, str, Series]]:
    """Yield the series of some kinds that pass the filter, with the names of their run and tag."""
    runs = chosen_runs(reader, run_tag_filter)
    tags = None if run_tag_filter is None else run_tag_filter.tags
    taken: set[tuple[str, str]] = set()
    for kind in kinds:
        for series in reader.series(list(runs), kind=kind, name=_only_name(kind, tags)):
            # Of a run's graphs, TensorBoard knows one.
            tag = graphs.RUN_GRAPH_NAME if kind == "graph" else series.label
            # A tag is one series: of an image and a video of one name, the image keeps it, as in an export.
            tag = f"{tag} ({kind})" if (series.run_id, tag) in taken else tag
            taken.add((series.run_id, series.label))
            if tags is None or tag in tags:
                yield run_name(runs[series.run_id]), tag, series


def _only_name(kind: str, tags: frozenset[str] | None) -> str | None:
    """Return the one name of series that can have such a tag, so that the store need not list all."""
    if kind == "graph" or tags is None or len(tags) != 1:
        return None
    (tag,) = tags
    # The tag of a series with a context, or with the name of another, ends with that: `loss [rank=1]`.
    return None if tag.endswith(("]", ")")) else tag


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


def describe_tensors(reader: Reader, series: Series) -> Any:
    """Return the same of a series of histograms, texts, tables or PR curves."""
    # What TensorBoard is told of a PR curve depends on the curve.
    value = newest_value(reader, series) if series.kind == "pr_curve" else None
    return provider.TensorTimeSeries(**_description(series, metadata(series.kind, value).plugin_data.content))


def describe_blobs(_reader: Reader, series: Series) -> Any:
    """Return the same of a series of pictures, sounds or graphs."""
    content = b"" if series.kind == "graph" else metadata(series.kind, None).plugin_data.content
    return provider.BlobSequenceTimeSeries(
        max_length=len(PARTS_OF[series.kind]), **_description(series, content)
    )


def described_meshes(reader: Reader, run_tag_filter: Any) -> ByRunAndTag:
    """Return what TensorBoard knows of meshes before it reads them: each array has a tag of its own."""
    answer: ByRunAndTag = {}
    for run, series in _meshes(reader, run_tag_filter):
        for part in mesh_parts(series.label, newest_value(reader, series)):
            described = _description(series, part.metadata.plugin_data.content)
            answer.setdefault(run, {})[part.tag] = provider.TensorTimeSeries(**described)
    return _with_tags(answer, run_tag_filter)


def mesh_tensors(reader: Reader, run_tag_filter: Any, most: int) -> ByRunAndTag:
    """Return the arrays of meshes by their tags, each of shape (1, n, 3); the last mesh included."""
    answer: ByRunAndTag = {}
    for run, series in _meshes(reader, run_tag_filter):
        for record in one_a_step(reader, series, most):
            for part in mesh_parts(series.label, reader.load(series, record)):
                datum = provider.TensorDatum(step=record.step, wall_time=record.time, numpy=part.array)
                answer.setdefault(run, {}).setdefault(part.tag, []).append(datum)
    return _with_tags(answer, run_tag_filter)


def _meshes(reader: Reader, run_tag_filter: Any) -> Iterator[tuple[str, Series]]:
    """Yield the series of meshes that have one of the tags, with the names of their runs."""
    tags = None if run_tag_filter is None else run_tag_filter.tags
    runs = chosen_runs(reader, run_tag_filter)
    for series in reader.series(list(runs), kind="mesh"):
        if tags is None or any(tag.startswith(f"{series.label}_") for tag in tags):
            yield run_name(runs[series.run_id]), series


def _with_tags(answer: ByRunAndTag, run_tag_filter: Any) -> ByRunAndTag:
    if run_tag_filter is None or run_tag_filter.tags is None:
        return answer
    wanted = run_tag_filter.tags
    return {run: {tag: of[tag] for tag in of if tag in wanted} for run, of in answer.items()}


def newest_value(reader: Reader, series: Series) -> Any:
    """Return the newest value of a series, decoded."""
    [newest] = reader.records(series, max_records=1)
    return reader.load(series, newest)


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


def configs(reader: Reader, runs: Mapping[str, Run]) -> ByRunAndTag:
    """Return the hyperparameters and the end of each run that has any, as TensorBoard's hyperparameters."""
    answer: ByRunAndTag = {}
    logged = _logged_hparams(reader, runs)
    for run in runs.values():
        known = run.config or run.run_id in logged
        for value in (session_start(run, logged.get(run.run_id)), session_end(run)) if known else ():
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


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that came with hyperparameters, which TensorBoard takes for a scalar of one point."""

    run: str
    """The run's name in TensorBoard."""
    tag: str
    step: int
    time: float
    value: float


def metrics(reader: Reader, run_tag_filter: Any) -> Iterator[Metric]:
    """Yield the metrics that came with the newest hyperparameters of each run that passes the filter."""
    runs = chosen_runs(reader, run_tag_filter)
    tags = None if run_tag_filter is None else run_tag_filter.tags
    for series in reader.series(list(runs), kind="hparams"):
        for record in reader.records(series, first_step=series.last_step):
            for tag, value in reader.load(series, record).metrics.items():
                if tags is None or tag in tags:
                    yield Metric(run_name(runs[series.run_id]), tag, record.step, record.time, value)


def describe_metric(metric: Metric) -> Any:
    """Return what TensorBoard knows of a metric before it reads it."""
    about = {"plugin_content": b"", "description": "", "display_name": ""}
    return provider.ScalarTimeSeries(max_step=metric.step, max_wall_time=metric.time, **about)


def metric_datum(metric: Metric) -> Any:
    """Return the one point of a metric."""
    return provider.ScalarDatum(step=metric.step, wall_time=metric.time, value=metric.value)


def _logged_hparams(reader: Reader, runs: Mapping[str, Run]) -> dict[str, dict[str, Any]]:
    """Return the newest hyperparameters that each run logged beside its config, by its id."""
    found: dict[str, dict[str, Any]] = {}
    for series in reader.series(list(runs), kind="hparams"):
        for record in reader.records(series, first_step=series.last_step):
            found.setdefault(series.run_id, {}).update(reader.load(series, record).values)
    return found
