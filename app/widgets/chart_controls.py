"""What a viewer of the Charts page can set: the commonest in one row, the rest behind "Options"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from ..analysis import metric_groups
from ..views import scalar
from ..views.axes import XAxis
from ..views.bands import Band, Centre
from ..views.outliers import Outliers
from ..views.words import plain

MEAN_OF_RANKS, RANK_0, ALL_RANKS = "mean of ranks", "rank 0", "all ranks"
DEFINED = "as defined"
"""Each metric over the one that the run named with `define_metric`, over steps without one."""

_AXES: tuple[str, ...] = (XAxis.STEP, XAxis.RELATIVE, XAxis.WALL)
_LINEAR, _LOG = "linear", "log"

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    wanted: str = ""
    """A regular expression: which metrics."""
    x: str = XAxis.STEP
    """One of XAxis but METRIC, DEFINED, or the name of a metric."""
    smoothing: float = 0.6
    columns: int = 2
    log_x: bool = False
    log_y: bool = False
    outliers: Outliers = Outliers.AUTO
    ranks: str = MEAN_OF_RANKS
    """Which ranks are shown: one of the three words above."""
    centre: Centre = Centre.MEAN
    band: Band = Band.RANGE
    ghosts: bool = True
    """Whether older attempts of resumed runs are shown."""
    marks: bool = True
    """Whether alerts and notes are."""


def show(metrics: Iterable[str], *, defined: bool, ranked: bool, grouped: bool, resumed: bool) -> Options:
    """Draw the controls and return what they say.

    Args:
        metrics: what the chosen runs logged: each can be the horizontal axis.
        defined: whether a run said what a metric is drawn over.
        ranked: whether a run has several ranks of one metric.
        grouped: whether runs are shown in groups.
        resumed: whether a run has older attempts.
    """
    with st.container(horizontal=True, vertical_alignment="top", key="chart_controls"):
        wanted = _search()
        smoothing = st.slider(
            "Smoothing",
            *(0.0, 0.99, 0.6, 0.01),
            key="smoothing",
            bind="query-params",
            help="TensorBoard's. The line as it was logged stays behind, faintly. "
            f"Lines of up to {scalar.FEW_POINTS} points are drawn as they were logged.",
            width=150,
        )
        x = _axis(metrics, defined=defined)
        columns = st.segmented_control(
            "Columns", [1, 2, 3, 4], default=2, required=True, key="columns", bind="query-params"
        )
        more = _more(ranked=ranked, grouped=grouped, resumed=resumed)
    return Options(wanted, x, float(smoothing), columns or 2, **more)


def _search() -> str:
    with st.container(width=190, gap="xxsmall"):
        wanted = st.text_input(
            "Metrics",
            key="metrics",
            bind="query-params",
            type="search",
            placeholder="Filter: loss|accuracy",
            help="A regular expression. Without a capital letter, both cases fit.",
            live=True,
        )
        fault = metric_groups.fault_of(wanted or "")
        if fault:
            st.caption(f":red[{plain(fault)}]")
    return wanted or ""


def _axis(metrics: Iterable[str], *, defined: bool) -> str:
    """Ask for the horizontal axis; counters such as the epoch come before all other metrics."""
    others = sorted(set(metrics) - set(_AXES), key=lambda name: (not metric_groups.is_counter(name), name))
    options: list[str] = [*([DEFINED] if defined else []), *_AXES, *others]
    chosen = st.selectbox(
        "Horizontal axis",
        options,
        key="x",
        bind="query-params",
        help="Steps, time since the start, time of day, or any metric: values are joined by step.",
        width=130,
    )
    return chosen or XAxis.STEP


def _more(*, ranked: bool, grouped: bool, resumed: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with (
        st.container(gap="xxsmall", width="content", key="chart_more"),
        st.popover("Options", icon=":material/tune:"),
    ):
        found["log_y"] = _one_of("Vertical axis", [_LINEAR, _LOG], key="scale") == _LOG
        found["log_x"] = _one_of("Horizontal axis", [_LINEAR, _LOG], key="x_scale") == _LOG
        found["outliers"] = _one_of(
            "Outliers",
            list(Outliers),
            key="outliers",
            help="Ignored: the vertical axis spans the 5th to 95th percentile of what is visible, as "
            "TensorBoard's. Auto: only of durations, a few huge values (a first step that compiles) are left "
            "beyond the axis. A double click on a chart shows all.",
        )
        if grouped:
            found["centre"] = _one_of(
                "Line of a group",
                list(Centre),
                key="average",
                help="Runs are compared wherever any of them has a value. Between two values of its own one "
                "counts with the straight line between them, before its first and after its last not at all.",
            )
            found["band"] = _one_of("Band of a group", list(Band), key="band")
        if ranked:
            found["ranks"] = _one_of(
                "Ranks",
                [MEAN_OF_RANKS, RANK_0, ALL_RANKS],
                key="ranks",
                help="The mean lies in a band from the smallest to the largest value of all ranks.",
            )
        if resumed:
            found["ghosts"] = st.toggle(
                "Older attempts",
                value=True,
                key="ghosts",
                bind="query-params",
                help="What was logged before a run was resumed at an earlier step: faint and dotted.",
            )
        found["marks"] = st.toggle(
            "Alerts and notes",
            value=True,
            key="marks",
            bind="query-params",
            help='Marks at the upper edge: alerts of the runs, and what they logged as texts named "notes".',
        )
    return found


def _one_of(label: str, words: Sequence[Word], *, key: str, help: str | None = None) -> Word:
    chosen = st.segmented_control(
        label, words, default=words[0], required=True, key=key, bind="query-params", help=help
    )
    return chosen or words[0]
