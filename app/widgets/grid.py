"""Sections that can be folded, and what is in them side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from ..views.words import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

Item = TypeVar("Item")


def section(name: str, amount: int, *, opened: bool, kind: str = "") -> ExpanderContainer:
    """Draw the head of a section and return it; unless it is `.open`, what is in it need not be drawn.

    Args:
        name: shown literally, and the same in the next run of the page.
        amount: how many things are in it.
        opened: how it stands until the viewer clicks.
        kind: tells it from other sections of the name.
    """
    # A name of several parts, such as filters/conv1, is shown as it was logged.
    title = name if "/" in name or "_" in name else name[:1].upper() + name[1:]
    label = f"**{plain(title)}** :gray[{amount}]"
    return st.expander(label, expanded=opened, key=f"section {kind}{name}", on_change="rerun")


def cells(items: Sequence[Item], columns: int) -> Iterator[tuple[Item, DeltaGenerator]]:
    """Yield each item with its place, in rows from left to right."""
    for start in range(0, len(items), columns):
        row = items[start : start + columns]
        yield from zip(row, st.columns(columns)[: len(row)], strict=True)


def page_of(items: Sequence[Item], size: int, *, key: str) -> Sequence[Item]:
    """Return the items of the page that the viewer is on; draw the choice of pages when there are several."""
    pages = -(-len(items) // size)
    if pages <= 1:
        return items
    number = st.pagination(pages, key=key)
    return items[(number - 1) * size : number * size]
