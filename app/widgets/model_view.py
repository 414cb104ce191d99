"""One model: its drawing, its layers, and whatever is known of the chosen one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from ...storage.model import Run, Series
from ..graphs.units import flops_of
from ..views import graph
from ..views.graph_details import details
from ..views.graph_drawing import MOST_BOXES, drawing, visible
from ..views.graph_rows import Row
from ..views.graph_tree import Tree
from ..views.words import count, one_of, plain, short_count
from . import chart, graph_drawing, layer_details, layer_table, notices
from .graph_choice import HERE, Side
from .graph_drawing import Click, Marks
from .run_picker import Choice


def show(tree: Tree, one: Series, run: Run, chosen: Choice, wanted: str) -> None:
    """Draw a model.

    Args:
        tree: its graph.
        one: the series that the graph is from.
        run: the run that logged it.
        chosen: the names and colours of runs.
        wanted: what the viewer looks for in it.
    """
    _facts(tree)
    drawn, told = st.columns(2, gap="medium")
    with drawn, notices.guarded(f"the drawing of graph {one.name}"):
        draw(tree, one, HERE, chosen.names[run.run_id], wanted)
    with told:
        with notices.guarded(f"the layers of graph {one.name}"):
            _layers(tree, one, wanted)
        picked = details(tree, HERE.chosen(tree))
        if picked is None:
            _treemap(tree, one)
        else:
            with notices.guarded(f"layer {picked.path}"):
                layer_details.show(picked, run, chosen)


def draw(
    tree: Tree,
    one: Series,
    side: Side,
    name: str,
    wanted: str = "",
    differs: Mapping[str, str] | None = None,
    on_choose: Callable[[str], None] | None = None,
) -> None:
    """Draw the boxes of a model where the page stands now; a click opens, closes and chooses.

    Args:
        tree: its graph.
        one: the series that the graph is from.
        side: which of two graphs it is: each remembers what is open in it.
        name: the run's.
        wanted: what a search looks for.
        differs: path -> in which words another model differs there.
        on_choose: called with the id of a part or operation that was clicked.
    """
    if not tree.parts and not tree.data.nodes:
        notices.nothing("This graph has neither layers nor operations: there is nothing to draw.")
        return
    opened = side.opened(tree)
    drawn = drawing(tree, opened)
    start = _turned_to(drawn.total, one) if drawn.total > MOST_BOXES else 0
    if start:
        drawn = drawing(tree, opened, start)

    def clicked(click: Click) -> None:
        side.choose(click.part_id)
        if click.toggles:
            side.toggle(tree, click.part_id)
        if on_choose is not None:
            on_choose(click.part_id)

    chosen = side.chosen(tree)
    marks = Marks(
        visible(tree, chosen, opened) if chosen in tree.parts else chosen,
        _words(tree, opened, found(tree, wanted)) if wanted else None,
        _marked(tree, opened, differs) if differs else None,
    )
    key = f"graph {one.run_id} {one.series_id} {start}"
    graph_drawing.draw(
        drawn, marks, key=key, alt=f"The modules of graph {one.name} of {name}", on_click=clicked
    )


def found(tree: Tree, wanted: str) -> Mapping[str, Row]:
    """Return the layers in whose path or type the words stand: path -> layer."""
    words = wanted.casefold().split()
    return {
        path: row
        for path, row in tree.rows.items()
        if all(word in f"{path} {row.type}".casefold() for word in words)
    }


def _facts(tree: Tree) -> None:
    data = tree.data
    flops = flops_of(data)
    facts = [
        one_of(data.parameters, "parameter") if data.parameters else "",
        f"{short_count(flops)} FLOPs" if flops else "",
        one_of(len(data.layers) - 1, "layer") if len(data.layers) > 1 else "",
        one_of(len(data.nodes), "operation") if data.nodes else "",
        f"from {data.source}",
    ]
    line = "  ·  ".join(fact for fact in facts if fact)
    st.markdown(f"**{plain(data.name)}**  ·  {plain(data.framework)}  ·  {plain(line)}")


def _turned_to(total: int, one: Series) -> int:
    """Let the viewer turn pages of boxes; return the first box of the page."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{count(total)} boxes, {MOST_BOXES} a page. Close modules to see the whole.")
        number = st.pagination(-(-total // MOST_BOXES), key=f"boxes {one.run_id} {one.series_id}")
    return (number - 1) * MOST_BOXES


def _words(tree: Tree, opened: frozenset[str], paths: Mapping[str, Row]) -> dict[str, str]:
    """Return which boxes hold what a search found, and how much of it."""
    many: dict[str, int] = {}
    for path in paths:
        if path:
            at = visible(tree, path, opened)
            many[at] = many.get(at, 0) + 1
    return {box_id: "found" if box_id in paths and n == 1 else f"{n} found" for box_id, n in many.items()}


def _marked(tree: Tree, opened: frozenset[str], differs: Mapping[str, str]) -> dict[str, str]:
    """Return the words of each box, of a closed one how many layers in it differ."""
    inside: dict[str, list[str]] = {}
    for path, words in differs.items():
        if path in tree.parts:
            inside.setdefault(visible(tree, path, opened), []).append(words)
    return {
        box_id: words[0] if len(words) == 1 and box_id in differs else f"≠ {len(words)} inside"
        for box_id, words in inside.items()
    }


def _layers(tree: Tree, one: Series, wanted: str) -> None:
    if not tree.rows:
        notices.nothing("This graph tells operations only, no layers.")
        return
    shown = [row for path, row in tree.rows.items() if not wanted or path in found(tree, wanted)]
    if not shown:
        notices.nothing(f"No layer's name or type contains **{plain(wanted)}**.")
        return

    def choose(path: str) -> None:
        HERE.choose(path)
        HERE.reveal(tree, path)

    layer_table.draw(
        tree,
        shown,
        HERE.chosen(tree),
        key=f"layers_{one.run_id}_{one.series_id}",
        alt=f"The layers of graph {one.name}",
        on_choose=choose,
    )


def _treemap(tree: Tree, one: Series) -> None:
    if tree.data.parameters:
        st.caption("Choose a layer, in the drawing or in the table, to see its details and histograms.")
        chart.draw(
            graph.figure(tree.data),
            key=f"treemap {one.run_id} {one.series_id}",
            alt=f"Parameters of {tree.data.name}",
        )
