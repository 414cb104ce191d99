"""A dataset of CSV files (RFC 4180, UTF-8), with a line of column names on top.

NaN and infinities are written as `nan`, `inf` and `-inf`, what is missing as nothing, lists as JSON. Texts
are in quotes. One that a spreadsheet would take for a formula gets an apostrophe in front.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.csv as arrow_csv

from ..files import AtomicFile, discarded_on_failure
from .arrow_tables import table_of
from .sink import DatasetSink
from .tables import Column, Repeated

_csv: Any = arrow_csv
"""It has no types."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_OPTIONS = _csv.WriteOptions(include_header=False, quoting_style="needed")


class CsvSink(DatasetSink):
    """Writes `<folder>/<table>/project=.../run=.../part-0.csv` (see sink.py)."""

    name: ClassVar[str] = "CSV"
    suffix: ClassVar[str] = "csv"

    def table_file(self, path: Path, columns: Mapping[str, str]) -> _CsvFile:
        """Begin a file with the names of its columns."""
        return _CsvFile(path, columns)


class _CsvFile:
    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._kinds = {name: "text" if kind == "floats" else kind for name, kind in columns.items()}
        self._file = AtomicFile(path)
        with discarded_on_failure(self._file):
            self._file.write(f"{','.join(columns)}\n".encode())

    def write(self, columns: Mapping[str, Column]) -> None:
        cells = {name: _cells(columns[name], kind) for name, kind in self._columns.items()}
        buffer = io.BytesIO()
        _csv.write_csv(table_of(cells, self._kinds), buffer, _OPTIONS)
        self._file.write(buffer.getvalue())

    def commit(self) -> None:
        self._file.commit()

    def discard(self) -> None:
        self._file.discard()


def _cells(column: Column, kind: str) -> Column:
    if isinstance(column, Repeated):
        return column._replace(texts=tuple(map(_harmless, column.texts)))
    if kind == "text":
        return [_harmless(text) for text in column]
    return [json.dumps(np.asarray(numbers).tolist()) for numbers in column] if kind == "floats" else column


def _harmless(text: str) -> str:
    return f"'{text}" if text and text.startswith(_FORMULA) else text
