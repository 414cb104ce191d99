"""The page "Custom Scalars" of TensorBoard: a chart for each metric, with the lines of all its splits. Pure.

A layout that came with imported event files is kept as a text of the name TensorBoard gives it; it is then
shown instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ...storage.model import Series
from ...storage.name_rules import Naming
from ...storage.sections import LAST, sections
from .tensorboard_names import Place
from .tensorboard_protos import custom_scalar_metadata, json_format, layout_pb2

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


def layout_as_text(layout: Any) -> str:
    """Return a layout as the text that a store keeps; `layout_from_text` is its inverse."""
    return json_format.MessageToJson(layout)


def layout_from_text(text: str) -> Any | None:
    """Return the layout that a text holds, None when it is none."""
    try:
        return json_format.Parse(text, layout_pb2.Layout())
    except json_format.ParseError:
        return None
