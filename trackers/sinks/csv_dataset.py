"""A dataset of CSV files (RFC 4180, UTF-8), with a line of column names on top.

NaN and infinities are written as `nan`, `inf` and `-inf`, what is missing as nothing, lists as JSON. A text
that a spreadsheet would take for a formula gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .dataset import DatasetSink
from .dataset_tables import Column, Repeated
from .files import AtomicFile, discarded_on_failure

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CsvSink(DatasetSink):
    """Writes `<folder>/<table>/project=.../run=.../part-0.csv` (see dataset.py)."""

    name: ClassVar[str] = "CSV"
    suffix: ClassVar[str] = "csv"

    def table_file(self, path: Path, columns: Mapping[str, str]) -> _CsvFile:
        """Begin a file with the names of its columns."""
        return _CsvFile(path, columns)


class _CsvFile:
    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._file = AtomicFile(path)
        with discarded_on_failure(self._file):
            self._write([list(columns)])

    def write(self, columns: Mapping[str, Column]) -> None:
        self._write(zip(*(_CELLS[kind](columns[name]) for name, kind in self._columns.items()), strict=True))

    def commit(self) -> None:
        self._file.commit()

    def discard(self) -> None:
        self._file.discard()

    def _write(self, rows: Any) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        # Half of a surrogate pair, which UTF-8 has not, becomes "?".
        self._file.write(text.getvalue().encode(errors="replace"))


def _numbers(column: Column) -> list[Any]:
    # As Python's own numbers, which csv writes to the last digit.
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def _texts(column: Column) -> Iterable[str]:
    if isinstance(column, Repeated):
        cells = _texts(column.texts)
        return chain.from_iterable(repeat(cell, rows) for cell, rows in zip(cells, column.rows, strict=True))
    return [f"'{text}" if text and text.startswith(_FORMULA) else text for text in column]


def _lists(column: Column) -> list[str]:
    return [json.dumps(np.asarray(numbers).tolist()) for numbers in column]


_CELLS = {"text": _texts, "int": _numbers, "float": _numbers, "floats": _lists}
