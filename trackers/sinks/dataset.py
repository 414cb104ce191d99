"""Runs as a dataset of tables in folders `project=.../run=...`, as pandas, DuckDB, Spark and Arrow read them.

    <folder>/runs/project=digits/run=0SB2G8A4XK/part-0.parquet         one row: what is known of the run
    <folder>/points/project=digits/run=0SB2G8A4XK/part-0.parquet       one row a number
    <folder>/histograms/project=digits/run=0SB2G8A4XK/part-0.parquet   one row a histogram
    <folder>/documents/project=digits/run=0SB2G8A4XK/part-0.parquet    one row a text, table or set of hparams

Project and run are in the path and not in the rows. csv_dataset.py and parquet.py are its two formats.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from ...storage.kinds import KINDS
from ...storage.kinds.histogram import HistogramData
from ...storage.kinds.hparams import HParamsData
from ...storage.kinds.table import TableData
from ...storage.kinds.text import TextData
from ...storage.model import Points, Record, Run, Series, words_of
from .files import folder_to_fill

ROWS_A_PIECE = 65_536
"""Rows that are held in memory before they are written."""
NUMBERS_A_PIECE = 1 << 20
"""The same for the numbers of lists, such as the edges of histograms."""
_LONGEST_PART = 120
_SHORTENED = 100

Column: TypeAlias = Sequence[Any] | NDArray[Any]

_SERIES = {"name": "text", "context": "text", "step": "int", "time": "float"}
_RUN = {"name": "text", "group": "text", "state": "text", "framework": "text", "tags": "text", "host": "text"}
_TIMES = {"created_at": "float", "finished_at": "float", "duration": "float"}
_MOMENTS = {"count": "int", "min": "float", "max": "float", "mean": "float", "std": "float"}
TABLES: Mapping[str, Mapping[str, str]] = {
    "runs": _RUN | _TIMES | {"notes": "text", "config": "text", "summary": "text"},
    "points": _SERIES | {"value": "float"},
    "histograms": _SERIES | _MOMENTS | {"edges": "floats", "counts": "floats"},
    "documents": _SERIES | {"kind": "text", "text": "text"},
}
"""Table -> column -> "text", "int" (int64), "float" (float64) or "floats" (a list of them)."""

_CARRIED = frozenset({"scalar", "histogram", "text", "table", "hparams"})


class TableFile(Protocol):
    """A file that takes rows. Raises ExportRefused when the disk does not take them."""

    def write(self, columns: Mapping[str, Column]) -> None:
        """Append rows: one column for each of the table's, all of one length."""
        ...

    def commit(self) -> None:
        """Put the file in its place, over the one that was there before."""
        ...

    def discard(self) -> None:
        """Remove what was written. Never raises."""
        ...


class DatasetSink(ABC):
    """What both formats share. Each file appears whole or not at all; memory does not grow with a run."""

    name: ClassVar[str]
    suffix: ClassVar[str]
    carries: ClassVar[frozenset[str]] = _CARRIED
    declines: ClassVar[Mapping[str, str]] = {
        kind.name: "tables hold numbers and text; stepscope.open and the export to TensorBoard have it"
        for kind in KINDS
        if kind.name not in _CARRIED
    }
    point_limit: int | None = None
    record_limit: int | None = None

    def __init__(self, folder: str | Path) -> None:
        """Take the folder of the dataset; it is made when it is needed.

        Raises:
            ExportRefused: there is a file of that name.
        """
        self._folder = folder_to_fill(folder)
        self._open: dict[str, _Rows] = {}
        self._place = ""

    @abstractmethod
    def table_file(self, path: Path, columns: Mapping[str, str]) -> TableFile:
        """Begin a file of the format. Raises ExportRefused."""

    def start(self, runs: Sequence[Run]) -> None:  # noqa: B027 - right for every format
        """Nothing to prepare: each run has files of its own."""

    def open_run(self, run: Run, series: Sequence[Series]) -> None:  # noqa: ARG002 - as the Sink has it
        """Write the row of the run itself."""
        self._place = f"project={_part(run.project)}/run={run.run_id}"
        self._rows("runs").append(_facts(run), 1)

    def write_points(self, series: Series, points: Points) -> None:
        """Write the numbers as they were logged, in float64."""
        columns = _of_series(series, len(points)) | {
            "step": points.step,
            "time": points.time,
            "value": points.last,
        }
        self._rows("points").append(columns, len(points))

    def write_record(self, series: Series, record: Record, value: Any) -> None:
        """Write a histogram, or a text."""
        columns = _of_series(series, 1) | {"step": [record.step], "time": [record.time]}
        if isinstance(value, HistogramData):
            columns |= {name: [getattr(value, name)] for name in _MOMENTS}
            columns |= {"edges": [value.edges], "counts": [value.counts]}
            self._rows("histograms").append(columns, 1, len(value.edges) * 2)
        else:
            text = _text(value)
            self._rows("documents").append(columns | {"kind": [series.kind], "text": [text]}, 1, len(text))

    def close_run(self) -> None:
        """Move the files of the run to their places."""
        while self._open:
            table = next(iter(self._open))
            self._open[table].commit()
            del self._open[table]

    def finish(self) -> tuple[str, ...]:
        """Return the folder."""
        return (str(self._folder),)

    def discard(self) -> None:
        """Remove the half-written files of the run that is open."""
        for rows in self._open.values():
            rows.discard()
        self._open.clear()

    def _rows(self, table: str) -> _Rows:
        if table not in self._open:
            path = self._folder / table / self._place / f"part-0.{self.suffix}"
            self._open[table] = _Rows(self.table_file(path, TABLES[table]))
        return self._open[table]


class _Rows:
    """Gathers rows into pieces that are worth writing: a run may have thousands of short series."""

    def __init__(self, file: TableFile) -> None:
        self._file = file
        self._pieces: list[Mapping[str, Column]] = []
        self._rows = self._numbers = 0

    def append(self, columns: Mapping[str, Column], rows: int, numbers: int = 0) -> None:
        self._pieces.append(columns)
        self._rows += rows
        self._numbers += numbers
        if self._rows >= ROWS_A_PIECE or self._numbers >= NUMBERS_A_PIECE:
            self._flush()

    def commit(self) -> None:
        self._flush()
        self._file.commit()

    def discard(self) -> None:
        self._file.discard()

    def _flush(self) -> None:
        if self._pieces:
            self._file.write({name: _joined([one[name] for one in self._pieces]) for name in self._pieces[0]})
        self._pieces, self._rows, self._numbers = [], 0, 0


def _joined(pieces: Sequence[Column]) -> Column:
    if all(isinstance(piece, np.ndarray) for piece in pieces):
        return np.concatenate(pieces)
    return [value for piece in pieces for value in piece]


def _of_series(series: Series, rows: int) -> dict[str, Column]:
    return {"name": [series.name] * rows, "context": [words_of(series.context)] * rows}


def _facts(run: Run) -> dict[str, Column]:
    facts: dict[str, Any] = {name: getattr(run, name) for name in TABLES["runs"]}
    facts |= {name: json.dumps(facts[name], default=str) for name in ("tags", "config", "summary")}
    return {name: [value] for name, value in facts.items()}


def _text(value: Any) -> str:
    if isinstance(value, TextData):
        return value.text
    if isinstance(value, TableData):
        return json.dumps({"columns": value.columns, "rows": value.rows}, ensure_ascii=False)
    if isinstance(value, HParamsData):
        return json.dumps({"values": value.values, "metrics": value.metrics}, ensure_ascii=False)
    raise ValueError(f"expected a text, a table or hyperparameters, but got {type(value).__name__}")


def _part(text: str) -> str:
    """Return a text as one part of a path, percent-encoded as readers of such folders expect it."""
    part = quote(text, safe="", errors="replace")
    if len(part) <= _LONGEST_PART:
        return part
    # Cut between characters, not within one; the digest keeps two long names apart.
    lengths = accumulate(len(quote(character, safe="", errors="replace")) for character in text)
    kept = sum(1 for _ in takewhile(lambda length: length <= _SHORTENED, lengths))
    digest = sha256(text.encode(errors="replace")).hexdigest()[:16]
    return f"{quote(text[:kept], safe='', errors='replace')}-{digest}"
