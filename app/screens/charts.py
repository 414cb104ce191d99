"""Charts: every number of the chosen runs, one chart for each metric, however the frameworks name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from .. import metric_groups, queries
from ..metric_groups import Member
from ..views import scalar
from ..views.scalar import Line, Look, XAxis
from ..views.words import plain
from ..widgets import chart, grid, notices, page
from ..widgets.run_picker import Choice

POINTS_A_CHART = 6 * queries.POINTS_A_LINE
"""A chart of more draws each line with half the points: a browser needs a second for some ten thousand."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    look: Look
    wanted: str
    columns: int


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, _controls)


def _controls() -> Options:
    with st.container(horizontal=True):
        wanted = st.text_input(
            "Metrics",
            key="metrics",
            bind="query-params",
            type="search",
            placeholder="Filter: loss|accuracy",
            help="A regular expression. Without a capital letter, both cases fit.",
            width=190,
            live=True,
        )
        smoothing = st.slider(
            "Smoothing",
            *(0.0, 0.99, 0.6, 0.01),
            key="smoothing",
            bind="query-params",
            help="TensorBoard's. The line as it was logged stays behind, faintly. "
            f"Lines of up to {scalar.FEW_POINTS} points are drawn as they were logged.",
            width=170,
        )
        x = st.segmented_control(
            "Horizontal axis", list(XAxis), default=XAxis.STEP, required=True, key="x", bind="query-params"
        )
        scale = st.segmented_control(
            "Vertical axis",
            ["linear", "log"],
            default="linear",
            required=True,
            key="scale",
            bind="query-params",
        )
        columns = st.segmented_control(
            "Columns", [1, 2, 3, 4], default=2, required=True, key="columns", bind="query-params"
        )
    # Streamlit tells the viewer's clock as JavaScript does: minutes to add to it for UTC.
    offset = -60.0 * float(st.context.timezone_offset or 0)
    look = Look(x or XAxis.STEP, float(smoothing), scale == "log", offset)
    return Options(look, wanted or "", columns or 2)


def _draw(chosen: Choice, options: Options) -> None:
    metrics = metric_groups.by_metric(chosen.runs, queries.series(chosen.run_ids, "scalar"), queries.naming())
    if not metrics:
        notices.nothing("The chosen runs have logged no numbers yet.")
        return
    metrics = metric_groups.fitting(metrics, options.wanted)
    if not metrics:
        notices.nothing(f"No metric fits **{plain(options.wanted)}**.")
        return
    st.caption(_legend(metrics))
    for section, names in metric_groups.sections(metrics).items():
        opened = section not in metric_groups.LAST or bool(options.wanted)
        head = grid.section(section, len(names), opened=opened)
        with head:
            for name, cell in grid.cells(names if head.open else [], options.columns):
                with cell, notices.guarded(f"metric {name}"):
                    _chart(name, metrics[name], chosen, options.look)


def _chart(metric: str, members: Sequence[Member], chosen: Choice, look: Look) -> None:
    wanted = sum(min(one.series.count, queries.POINTS_A_LINE) for one in members)
    most = queries.POINTS_A_LINE // (2 if wanted > POINTS_A_CHART else 1)
    lines: list[Line] = []
    for one in members:
        name = one.words(chosen.names[one.run.run_id])
        with notices.guarded(f"series {one.series.name} of {name}"):
            points = queries.points(one.series, most)
            lines.append(
                Line(
                    name,
                    chosen.colours[one.run.run_id],
                    points,
                    one.run.created_at,
                    one.name.split,
                    one.name.granularity,
                )
            )
    if metric.partition("/")[0] in metric_groups.SETTINGS:
        look = replace(look, smoothing=0.0)
    alt = f"{metric} of {', '.join(line.name for line in lines)}"
    chart.draw(scalar.figure(metric, lines, look), key=f"metric {metric}", alt=alt)


def _legend(metrics: Mapping[str, Sequence[Member]]) -> str:
    """Return how the lines of different splits differ, as far as there are several."""
    shown = [one for members in metrics.values() for one in members]
    names = [one.name for one in shown]
    splits = {name.split or "train" for name in names}
    strokes = {"train": "━━ train", "validation": "╍╍ validation", "test": "┅┅ test"}
    told = [strokes[split] for split in strokes if split in splits] if len(splits) > 1 else []
    if any(name.granularity == "epoch" for name in names):
        told.append("● one value for each epoch")
    if any(one.name.granularity == "batch" and one.run.framework == "keras" for one in shown):
        told.append("Keras' values per batch are its running means over the epoch")
    return "  ·  ".join([*told, "drag to zoom, double click to see all"])
