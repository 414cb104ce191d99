"""The sections of the Compare page: results, costs, curves, models, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

import streamlit as st

from .. import report, url_state
from ..comparison import result_tables, tables
from ..comparison.compare import Comparison, Parted
from ..comparison.repeats import spreads
from ..comparison.sheets import Sheet
from ..comparison.strokes import marks_of, strokes_of
from ..views import compared
from ..views.words import brief, count, one_of, plain, valid
from . import chart, control_state, grid, notices, table

MOST_CHARTS = 8
LONGEST_LEGEND = 40
GLYPHS = ("━━━", "╍╍╍", "┅┅┅", "━╍━", "━ ━", "━┅┅", "┄┄┄", "━┄━")
"""What the dashes of comparison/strokes.py look like, in letters: the page takes no SVG of its own."""
DIFFERENCES = "compare_part"
CODE = "Code"
PROGRAM_HEIGHT = 480


def _results(found: Comparison, shown: report.Shown, _: Sequence[Parted], __: bool) -> None:
    if not found.metrics:
        notices.nothing("None of these runs has logged a metric.")
    for sheet in result_tables.results(found):
        _sheet(sheet, titled=True)
    if shown.row is not None and shown.target is not None:
        _sheet(result_tables.times_to(found, shown.row, shown.target), titled=True)
    if several := spreads(found, shown.groups):
        _sheet(result_tables.groups(several), titled=True)


def _costs(found: Comparison, _: report.Shown, __: Sequence[Parted], ___: bool) -> None:
    _sheet(tables.costs(found, found.costs))


def _curves(found: Comparison, shown: report.Shown, parted: Sequence[Parted], _: bool) -> None:
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


def _models(found: Comparison, _: report.Shown, __: Sequence[Parted], everything: bool) -> None:
    if not found.graphs:
        notices.nothing(_no_models(found))
    same = [found.runs[parity.run].name for parity in found.graphs if parity.alignment.same]
    if same and not everything:
        names = plain(", ".join([found.runs[0].name, *same]))
        st.caption(f"The same layer by layer: {names}. “What is the same, too” shows the layers")
    for parity in found.graphs:
        if everything or not parity.alignment.same:
            _sheet(tables.models(found, parity), titled=True, everything=everything)


def _no_models(found: Comparison) -> str:
    base, *others = found.runs
    if base.graph is None and any(one.graph is not None for one in others):
        return f"The baseline, {plain(base.name)}, has logged no graph: choose another one to compare models."
    return "Not enough of these runs have logged a graph. The hooks log one."


def _programs(found: Comparison, _: report.Shown, __: Sequence[Parted], ___: bool) -> None:
    sheet = tables.programs(found)
    if not sheet.rows:
        notices.nothing("The programs of these runs were not kept: they had no script, or were imported.")
        return
    _sheet(sheet)
    with st.expander("The programs beside each other"):
        for (names, program), cell in grid.cells(tables.program_texts(found), 2):
            with cell:
                st.markdown(f"**{plain(program.name)}** · {plain(names)}")
                st.code(tables.shown_text(program), language="python", height=PROGRAM_HEIGHT)


def _differences(found: Comparison, _: report.Shown, __: Sequence[Parted], everything: bool) -> None:
    facts = {title: tables.facts(found, title, given) for title, given in found.facts.items() if given}
    differing = {title: len(sheet.differing.rows) for title, sheet in facts.items()}
    titles = [*facts, CODE]
    wanted = url_state.text(DIFFERENCES)
    first = next((title for title, many in differing.items() if many), titles[0])
    first = wanted if wanted in titles else first
    key = control_state.tell("compare_part_control", first)
    shown = st.segmented_control(
        "What differs",
        titles,
        required=True,
        key=key,
        format_func=lambda title: f"{title} :gray[{differing[title]}]" if title in differing else title,
        on_change=control_state.hear,
        args=("compare_part_control", key, partial(url_state.set_text, DIFFERENCES)),
        label_visibility="collapsed",
    )
    if shown in facts:
        _sheet(facts[shown], everything=everything)
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
    told = [sheet.note.removesuffix(".")] if sheet.note and shown.rows else []
    if not everything and sheet.equal:
        verb = "is" if sheet.equal == 1 else "are"
        told.append(f"{one_of(sheet.equal, 'row')} {verb} the same for all runs")
    if told or not shown.rows:
        st.caption(plain(". ".join(told) or "Nothing is known"))


SECTIONS = {
    "Results": _results,
    "Throughput, memory and size": _costs,
    "Curves": _curves,
    "Models": _models,
    "The code each took": _programs,
    "What differs": _differences,
}
