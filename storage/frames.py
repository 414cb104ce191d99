"""Columns for numpy, pandas and Arrow. The one file of storage that knows pandas and pyarrow.

Both are loaded when they are asked for: `import stepscope` and training need neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import BadInput
from .near import near_names

if TYPE_CHECKING:
    from pandas import DataFrame

ArrowTable: TypeAlias = Any
"""pyarrow.Table, which has no types."""

_SHOWN = 5
"""How many rows a notebook shows of each end."""
_EXACT = 2**53
"""Up to it, a float64 holds every whole number."""


class Table:
    """Columns of one length. Take one by its name, as in `table["value"]`, or all in the form you need."""

    def __init__(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Keep columns, all of the shape (n,)."""
        self._columns = dict(columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._columns)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column, shape (n,).

        Raises:
            BadInput: there is no such column; the message names those there are.
        """
        if name in self._columns:
            return self._columns[name]
        raise BadInput(
            f"there is no column {name!r}.{near_names(str(name), self._columns)} "
            f"The columns are: {', '.join(list(self._columns)[:20])}"
        )

    def __iter__(self) -> Iterator[str]:
        """Go through the names of the columns, in order, as a DataFrame does."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return max((len(column) for column in self._columns.values()), default=0)

    def numpy(self) -> dict[str, NDArray[Any]]:
        """Return name -> array of the shape (n,). The arrays are the table's own, not copies."""
        return dict(self._columns)

    def pandas(self) -> DataFrame:
        """Return a DataFrame of n rows with a plain index.

        int64 and float64 columns keep their type. Whole numbers of which some are missing become Int64
        (with <NA>), so that large ones stay exact.
        """
        import pandas as pd  # noqa: PLC0415 - takes half a second, and training never needs it

        return pd.DataFrame({name: _for_pandas(pd, column) for name, column in self._columns.items()})

    def arrow(self) -> ArrowTable:
        """Return an Arrow table of n rows.

        int64 and float64 columns keep their type. A column whose values Arrow cannot hold as one type
        becomes text: each value as JSON.
        """
        import pyarrow  # noqa: PLC0415 - the same

        pa: Any = pyarrow
        return pa.table({name: _for_arrow(pa, column) for name, column in self._columns.items()})

    def __repr__(self) -> str:
        columns = ", ".join(f"{name} {column.dtype}" for name, column in self._columns.items())
        return f"<Table of {len(self):,} rows: {columns}>"

    def _repr_html_(self) -> str:
        rows = list(range(len(self)))
        shown = rows if len(rows) <= 2 * _SHOWN else rows[:_SHOWN] + rows[-_SHOWN:]
        cells = [[column[row] for column in self._columns.values()] for row in shown]
        return html_table(f"{len(self):,} rows", self._columns, cells)


def column_of(values: Sequence[Any]) -> NDArray[Any]:
    """Return values as the narrowest column that loses none of them; None is a missing value.

    bool, int64 or object; float64 when some are fractional, with NaN for the missing ones.
    """
    types: set[type] = {type(value) for value in values}
    if types == {bool}:
        return np.array(values, np.bool_)
    if types == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return np.array(values, np.int64)
    exact = all(abs(value) <= _EXACT for value in values if type(value) is int)
    if float in types and types <= {float, int, type(None)} and exact:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return objects(values)


def objects(values: Sequence[Any]) -> NDArray[Any]:
    """Return values as they are, shape (n,), also when each of them is a list."""
    return np.fromiter(values, object, len(values))


def html_table(title: str, names: Iterable[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a small table for a notebook."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<p>{escape(title)}</p><table><tr>{head}</tr>{body}</table>"


def _for_pandas(pd: Any, column: NDArray[Any]) -> Any:
    if column.dtype != object:
        return column
    types: set[type] = {type(value) for value in column}
    if types == {int, type(None)} and all(-(2**63) <= value < 2**63 for value in column if value is not None):
        return pd.array(column, dtype="Int64")
    return pd.Series(column).infer_objects() if types == {str} else pd.Series(column, dtype=object)


def _for_arrow(pa: Any, column: NDArray[Any]) -> Any:
    if column.dtype != object:
        return pa.array(column)
    values = column.tolist()
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else json.dumps(value, default=str) for value in values])
