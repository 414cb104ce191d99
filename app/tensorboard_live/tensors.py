"""Histograms, PR curves, texts, tables and meshes for TensorBoard, the same as in an export.

A step is unique in TensorBoard. Several texts of one step are a vector, which it shows as a table; of other
kinds, the one that was logged last counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tensorboard.data import provider as _provider
from tensorboard.plugins.custom_scalar import metadata as custom_scalars
from tensorboard.plugins.mesh import metadata as meshes
from tensorboard.plugins.pr_curve import metadata as pr_curves

from ...storage.model import Record, Series
from ...storage.read import Reader
from ...trackers.sinks.tensorboard.layout import LAYOUT_NAME, layout_from_text, layout_of, tags_by_metric
from ...trackers.sinks.tensorboard.media import markdown_of, mesh_parts, pr_curve_rows
from ...trackers.sinks.tensorboard.names import Place
from ...trackers.sinks.tensorboard.values import histogram_buckets, metadata
from ..kept import Kept
from .catalogue import Catalogue, Shown

provider: Any = _provider  # carries no types

MESHES = meshes.PLUGIN_NAME
CUSTOM_SCALARS = custom_scalars.PLUGIN_NAME
TENSORS: Mapping[str, tuple[str, ...]] = {
    "histograms": ("histogram",),
    "text": ("text", "table"),
    pr_curves.PLUGIN_NAME: ("pr_curve",),
}
"""TensorBoard's plugin -> our kinds."""

_TENSOR_OF: Mapping[str, Callable[[list[Any]], Any]] = {
    "histogram": lambda values: histogram_buckets(values[-1]),
    "text": lambda values: _texts([markdown_of(value) for value in values]),
    "table": lambda values: _texts([markdown_of(value) for value in values]),
    "pr_curve": lambda values: pr_curve_rows(values[-1]),
}
_newest = Kept[Any](500)


def describe_tensors(reader: Reader, shown: Shown) -> Any:
    """Return what TensorBoard knows of a series of histograms, texts, tables or PR curves."""
    kind = shown.series.kind
    # What TensorBoard is told of a PR curve depends on the curve.
    value = newest_value(reader, shown.series) if kind == "pr_curve" else None
    return _described(shown, metadata(kind, value).plugin_data.content)


def tensor_data(reader: Reader, shown: Shown, most: int) -> list[Any]:
    """Return histograms, float64 (k, 3), PR curves, float32 (6, n), or texts; the last one included."""
    series = shown.series
    convert = _TENSOR_OF[series.kind]
    return [
        provider.TensorDatum(
            step=records[-1].step,
            wall_time=records[-1].time,
            numpy=convert([reader.load(series, record) for record in records]),
        )
        for records in by_step(reader, series, most)
    ]


def by_step(reader: Reader, series: Series, most: int) -> list[list[Record]]:
    """Return the records of at most so many steps, evenly chosen, in the order of the steps."""
    found: dict[int, list[Record]] = {}
    for record in reader.records(series, max_steps=most):
        found.setdefault(record.step, []).append(record)
    return list(found.values())


def described_meshes(catalogue: Catalogue, run_tag_filter: Any) -> dict[str, dict[str, Any]]:
    """Return what TensorBoard knows of meshes before it reads them: each array has a tag of its own."""
    answer: dict[str, dict[str, Any]] = {}
    for shown in _meshes(catalogue, run_tag_filter):
        for part in mesh_parts(shown.tag, newest_value(catalogue.reader, shown.series)):
            described = _described(shown, part.metadata.plugin_data.content)
            answer.setdefault(shown.run, {})[part.tag] = described
    return _with_tags(answer, run_tag_filter)


def mesh_tensors(catalogue: Catalogue, run_tag_filter: Any, most: int) -> dict[str, dict[str, Any]]:
    """Return the arrays of meshes by their tags, each of shape (1, n, 3); the last mesh included."""
    answer: dict[str, dict[str, Any]] = {}
    reader = catalogue.reader
    for shown in _meshes(catalogue, run_tag_filter):
        for [*_, record] in by_step(reader, shown.series, most):
            for part in mesh_parts(shown.tag, reader.load(shown.series, record)):
                datum = provider.TensorDatum(step=record.step, wall_time=record.time, numpy=part.array)
                answer.setdefault(shown.run, {}).setdefault(part.tag, []).append(datum)
    return _with_tags(answer, run_tag_filter)


def layouts(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Return the layouts of the custom scalars: those that came with imported files, else one of our own.

    Ours is of the metrics of all runs, and is given to one of them, since TensorBoard joins what it finds.
    """
    imported = {
        shown.run: layout
        for shown in catalogue.chosen(("text",), provider.RunTagFilter(tags=[LAYOUT_NAME]))
        if (layout := layout_from_text(newest_value(catalogue.reader, shown.series).text)) is not None
    }
    found = imported or _own_layout(catalogue)
    return {run: {LAYOUT_NAME: [_layout_datum(layout)]} for run, layout in found.items()}


def _layout_datum(layout: Any) -> Any:
    return provider.TensorDatum(
        step=0, wall_time=0.0, numpy=np.array(layout.SerializeToString(), dtype=object)
    )


def _own_layout(catalogue: Catalogue) -> dict[str, Any]:
    tags: dict[str, set[str]] = {}
    runs = catalogue.runs().values()
    for shown in catalogue.chosen(("scalar",), None):
        placed = {shown.series.series_id: Place("", shown.tag)}
        for metric, found in tags_by_metric([shown.series], placed, catalogue.naming).items():
            tags.setdefault(metric, set()).update(found)
    return {next(iter(runs)).name: layout_of(tags)} if tags else {}


def _texts(texts: Sequence[str]) -> Any:
    return np.array(texts[0] if len(texts) == 1 else texts, dtype=object)


def _described(shown: Shown, content: bytes) -> Any:
    return provider.TensorTimeSeries(
        max_step=shown.series.last_step,
        max_wall_time=shown.series.last_time,
        plugin_content=content,
        description=shown.description,
        display_name=shown.display_name,
    )


def newest_value(reader: Reader, series: Series) -> Any:
    """Return the newest value of a series, decoded."""

    def load() -> Any:
        [newest] = reader.records(series, max_records=1)
        return reader.load(series, newest)

    key = (reader.url, series.run_id, series.series_id)
    return _newest.get(key, load, (series.count, series.last_time))


def _meshes(catalogue: Catalogue, run_tag_filter: Any) -> list[Shown]:
    """Return the series of meshes that have one of the tags."""
    if run_tag_filter is None or run_tag_filter.tags is None:
        return catalogue.chosen(("mesh",), run_tag_filter)
    of_runs = catalogue.chosen(("mesh",), provider.RunTagFilter(runs=run_tag_filter.runs))
    return [one for one in of_runs if any(tag.startswith(f"{one.tag}_") for tag in run_tag_filter.tags)]


def _with_tags(answer: dict[str, dict[str, Any]], run_tag_filter: Any) -> dict[str, dict[str, Any]]:
    if run_tag_filter is None or run_tag_filter.tags is None:
        return answer
    wanted = run_tag_filter.tags
    return {run: {tag: of[tag] for tag in of if tag in wanted} for run, of in answer.items()}
