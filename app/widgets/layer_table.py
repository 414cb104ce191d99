"""The layers of a graph as a table of which one row can be chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from ..views.graph_rows import Row, name_of
from ..views.graph_tree import Tree
from ..views.words import LONGEST_NAME, brief, shape
from . import graph_drawing, table

_INDENT = "\u2003"

_CONFIG = {
    "Layer": st.column_config.TextColumn(pinned=True),
    "Parameters": st.column_config.NumberColumn(format="localized"),
    "Trainable": st.column_config.NumberColumn(format="localized"),
    "Share": st.column_config.ProgressColumn(
        width="small", format="percent", min_value=0.0, max_value=1.0, help="Of the model's parameters"
    ),
    "FLOPs": st.column_config.NumberColumn(
        format="compact",
        help="Of a forward of one sample: products of matrices, convolutions and attention, a "
        "multiply-add counted as two",
    ),
    "Memory": st.column_config.NumberColumn(
        format="bytes", help="Of the parameters, and of what the layers return for one sample"
    ),
}


def draw(
    tree: Tree, shown: Sequence[Row], chosen: str, *, key: str, alt: str, on_choose: Callable[[str], None]
) -> None:
    """Draw the table.

    Args:
        tree: the graph.
        shown: its layers, or those that a search found.
        chosen: the path of the chosen one; "" for none.
        key: the same in the next run of the page, and another for other rows.
        alt: what it shows, for screen readers.
        on_choose: called with a path when a row was chosen, with "" when none is any more.
    """
    place = next((place for place, row in enumerate(shown) if row.path and row.path == chosen), None)

    def picked(row: int | None) -> None:
        if not graph_drawing.is_clicked():
            on_choose("" if row is None or row >= len(shown) else shown[row].path)

    tick = table.Tick(key, place, picked)
    table.draw(_columns(tree, shown), alt=alt, config=_CONFIG, most_rows=9, ticks=tick)


def _columns(tree: Tree, shown: Sequence[Row]) -> dict[str, list[Any]]:
    whole = len(shown) == len(tree.rows)
    frozen = any(row.trainable < row.parameters for row in shown)
    # A graph that was imported may tell the modules, but not what they hold.
    counted = tree.data.parameters > 0
    columns: dict[str, list[Any]] = {
        "Layer": [_name(tree, row, whole) for row in shown],
        "Type": [brief(row.type, LONGEST_NAME) for row in shown],
        "Parameters": [row.parameters if counted else None for row in shown],
        "FLOPs": [row.flops for row in shown],
        "Output": [brief(shape(row.output), LONGEST_NAME) or None for row in shown],
        "Memory": [row.memory for row in shown],
        "Share": [row.share if counted else None for row in shown],
        # Of a model of which nothing is frozen it would say the same as the parameters.
        "Trainable": [row.trainable if frozen else None for row in shown],
    }
    # A tree of modules alone knows no costs.
    return {title: column for title, column in columns.items() if any(cell is not None for cell in column)}


def _name(tree: Tree, row: Row, whole: bool) -> str:
    """Return a name, below what it is in; of some rows out of a table, the path."""
    if not whole:
        return brief(row.path or tree.data.name, LONGEST_NAME)
    depth = row.path.count("/") if row.path else 0
    return _INDENT * min(depth, 12) + brief(name_of(row.path) or tree.data.name, LONGEST_NAME)
