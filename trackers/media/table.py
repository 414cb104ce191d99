"""A table as users wrap it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, cast

import numpy as np

from ...storage.errors import BadInput
from ..arrays import to_array
from ..raw import Payload
from .base import Loggable

MOST_CELLS = 1_000_000


class Table(Loggable):
    """A table: names of columns, and rows of numbers, texts, booleans or None; lists and dicts of them too.

    Rows are given at once as `data`, one by one to `add_data`, or as a pandas DataFrame, whose index is left
    out. Numbers keep their types; NaN and infinity are kept.
    """

    kind = "table"
    meaningless = frozenset({"allow_mixed_types", "dtype", "log_mode", "optional"})

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        data: Iterable[Sequence[Any]] | None = None,
        dataframe: Any = None,
        *,
        rows: Iterable[Sequence[Any]] | None = None,
        **others: Any,
    ) -> None:
        """Wrap `columns` and `data` (or `rows`), or a `dataframe`. Of `others`, see `meaningless`."""
        self._pass_over(others)
        if _is_dataframe(columns):
            columns, dataframe = None, columns
        elif _is_dataframe(data):
            data, dataframe = None, data
        given = rows if data is None else data
        self.columns = columns
        self.dataframe = dataframe
        self.data: list[Any] = []
        if given is not None:
            self.data = list(given) if isinstance(given, Iterable) else [given]

    def add_data(self, *row: Any) -> None:
        """Add a row, a value for each column."""
        self.data.append(row)

    def add_column(self, name: str, data: Iterable[Any]) -> None:
        """Add a column, a value for each row; to a table without any, it brings the rows."""
        empty = self.columns is None and self.dataframe is None
        columns, rows = ([], []) if empty else self._columns_and_rows()
        cells = [(cell,) for cell in data]
        # Where their numbers differ, rows are too short, which is told when the table is logged.
        pairs = zip_longest(rows or [()] * len(cells), cells, fillvalue=())
        self.data = [(*row, *cell) for row, cell in pairs]
        self.columns, self.dataframe = [*columns, name], None

    def payload(self) -> Payload:
        """Return the table as JSON. Raises BadInput for rows of another length and cells of other types."""
        columns, rows = self._columns_and_rows()
        for number, row in enumerate(rows):
            if isinstance(row, str | bytes) or not hasattr(row, "__len__") or len(row) != len(columns):
                raise BadInput(
                    f"a table's rows need {len(columns)} cells, one for each of its columns, "
                    f"but row {number} is {row!r:.80}"
                )
        if len(columns) * len(rows) > MOST_CELLS:
            raise BadInput(
                f"a table may have {MOST_CELLS:,} cells, but this one has {len(rows):,} rows of "
                f"{len(columns)}. Log a part of it, or keep it as a file with run.log_artifact."
            )
        cells = [[plain_cell(cell) for cell in row] for row in rows]
        # Half a character, which no UTF-8 holds, would be refused by what reads the table.
        text = json.dumps({"columns": columns, "rows": cells}, ensure_ascii=False).encode("utf-8", "replace")
        return Payload(self.kind, text, {"rows": len(rows), "columns": len(columns)})

    def _columns_and_rows(self) -> tuple[list[str], list[Any]]:
        if self.dataframe is None:
            if self.columns is None:
                raise BadInput("a table needs columns, or a dataframe")
            return [str(name) for name in self.columns], self.data
        frame = self.dataframe
        if not _is_dataframe(frame):
            raise BadInput(f"a table's dataframe must be one of pandas, but got {type(frame).__name__}")
        rows = [*frame.itertuples(index=False, name=None), *self.data]
        return [str(name) for name in frame.columns], rows


def _is_dataframe(value: Any) -> bool:
    return hasattr(value, "itertuples")


def plain_cell(cell: Any) -> Any:
    """Return a cell as JSON holds it.

    Pictures and the like have no place in a cell: what stands there is their kind and caption.

    Raises:
        BadInput: it is of no such type.
    """
    if cell is None or isinstance(cell, str | bool | int | float):
        # Not a subclass: json would write numpy's float64 by its repr.
        return float(cell) if isinstance(cell, np.floating) else cell
    if isinstance(cell, np.generic | np.ndarray):
        return plain_cell(cast("Any", cell).tolist())
    if isinstance(cell, list | tuple):
        return [plain_cell(item) for item in cast("Sequence[Any]", cell)]
    if isinstance(cell, Mapping):
        return {str(key): plain_cell(item) for key, item in cast("Mapping[Any, Any]", cell).items()}
    if type(cell).__name__ == "NAType":
        return None
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    if hasattr(cell, "__array__") and not isinstance(cell, Loggable):
        return plain_cell(to_array(cell, "a table's cell").tolist())
    if isinstance(cell, Loggable):
        return f"({type(cell).__name__}) {getattr(cell, 'caption', None) or ''}".rstrip()
    if type(cell).__str__ is not object.__str__:  # one that knows how it is written: Decimal, Path, UUID ...
        return str(cell)
    raise BadInput(
        f"a cell must be a number, a text, a boolean, None or a list of these, but got "
        f"{type(cell).__name__} {cell!r:.80}. Convert it first."
    )
