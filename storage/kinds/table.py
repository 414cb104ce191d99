"""Tables: named columns, rows of plain values. Stored as compressed JSON, in which NaN is written as NaN."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import zstandard

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape
from .parts import inflate

Cell: TypeAlias = Any
"""None, a boolean, a number, a text, or lists and dicts of these."""


@dataclass(frozen=True, slots=True)
class TableData:
    """One table."""

    columns: tuple[str, ...]
    """May hold a name twice."""
    rows: tuple[tuple[Cell, ...], ...]
    """Each as long as `columns`."""

    def column(self, place: int) -> list[Cell]:
        """Return the cells of a column, by its place."""
        return [row[place] for row in self.rows]


def cell_text(cell: Cell) -> str:
    """Return a cell as text: JSON of what is none, nothing of None."""
    if isinstance(cell, str):
        return cell
    return "" if cell is None else json.dumps(cell, ensure_ascii=False)


def encode(raw: RawValue) -> EncodedValue:
    """Compress the JSON text `{"columns": [...], "rows": [[...], ...]}`."""
    meta = {"rows": raw.meta["rows"], "columns": raw.meta["columns"], "bytes": len(raw.data)}
    return EncodedValue(zstandard.compress(bytes(raw.data), 3), meta)


def decode(meta: Mapping[str, Any], data: bytes) -> TableData:
    """Return the table."""
    try:
        found = json.loads(inflate(data, int(meta["bytes"])))
        columns = tuple(str(name) for name in found["columns"])
        rows = tuple(tuple(row) for row in found["rows"])
        if any(len(row) != len(columns) for row in rows):
            raise ValueError(f"not every row has {len(columns)} cells")
    except (zstandard.ZstdError, KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"a table of {len(data)} bytes cannot be read: {error}") from error
    return TableData(columns, rows)


KIND = Kind("table", Shape.DOCUMENT, "application/json", encode, decode)
