"""The graphs of runs, decoded once: a deep network's is megabytes of JSON. Reads through app/queries."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ...storage.model import Series
from .. import queries
from ..views.graph_tree import Tree, tree_of
from .alignment import Alignment, align


def tree(one: Series) -> Tree:
    """Return the newest graph of a series with its modules as a tree. Raises StoreError."""
    return _tree(queries.reader().url, one.run_id, one.series_id, _state(one), one)


def alignment(one: Series, other: Series) -> Alignment:
    """Return the newest graphs of two series side by side. Raises StoreError."""
    first, second = (one.run_id, one.series_id, _state(one)), (other.run_id, other.series_id, _state(other))
    return _alignment(queries.reader().url, first, second, one, other)


def _state(one: Series) -> tuple[int, int | None, float | None]:
    return one.count, one.last_step, one.last_time


# By reference: nobody changes them. The arguments that do not begin with "_" are the cache's key.


@st.cache_resource(max_entries=16, show_spinner=False)
def _tree(url: str, run_id: str, series_id: int, state: Any, _one: Series) -> Tree:  # noqa: ARG001
    newest = queries.records(_one, most=1)[-1]
    return tree_of(queries.load(_one, newest))


@st.cache_resource(max_entries=16, show_spinner=False)
def _alignment(url: str, first: Any, second: Any, _one: Series, _other: Series) -> Alignment:  # noqa: ARG001
    return align(tree(_one).data, tree(_other).data)
