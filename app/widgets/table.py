"""Tables, drawn one way: no row numbers, a description for screen readers, text that stays text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from ..views.words import valid
from . import control_state, notices

ROW = 35
"""Pixels of a row, the head included."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """Which rows of a table are ticked, and what becomes of it when the viewer changes that."""

    name: str
    """Of the table among the controls of the page."""
    rows: Sequence[int]
    """Places of the ticked rows, from 0."""
    on_change: Callable[[list[int]], None]
    """Called with the places of the rows that are ticked then, ascending."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Which one row of a table is ticked; it stays scrolled as it is when something else changes that."""

    name: str
    row: int | None
    on_change: Callable[[int | None], None]
    """Called with the place of the row that is ticked then, None for none."""


def draw(
    columns: Mapping[str, Sequence[Any]],
    *,
    alt: str,
    config: Mapping[str, Any] | None = None,
    most_rows: int = 20,
    key: str | None = None,
    ticks: Ticks | Tick | None = None,
    tints: Sequence[str | None] | None = None,
) -> None:
    """Draw a table, or say why it cannot be drawn.

    Args:
        columns: heading -> values, all of one length.
        alt: what it shows, for screen readers.
        config: Streamlit's configuration of columns.
        most_rows: how many are seen before the table scrolls.
        key: what makes it the same table in the next run of the page; not with `ticks`.
        ticks: for one whose rows can be ticked.
        tints: a colour of the background of each row, None for the page's own.
    """
    listen: Callable[[], None] | None = None
    selected: list[int] | None = None
    if isinstance(ticks, Ticks):
        key, selected = control_state.begin(ticks.name, sorted(ticks.rows))
        listen = partial(control_state.hear, ticks.name, key, ticks.on_change, _rows)
    elif ticks is not None:
        key = ticks.name
        st.session_state[key] = _selection([] if ticks.row is None else [ticks.row])
        listen = partial(_choose, ticks)
    with notices.guarded(alt):
        rows = pd.DataFrame({name: [_shown(value) for value in values] for name, values in columns.items()})
        # Streamlit's types name optional packages that are not installed: no checker knows all of them.
        st.dataframe(  # pyright: ignore[reportUnknownMemberType]
            rows if tints is None else _tinted(rows, tints),
            key=key,
            alt=alt,
            hide_index=True,
            height=ROW * (min(max(len(rows), 1), most_rows) + 1) + 3,
            column_config=config,
            placeholder="",
            on_select=listen or "ignore",
            selection_mode="single-row" if isinstance(ticks, Tick) else "multi-row",
            selection_default=None if selected is None else _selection(selected),
        )


def _selection(rows: list[int]) -> Any:
    return {"selection": {"rows": rows, "columns": [], "cells": []}}


def _rows(state: Any) -> list[int]:
    return sorted(state["selection"]["rows"])


def _choose(tick: Tick) -> None:
    tick.on_change(next(iter(_rows(st.session_state[tick.name])), None))


def _shown(value: object) -> object:
    return valid(value) if isinstance(value, str) else value


def _tinted(rows: pd.DataFrame, tints: Sequence[str | None]) -> Any:
    """Return rows that carry a colour each."""
    styles = [f"background-color: {tint}" if tint else "" for tint in tints]
    cells = pd.DataFrame(dict.fromkeys(rows.columns, styles))

    def style(_: pd.DataFrame) -> pd.DataFrame:
        return cells

    styler: Any = rows.style
    return styler.apply(style, axis=None)
