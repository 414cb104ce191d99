"""Compare: what the chosen runs differ in, what each of them reached, and where their curves part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from ...storage.model import Run
from .. import queries, report, url_state
from ..analysis import grouping
from ..comparison.compare import Comparison, axes, partings
from ..comparison.curves import Axis
from ..comparison.metrics import MetricRow
from ..comparison.reading import read
from ..comparison.repeats import repeated
from ..comparison.targets import default_target, leading
from ..comparison.words import in_short
from ..views.words import LONGEST_NAME, brief, count, one_of, plain
from ..widgets import control_state, export, notices, page, run_picker
from ..widgets.compare_sections import SECTIONS
from ..widgets.run_picker import Choice

MOST_RUNS = 12
MOST_TROUBLES = 3
BASELINE, METRIC, VALUE = "baseline", "compare_metric", "compare_value"


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    axis: Axis
    everything: bool
    """Whether what is equal for all runs is shown, too."""


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, _controls)


def _controls() -> Options:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        axis = st.segmented_control(
            "Compared over",
            list(Axis),
            default=Axis.EPOCH,
            required=True,
            key="compare_x",
            bind="query-params",
        )
        everything = st.toggle(
            "What is the same, too",
            key="compare_all",
            bind="query-params",
            help="By default, tables show what differs",
        )
        with notices.guarded("The export"):
            export.button(run_picker.choice_of(queries.runs()).run_ids, key="export_compare")
    return Options(axis or Axis.EPOCH, bool(everything))


def _draw(chosen: Choice, options: Options) -> None:
    if len(chosen.runs) < 2:
        notices.nothing("A comparison needs two runs: tick another one in the list on the left.")
        return
    with notices.guarded("The comparison"):
        _compared(chosen, options)


def _compared(chosen: Choice, options: Options) -> None:
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    with controls:
        runs = _baseline_first(chosen)
    if len(runs) > MOST_RUNS:
        st.caption(f"The first {MOST_RUNS} of {one_of(len(runs), 'run')} are compared.")
    material = read(queries, runs[:MOST_RUNS], chosen.names)
    found = material.comparison
    axis = options.axis if options.axis in axes(found) else Axis.STEP
    with controls:
        row = _metric(found)
        target = None if row is None else _target(row)
    shown = report.Shown(queries.reader().location.display, chosen.colours, axis, row, target, _groups(found))
    with controls, notices.guarded("The report"):
        _save(found, shown)
    if axis is not options.axis:
        st.caption("Not all of these runs logged their epochs: they are compared over steps.")
    parted = partings(found, axis)
    _troubles(found.troubles)
    sentences = in_short(found, row, target, parted)
    with st.container(border=True):
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in sentences))
    for title, draw in SECTIONS.items():
        with notices.guarded(title):
            st.subheader(title, anchor=False)
            draw(found, shown, parted, options.everything)


def _troubles(told: Sequence[str]) -> None:
    """Say what could not be read; of a run that is broken all over, most of it folded."""
    for trouble in told[:MOST_TROUBLES]:
        st.warning(plain(trouble), icon=":material/broken_image:")
    if rest := told[MOST_TROUBLES:]:
        with st.expander(f"{count(len(rest))} more that cannot be read", icon=":material/broken_image:"):
            st.markdown("\n".join(f"- {plain(trouble)}" for trouble in rest))


def _baseline_first(chosen: Choice) -> list[Run]:
    """Let the viewer pick what the others are compared with: at first, the run tagged so, or the oldest."""
    runs = {run.run_id: run for run in reversed(chosen.runs)}
    tagged = next((run.run_id for run in runs.values() if "baseline" in run.tags), next(iter(runs)))
    wanted = url_state.text(BASELINE)
    first = wanted if wanted in runs else tagged
    key = control_state.tell("baseline_control", first)
    picked = st.selectbox(
        "Baseline",
        list(runs),
        key=key,
        format_func=lambda run_id: chosen.names[run_id],
        on_change=control_state.hear,
        args=("baseline_control", key, partial(_keep, BASELINE)),
        width=260,
    )
    first = picked if picked in runs else first
    return [runs[first], *(run for run_id, run in runs.items() if run_id != first)]


def _metric(found: Comparison) -> MetricRow | None:
    """Let the viewer pick the metric of which the time to a value is told."""
    rows = {row.name: row for row in found.metrics if any(cell and cell.points for cell in row.cells)}
    first = leading(list(rows.values()))
    if first is None:
        return None
    wanted = url_state.text(METRIC)
    shown = wanted if wanted in rows else first.name
    key = control_state.tell("compare_metric_control", shown)
    picked = st.selectbox(
        "Metric looked at",
        list(rows),
        key=key,
        format_func=lambda name: brief(name, LONGEST_NAME),
        on_change=control_state.hear,
        args=("compare_metric_control", key, _keep_metric),
        width=240,
    )
    return rows.get(picked, first)


def _target(row: MetricRow) -> float | None:
    """Let the viewer set a value of it."""
    first = default_target(row)
    if first is None:
        return None
    sign = "≥" if row.higher_is_better else "≤"
    shown = url_state.text(VALUE) or f"{first:.4g}"
    key = control_state.tell("compare_value_control", shown)
    text = st.text_input(
        f"Time to a value {sign}",
        key=key,
        on_change=control_state.hear,
        args=("compare_value_control", key, partial(_keep, VALUE)),
        width=160,
        help="At first, 95 % of the worst run's best: a value that all of them reach",
    )
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    st.caption(f"“{plain(text, 40)}” is no number: {first:.4g} is taken.")
    return first


def _keep(name: str, value: str | None) -> None:
    url_state.set_text(name, value or "")


def _keep_metric(name: str | None) -> None:
    _keep(VALUE, "")
    _keep(METRIC, name)


def _groups(found: Comparison) -> dict[str, list[str]]:
    """Return which runs repeat each other: those of a group, where runs are grouped, else of one name."""
    key = run_picker.group_key()
    if key is None:
        return repeated(found)
    groups = grouping.groups([one.run for one in found.runs], key)
    return {f"{key} {value}": [run.run_id for run in runs] for value, runs in groups.items()}


def _save(found: Comparison, shown: report.Shown) -> None:
    st.download_button(
        "Save as HTML",
        lambda: report.document(found, shown),
        file_name=report.file_name(found),
        mime="text/html",
        icon=":material/download:",
        on_click="ignore",
        key="compare_save",
        help="One file to send: it needs no server and no network",
    )
