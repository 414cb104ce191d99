"""Columns of a dataset as tables of Arrow. Beside this, only the two formats know pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow

from .tables import Column, Repeated

_pa: Any = pyarrow
"""It has no types."""
_TYPES: Mapping[str, Any] = {
    "text": _pa.string(),
    "int": _pa.int64(),
    "float": _pa.float64(),
    "floats": _pa.list_(_pa.float64()),
}


def schema_of(kinds: Mapping[str, str]) -> Any:
    """Return the schema of columns of these kinds (see dataset_tables.TABLES)."""
    return _pa.schema([(name, _TYPES[kind]) for name, kind in kinds.items()])


def table_of(columns: Mapping[str, Column], kinds: Mapping[str, str]) -> Any:
    """Return rows as a table with these columns."""
    arrays = [_array(columns[name], kind) for name, kind in kinds.items()]
    return _pa.Table.from_arrays(arrays, schema=schema_of(kinds))


def _array(column: Column, kind: str) -> Any:
    if isinstance(column, Repeated):
        places = np.repeat(np.arange(len(column.rows), dtype=np.int32), column.rows)
        return _pa.DictionaryArray.from_arrays(places, _array(column.texts, kind)).cast(_TYPES[kind])
    if kind == "text":
        # Half of a surrogate pair, which UTF-8 has not, becomes "?".
        column = [None if text is None else text.encode(errors="replace").decode() for text in column]
    return _pa.array(column, _TYPES[kind])
