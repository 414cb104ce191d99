"""Tables, drawn one way: no row numbers, a description for screen readers, text that stays text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from ..views.words import valid
from . import notices

ROW = 35
"""Pixels of a row, the head included."""


def draw(
    columns: Mapping[str, Sequence[Any]],
    *,
    alt: str,
    config: Mapping[str, Any] | None = None,
    most_rows: int = 20,
    key: str | None = None,
    on_select: Callable[[], None] | None = None,
    one_row: bool = False,
    tints: Sequence[str | None] | None = None,
) -> None:
    """Draw a table, or say why it cannot be drawn; with `on_select`, its rows can be ticked.

    Args:
        columns: heading -> values, all of one length.
        alt: what it shows, for screen readers.
        config: Streamlit's configuration of columns.
        most_rows: how many are seen before the table scrolls.
        key: under which st.session_state holds the ticked rows.
        on_select: called when the ticks change.
        one_row: whether only one row can be ticked at a time.
        tints: a colour of the background of each row, None for the page's own.
    """
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
            on_select=on_select or "ignore",
            selection_mode="single-row" if one_row else "multi-row",
        )


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
