"""Compare: what the chosen runs differ in, what each of them reached, and where their curves part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from ...storage.model import Run
from .. import queries, report, url_state
from ..analysis import grouping
from ..comparison import tables
from ..comparison.compare import Comparison, Parted, axes, partings, repeated, spreads
from ..comparison.curves import Axis
from ..comparison.metrics import MetricRow, default_target, leading
from ..comparison.reading import read
from ..comparison.strokes import marks_of, strokes_of
from ..comparison.tables import Sheet
from ..comparison.words import in_short
from ..views import compared
from ..views.words import LONGEST_NAME, brief, count, one_of, plain, valid
from ..widgets import chart, export, grid, notices, page, run_picker, table
from ..widgets.run_picker import Choice

MOST_RUNS = 12
MOST_CHARTS = 8
MOST_TROUBLES = 3
LONGEST_LEGEND = 40
GLYPHS = ("━━━", "╍╍╍", "┅┅┅", "━╍━", "━ ━", "━┅┅", "┄┄┄", "━┄━")
"""What comparison_strokes.DASHES look like, in letters: the page takes no SVG of its own."""
BASELINE, METRIC, VALUE, DIFFERENCES = "baseline", "compare_metric", "compare_value", "compare_part"
CODE = "Code"


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
    for title, draw in _SECTIONS.items():
        with notices.guarded(title):
            st.subheader(title, anchor=False)
            draw(found, shown, parted, options)


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
    st.session_state["baseline_control"] = first
    picked = st.selectbox(
        "Baseline",
        list(runs),
        key="baseline_control",
        format_func=lambda run_id: chosen.names[run_id],
        on_change=_keep,
        args=(BASELINE, "baseline_control"),
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
    st.session_state["compare_metric_control"] = wanted if wanted in rows else first.name
    picked = st.selectbox(
        "Metric looked at",
        list(rows),
        key="compare_metric_control",
        format_func=lambda name: brief(name, LONGEST_NAME),
        on_change=_keep_metric,
        width=240,
    )
    return rows.get(picked, first)


def _target(row: MetricRow) -> float | None:
    """Let the viewer set a value of it."""
    first = default_target(row)
    if first is None:
        return None
    sign = "≥" if row.higher_is_better else "≤"
    st.session_state["compare_value_control"] = url_state.text(VALUE) or f"{first:.4g}"
    text = st.text_input(
        f"Time to a value {sign}",
        key="compare_value_control",
        on_change=_keep,
        args=(VALUE, "compare_value_control"),
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


def _keep(name: str, control: str) -> None:
    url_state.set_text(name, str(st.session_state[control] or ""))


def _keep_metric() -> None:
    url_state.set_text(VALUE, "")
    _keep(METRIC, "compare_metric_control")


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


def _results(found: Comparison, shown: report.Shown, _: Sequence[Parted], __: Options) -> None:
    if not found.metrics:
        notices.nothing("None of these runs has logged a metric.")
        return
    _sheet(tables.metrics(found, found.metrics))
    if shown.row is not None and shown.target is not None:
        _sheet(tables.times_to(found, shown.row, shown.target), titled=True)
    if several := spreads(found, shown.groups):
        _sheet(tables.groups(several), titled=True)


def _costs(found: Comparison, _: report.Shown, __: Sequence[Parted], ___: Options) -> None:
    _sheet(tables.costs(found, found.costs))


def _curves(found: Comparison, shown: report.Shown, parted: Sequence[Parted], _: Options) -> None:
    drawn = [
        (row, strokes)
        for row in found.metrics
        if (strokes := strokes_of(found, row, shown.axis, shown.colours))
    ]
    if drawn:
        st.html(_legend(found, shown))
    for (row, strokes), cell in grid.cells(drawn[:MOST_CHARTS], 2):
        target = shown.target if shown.row is not None and shown.row.key == row.key else None
        with cell, notices.guarded(f"metric {row.name}"):
            marks = marks_of(found, row, parted)
            figure = compared.figure(
                row.name,
                strokes,
                shown.axis.words,
                marks=marks,
                target=target,
                upwards=row.higher_is_better,
            )
            alt = f"{row.name} of {', '.join(stroke.name for stroke in strokes)}"
            chart.draw(figure, key=f"compare {row.name}", alt=alt)
    if len(drawn) > MOST_CHARTS:
        st.caption(
            f"{count(len(drawn) - MOST_CHARTS)} more metrics are in the table above, and on the Charts page."
        )
    if parted:
        _sheet(tables.partings(found, parted), titled=True)
    elif not drawn:
        notices.nothing("No metric of these runs has more than one value.")


def _legend(found: Comparison, shown: report.Shown) -> str:
    """Return names beside pieces of their lines: dashed, so that nobody needs the colours."""
    pieces = [
        '<span style="white-space:nowrap;display:inline-block;margin-right:1.1rem">'
        f'<b style="color:{shown.colours[one.run.run_id]}">{GLYPHS[place % len(GLYPHS)]}</b> '
        f"{escape(valid(brief(one.name, LONGEST_LEGEND)))}</span>"
        for place, one in enumerate(found.runs)
    ]
    return f'<div style="font-size:.9rem;line-height:1.7">{"".join(pieces)}</div>'


def _models(found: Comparison, _: report.Shown, __: Sequence[Parted], options: Options) -> None:
    if not found.graphs:
        notices.nothing(_no_models(found))
    same = [found.runs[parity.run].name for parity in found.graphs if parity.alignment.same]
    if same and not options.everything:
        st.caption(f"The same layer by layer: {plain(', '.join([found.runs[0].name, *same]))}")
    for parity in found.graphs:
        if options.everything or not parity.alignment.same:
            _sheet(tables.models(found, parity), titled=True, everything=options.everything)


def _no_models(found: Comparison) -> str:
    base, *others = found.runs
    if base.graph is None and any(one.graph is not None for one in others):
        return f"The baseline, {plain(base.name)}, has logged no graph: choose another one to compare models."
    return "Not enough of these runs have logged a graph. The hooks log one."


def _differences(found: Comparison, _: report.Shown, __: Sequence[Parted], options: Options) -> None:
    facts = {title: tables.facts(found, title, given) for title, given in found.facts.items() if given}
    differing = {title: len(sheet.differing.rows) for title, sheet in facts.items()}
    titles = [*facts, CODE]
    wanted = url_state.text(DIFFERENCES)
    first = next((title for title, many in differing.items() if many), titles[0])
    st.session_state["compare_part_control"] = wanted if wanted in titles else first
    shown = st.segmented_control(
        "What differs",
        titles,
        required=True,
        key="compare_part_control",
        format_func=lambda title: f"{title} :gray[{differing[title]}]" if title in differing else title,
        on_change=_keep,
        args=(DIFFERENCES, "compare_part_control"),
        label_visibility="collapsed",
    )
    if shown in facts:
        _sheet(facts[shown], everything=options.everything)
    else:
        _codes(found)


def _codes(found: Comparison) -> None:
    for names, code in tables.codes(found):
        st.markdown(f"**{plain(names)}** · {plain(code.said)}")
        if code.diff:
            st.code(code.diff, language="diff", height=420)


def _sheet(sheet: Sheet, *, titled: bool = False, everything: bool = True) -> None:
    """Draw a table; the rows that are equal for all runs only where everything is wanted."""
    shown = sheet if everything else sheet.differing
    if titled:
        st.markdown(f"**{plain(sheet.title)}**")
    if shown.rows:
        signs = {"": st.column_config.TextColumn(width="small")} if sheet.head[0] == "" else {}
        table.draw(shown.columns, alt=sheet.title, config=signs, most_rows=24)
    told = [sheet.note] if sheet.note and shown.rows else []
    if not everything and sheet.equal:
        verb = "is" if sheet.equal == 1 else "are"
        told.append(f"{one_of(sheet.equal, 'row')} {verb} the same for all runs")
    if told or not shown.rows:
        st.caption(plain(". ".join(told) or "Nothing is known"))


_SECTIONS = {
    "Results": _results,
    "Throughput, memory and size": _costs,
    "Curves": _curves,
    "Models": _models,
    "What differs": _differences,
}
