"""A table as the page shows it: columns of one type each, cells that stay text."""

from __future__ import annotations

from typing import Any

from ...storage.kinds.table import TableData, cell_text
from ...storage.nested import free_name
from .words import brief

MOST_ROWS = 1000
MOST_COLUMNS = 100
LONGEST_CELL = 500
"""Characters."""


def figure(data: TableData) -> dict[str, list[Any]]:
    """Return heading -> cells, of at most 1000 rows and 100 columns.

    A column whose cells are all numbers, or all booleans, keeps them; of any other, each cell is text. A
    heading that comes again is numbered: "loss", "loss (2)".
    """
    shown: dict[str, list[Any]] = {}
    for place, name in enumerate(data.columns[:MOST_COLUMNS]):
        cells = [row[place] for row in data.rows[:MOST_ROWS]]
        shown[free_name(brief(name), shown)] = _of_one_type(cells)
    return shown


def is_cut(data: TableData) -> bool:
    """Whether the page shows a part of it only."""
    return len(data.rows) > MOST_ROWS or len(data.columns) > MOST_COLUMNS


def _of_one_type(cells: list[Any]) -> list[Any]:
    types: set[type] = {type(cell) for cell in cells if cell is not None}
    # The page shows NaN as nothing, and has no larger whole numbers: those are text.
    if types <= {bool} or (types <= {int, float} and all(abs(cell) < 2**53 for cell in cells if cell)):
        return cells
    return [None if cell is None else brief(cell_text(cell), LONGEST_CELL) for cell in cells]
