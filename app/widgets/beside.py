"""Two models side by side: their layers in pairs, what differs, and both drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from ...storage.model import Run, Series
from ..graphs import reading
from ..graphs.alignment import Alignment, Pair
from ..views import graph_comparison
from ..views.figures import faint
from ..views.graph_details import details
from ..views.graph_tree import Tree
from ..views.words import plain
from . import graph_drawing, grid, layer_details, model_view, notices, table
from .graph_choice import BESIDE, HERE, Side
from .run_picker import Choice

A_PAGE = 500
"""Rows; coloured ones take their time."""


def show(found: tuple[Series, Series], runs: tuple[Run, Run], chosen: Choice, wanted: str) -> None:
    """Draw two models.

    Args:
        found: the series of their graphs.
        runs: whose they are.
        chosen: the names and colours of runs.
        wanted: what the viewer looks for in them.
    """
    trees = reading.tree(found[0]), reading.tree(found[1])
    names = chosen.names[runs[0].run_id], chosen.names[runs[1].run_id]
    aligned = reading.alignment(*found)
    _verdict(trees, aligned, names)
    with notices.guarded("the layers side by side"):
        _pairs(trees, aligned, names, wanted)
    sides = (HERE, BESIDE)
    for place, (column, tree) in enumerate(zip(st.columns(2, gap="medium"), trees, strict=True)):
        with column, notices.guarded(f"the drawing of graph {found[place].name}"):
            st.markdown(f"**{plain(names[place])}**  ·  {plain(tree.data.framework)}")
            marked = graph_comparison.differing_paths(aligned, first=place == 0)
            partner = _partner(sides[1 - place], trees[1 - place], aligned, first=place == 0)
            model_view.draw(tree, found[place], sides[place], names[place], wanted, marked, partner)
    _details(trees, runs, chosen)


def _verdict(trees: tuple[Tree, Tree], aligned: Alignment, names: tuple[str, str]) -> None:
    verdict = plain(graph_comparison.verdict(aligned, names))
    if graph_comparison.agrees(aligned):
        st.success(verdict, icon=":material/check:")
    else:
        st.warning(verdict, icon=":material/difference:")
    said = graph_comparison.totals(trees[0].data, trees[1].data)
    st.markdown(" · ".join(f":gray[{heading}] {plain(text)}" for heading, text in said.items()))


def _pairs(trees: tuple[Tree, Tree], aligned: Alignment, names: tuple[str, str], wanted: str) -> None:
    only = st.toggle("Only what differs", key="only_differing", bind="query-params")
    rows = [row for row in aligned.rows if (row.matters or not only) and _fits(row, wanted)]
    if not rows:
        notices.nothing("No row fits." if aligned.rows else "There are no layers to compare.")
        return
    shown = grid.page_of(rows, A_PAGE, key="aligned_page")

    def picked(place: int | None) -> None:
        if graph_drawing.is_clicked():
            return
        row = None if place is None or place >= len(shown) else shown[place]
        for side, tree, unit in ((HERE, trees[0], row and row.a), (BESIDE, trees[1], row and row.b)):
            side.choose(unit.path if unit else "")
            side.reveal(tree, unit.path if unit else "")

    tints = [faint(colour, 0.22) if (colour := graph_comparison.colour(row)) else None for row in shown]
    table.draw(
        graph_comparison.table(shown, names),
        alt=f"The layers of {names[0]} and {names[1]} side by side",
        tints=tints if any(tints) else None,
        most_rows=14,
        ticks=table.Tick("aligned_layers", _ticked(shown, trees), picked),
    )


def _partner(side: Side, tree: Tree, aligned: Alignment, *, first: bool) -> Callable[[str], None]:
    """Return what chooses the partner of a layer on the other side; none for what has no partner."""
    pairs = [(row.a, row.b) if first else (row.b, row.a) for row in aligned.pairs]
    partner_of = {unit.path: other.path for unit, other in pairs if unit and other}

    def choose(part_id: str) -> None:
        side.choose(partner_of.get(part_id, ""))
        side.reveal(tree, partner_of.get(part_id, ""))

    return choose


def _ticked(shown: Sequence[Pair], trees: tuple[Tree, Tree]) -> int | None:
    here, there = HERE.chosen(trees[0]), BESIDE.chosen(trees[1])
    for place, row in enumerate(shown):
        if (here and row.a and row.a.path == here) or (there and row.b and row.b.path == there):
            return place
    return None


def _fits(row: Pair, wanted: str) -> bool:
    known = " ".join(f"{unit.path} {unit.type}" for unit in (row.a, row.b) if unit).casefold()
    return all(word in known for word in wanted.casefold().split())


def _details(trees: tuple[Tree, Tree], runs: tuple[Run, Run], chosen: Choice) -> None:
    told = details(trees[0], HERE.chosen(trees[0])), details(trees[1], BESIDE.chosen(trees[1]))
    if not any(told):
        return
    with st.container(border=True):
        for column, one, run in zip(st.columns(2, gap="medium"), told, runs, strict=True):
            with column, notices.guarded(f"the chosen layer of run {run.name}"):
                if one is None:
                    st.caption(f"{plain(chosen.names[run.run_id])} has no partner of this layer.")
                else:
                    layer_details.show(one, run, chosen, columns=1)
