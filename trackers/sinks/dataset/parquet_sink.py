"""A dataset of Parquet files, compressed with zstd."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as parquet

from ..files import AtomicFile, discarded_on_failure
from .arrow_tables import schema_of, table_of
from .sink import DatasetSink
from .tables import Column

_parquet: Any = parquet
"""It has no types."""


class ParquetSink(DatasetSink):
    """Writes `<folder>/<table>/project=.../run=.../part-0.parquet` (see sink.py)."""

    name: ClassVar[str] = "Parquet"
    suffix: ClassVar[str] = "parquet"

    def table_file(self, path: Path, columns: Mapping[str, str]) -> _ParquetFile:
        """Begin a file; its schema lies in its foot."""
        return _ParquetFile(path, columns)


class _ParquetFile:
    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._file = AtomicFile(path)
        self._stream = _Stream(self._file)
        with discarded_on_failure(self._file):
            # Of numbers, hardly any comes again: to look for them takes longer than all the rest.
            texts = [name for name, kind in columns.items() if kind == "text"]
            self._writer = _parquet.ParquetWriter(
                self._stream, schema_of(columns), compression="zstd", use_dictionary=texts
            )

    def write(self, columns: Mapping[str, Column]) -> None:
        self._writer.write_table(table_of(columns, self._columns))

    def commit(self) -> None:
        self._writer.close()
        self._file.commit()

    def discard(self) -> None:
        # The writer adds its foot when it goes, wanted or not.
        self._stream.wanted = False
        self._file.discard()


class _Stream(io.RawIOBase):
    """What pyarrow writes to: the file that appears whole."""

    def __init__(self, file: AtomicFile) -> None:
        self._file = file
        self._size = 0
        self.wanted = True

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        if self.wanted:
            self._file.write(data)
        self._size += len(data)
        return len(data)
