"""The page "Custom Scalars" of TensorBoard: a chart for each metric, with the lines of all its splits. Pure.

A layout that came with imported event files is kept as a text of the name TensorBoard gives it; it is then
shown instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ....storage.model import Series
from ....storage.name_rules import Naming
from ....storage.read import Reader
from ....storage.sections import LAST, sections
from .names import Place, places
from .protos import custom_scalar_metadata, json_format, layout_pb2, summary_pb2, tensor_pb2, types_pb2

LAYOUT_NAME: str = custom_scalar_metadata.CONFIG_SUMMARY_TAG
"""The tag under which TensorBoard reads a layout, and the name of the text that keeps an imported one."""
MOST_CHARTS = 500
_OPEN_CHARTS = 12
_TAGS_A_CHART = 100


def tags_by_metric(
    series: Iterable[Series], placed: Mapping[int, Place], naming: Naming
) -> dict[str, set[str]]:
    """Return metric -> the tags that show it, of the scalars of a run.

    Args:
        series: of one run.
        placed: where they are in TensorBoard.
        naming: how the store's names are understood.
    """
    found: dict[str, set[str]] = {}
    for one in series:
        if one.kind == "scalar":
            found.setdefault(naming.parse(one.name, one.context).metric, set()).add(placed[one.series_id].tag)
    return found


def layout_of(tags: Mapping[str, Collection[str]]) -> Any:
    """Return a layout_pb2.Layout with a category for each section and a chart for each metric.

    Args:
        tags: metric -> the tags that show it; of more than 500 metrics, the first ones have charts.
    """
    layout = layout_pb2.Layout()
    charts = 0
    for section, metrics in sections(tags).items():
        category = layout.category.add(title=section, closed=section in LAST or charts >= _OPEN_CHARTS)
        for metric in metrics[: MOST_CHARTS - charts]:
            lines = [f"^{re.escape(tag)}$" for tag in sorted(tags[metric])[:_TAGS_A_CHART]]
            category.chart.add(title=metric, multiline={"tag": lines})
        charts += len(category.chart)
        if charts == MOST_CHARTS:
            break
    return layout


def layout_of_runs(reader: Reader, run_ids: Sequence[str]) -> Any:
    """Return the layout_pb2.Layout for some runs together. Raises StoreError, BadInput."""
    of_run: dict[str, list[Series]] = {}
    for one in reader.series(run_ids):
        of_run.setdefault(one.run_id, []).append(one)
    tags: dict[str, set[str]] = {}
    naming = reader.naming()
    for series in of_run.values():
        for metric, shown in tags_by_metric(series, places(series), naming).items():
            tags.setdefault(metric, set()).update(shown)
    return layout_of(tags)


def layout_value(layout: Any) -> Any:
    """Return the Summary.Value by which event files bring a layout."""
    content = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, tensor_shape={}, string_val=[layout.SerializeToString()]
    )
    described: Any = custom_scalar_metadata.create_summary_metadata()
    described.data_class = summary_pb2.DATA_CLASS_TENSOR
    return summary_pb2.Summary.Value(tag=LAYOUT_NAME, metadata=described, tensor=content)


def layout_as_text(layout: Any) -> str:
    """Return a layout as the text that a store keeps; `layout_from_text` is its inverse."""
    return json_format.MessageToJson(layout)


def layout_from_text(text: str) -> Any | None:
    """Return the layout that a text holds, None when it is none."""
    try:
        return json_format.Parse(text, layout_pb2.Layout())
    except json_format.ParseError:
        return None
