"""A dataset of Parquet files, compressed with zstd. The one file of the trackers that knows pyarrow."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow
import pyarrow.parquet as parquet

from .dataset import DatasetSink
from .dataset_tables import Column, Repeated
from .files import AtomicFile, discarded_on_failure

_pa: Any = pyarrow
_parquet: Any = parquet
"""Both have no types."""
_TYPES: Mapping[str, Any] = {
    "text": _pa.string(),
    "int": _pa.int64(),
    "float": _pa.float64(),
    "floats": _pa.list_(_pa.float64()),
}


class ParquetSink(DatasetSink):
    """Writes `<folder>/<table>/project=.../run=.../part-0.parquet` (see dataset.py)."""

    name: ClassVar[str] = "Parquet"
    suffix: ClassVar[str] = "parquet"

    def table_file(self, path: Path, columns: Mapping[str, str]) -> _ParquetFile:
        """Begin a file; its schema lies in its foot."""
        return _ParquetFile(path, columns)


class _ParquetFile:
    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._schema = _pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
        self._file = AtomicFile(path)
        self._stream = _Stream(self._file)
        with discarded_on_failure(self._file):
            # Of numbers, hardly any comes again: to look for them takes longer than all the rest.
            texts = [name for name, kind in columns.items() if kind == "text"]
            self._writer = _parquet.ParquetWriter(
                self._stream, self._schema, compression="zstd", use_dictionary=texts
            )

    def write(self, columns: Mapping[str, Column]) -> None:
        arrays = [_array(columns[name], kind) for name, kind in self._columns.items()]
        self._writer.write_table(_pa.Table.from_arrays(arrays, schema=self._schema))

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


def _array(column: Column, kind: str) -> Any:
    if isinstance(column, Repeated):
        places = np.repeat(np.arange(len(column.rows), dtype=np.int32), column.rows)
        return _pa.DictionaryArray.from_arrays(places, _array(column.texts, kind)).cast(_TYPES[kind])
    if kind == "text":
        # Half of a surrogate pair, which UTF-8 has not, becomes "?".
        column = [None if text is None else text.encode(errors="replace").decode() for text in column]
    return _pa.array(column, _TYPES[kind])
