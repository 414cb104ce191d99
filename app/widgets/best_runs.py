"""The runs that did best in a metric, with their settings; ticked ones are chosen for the other pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from .. import url_state
from ..analysis.trials import Column, Trials
from ..views.words import count
from . import table
from .run_picker import Choice
from .run_table import swatch

MOST_ROWS = 100
ROWS_SEEN = 10
TABLE = "best_runs"


def draw(
    found: Trials,
    settings: Sequence[Column],
    metric: Column,
    kept: NDArray[np.bool_],
    chosen: Choice,
    *,
    more_is_better: bool,
) -> None:
    """Draw the table, the best run first.

    Args:
        found: the runs.
        settings: those that are shown beside the metric.
        metric: what they are ordered by.
        kept: which runs count, shape (n,).
        chosen: colours, names and ticks.
        more_is_better: whether the largest value is the best.
    """
    ranked = order(metric, kept, more_is_better=more_is_better)
    rows = [int(row) for row in ranked[:MOST_ROWS]]
    ids = [found.runs[row].run_id for row in rows]
    st.markdown(f"**Best runs** :gray[{count(len(ranked))}]")
    ticked = [place for place, run_id in enumerate(ids) if run_id in set(chosen.run_ids)]

    def choose(now: list[int]) -> None:
        unlisted = [run_id for run_id in chosen.run_ids if run_id not in ids]
        url_state.write(url_state.RUNS, [*(ids[row] for row in now if row < len(ids)), *unlisted])

    columns: dict[str, list[Any]] = {
        "": [swatch(chosen.colours[run_id]) for run_id in ids],
        "Run": [chosen.names[run_id] for run_id in ids],
        metric.name: [metric.cell(row) for row in rows],
        **{column.name: [column.cell(row) for row in rows] for column in settings},
    }
    numeric = [metric, *(column for column in settings if not column.words)]
    config = {column.name: st.column_config.NumberColumn(format="%.5g") for column in numeric}
    shape = {"": st.column_config.ImageColumn(width=34, pinned=True, help="The run's colour on every page")}
    table.draw(
        columns,
        config={**config, **shape, "Run": st.column_config.TextColumn(pinned=True)},
        most_rows=ROWS_SEEN,
        # Rows move when a run does better: which ones are ticked follows from the choice, not from the table.
        ticks=table.Ticks(TABLE, ticked, choose),
        alt=f"The best runs by {metric.name}",
    )
    best = ids[:ROWS_SEEN]
    st.button(
        f"Choose the best {len(best)}",
        on_click=lambda: url_state.write(url_state.RUNS, best),
        help="Show these runs, and no others, on all pages",
        disabled=not best,
    )


def order(metric: Column, kept: NDArray[np.bool_], *, more_is_better: bool) -> NDArray[np.intp]:
    """Return the rows that count and have the metric, the best first; of equal ones, the newer run first."""
    rows = np.flatnonzero(kept & np.isfinite(metric.numbers))
    values = metric.numbers[rows]
    return rows[np.argsort(-values if more_is_better else values, kind="stable")]
