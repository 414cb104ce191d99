"""Charts: every number of the chosen runs, one chart for each metric, however the frameworks name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from .. import metric_groups, queries
from ..metric_groups import Member
from ..views import ranks, scalar
from ..views.scalar import Line, Look, XAxis
from ..views.words import plain
from ..widgets import chart, grid, notices, page
from ..widgets.run_picker import Choice

POINTS_A_CHART = 6 * queries.POINTS_A_LINE
"""A chart of more draws each line with half the points: a browser needs a second for some ten thousand."""


MEAN_OF_RANKS, RANK_0, ALL_RANKS = "mean of ranks", "rank 0", "all ranks"


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    look: Look
    wanted: str
    columns: int
    ranks: str = ALL_RANKS
    """Which ranks are shown: one of the three words above."""


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
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_legend(metrics))
        options = replace(options, ranks=_ranks(metrics))
    for section, names in metric_groups.sections(metrics).items():
        opened = section not in metric_groups.LAST or bool(options.wanted)
        head = grid.section(section, len(names), opened=opened)
        with head:
            for name, cell in grid.cells(names if head.open else [], options.columns):
                with cell, notices.guarded(f"metric {name}"):
                    _chart(name, metrics[name], chosen, options)


def _ranks(metrics: Mapping[str, Sequence[Member]]) -> str:
    """Ask which ranks are shown, where a run has several of one metric."""
    if not any(len(group) > 1 for members in metrics.values() for group in metric_groups.by_rank(members)):
        return ALL_RANKS
    chosen = st.segmented_control(
        "Ranks",
        [MEAN_OF_RANKS, RANK_0, ALL_RANKS],
        default=MEAN_OF_RANKS,
        required=True,
        key="ranks",
        label_visibility="collapsed",
        width="content",
        bind="query-params",
        help="The mean lies in a band from the smallest to the largest value of all ranks.",
    )
    return chosen or MEAN_OF_RANKS


def _chart(metric: str, members: Sequence[Member], chosen: Choice, options: Options) -> None:
    look = options.look
    groups = _shown(metric_groups.by_rank(members), options.ranks)
    wanted = sum(min(group[0].series.count, queries.POINTS_A_LINE) for group in groups)
    most = queries.POINTS_A_LINE // (2 if wanted > POINTS_A_CHART else 1)
    lines: list[Line] = []
    for group in groups:
        one, run_name = group[0], chosen.names[group[0].run.run_id]
        several = len(group) > 1
        name = one.words_across(run_name, f"mean of {len(group)} ranks") if several else one.words(run_name)
        with notices.guarded(f"series {one.series.name} of {name}"):
            points = [queries.points(each.series, most) for each in ranks.chosen(group)]
            lines.append(
                Line(
                    name,
                    chosen.colours[one.run.run_id],
                    ranks.across(points) if several else points[0],
                    one.run.created_at,
                    one.name.split,
                    one.name.granularity,
                )
            )
    if metric.partition("/")[0] in metric_groups.SETTINGS:
        look = replace(look, smoothing=0.0)
    alt = f"{metric} of {', '.join(line.name for line in lines)}"
    chart.draw(scalar.figure(metric, lines, look), key=f"metric {metric}", alt=alt)


def _shown(groups: Sequence[list[Member]], which: str) -> list[list[Member]]:
    """Return the members of each line."""
    if which == MEAN_OF_RANKS:
        return list(groups)
    if which == RANK_0:
        return [group[:1] for group in groups]
    return [[one] for group in groups for one in group]


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
