"""Runs as a dataset of tables in folders `project=.../run=...`, as pandas, DuckDB, Spark and Arrow read them.

    <folder>/runs/project=digits/run=0SB2G8A4XK/part-0.parquet         one row: what is known of the run
    <folder>/points/project=digits/run=0SB2G8A4XK/part-0.parquet       one row a number
    <folder>/histograms/project=digits/run=0SB2G8A4XK/part-0.parquet   one row a histogram
    <folder>/documents/project=digits/run=0SB2G8A4XK/part-0.parquet    one row a text, table, graph ...
    <folder>/media/project=digits/run=0SB2G8A4XK/part-0.parquet        one row a picture, sound, video, figure
    <folder>/files/project=digits/run=0SB2G8A4XK/<digest>.png          what the rows of `media` name

Project and run are in the path. tables.py has the columns; csv_sink.py and parquet_sink.py are its two
formats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import quote

import numpy as np

from ....storage.kinds import KINDS
from ....storage.kinds.histogram import HistogramData
from ....storage.model import Points, Record, Run, Series
from ....storage.read import Reader
from ..files import AtomicFile, discarded_on_failure, folder_to_fill
from . import tables as tables
from .tables import CARRIED, ENDINGS, FILES, TABLES, Column, FileData, Repeated

ROWS_A_PIECE = 1 << 18
"""Rows that are held in memory before they are written: a row group of Parquet."""
NUMBERS_A_PIECE = 1 << 20
"""The same for the numbers of lists, such as the edges of histograms, and for the characters of texts."""
_LONGEST_PART = 120
_SHORTENED = 100
_NO_PROJECT = "__HIVE_DEFAULT_PARTITION__"
"""What readers of such folders take for nothing."""


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
    carries: ClassVar[frozenset[str]] = CARRIED
    declines: ClassVar[Mapping[str, str]] = {
        kind.name: "tables hold numbers, text and files; stepscope.open and the export to TensorBoard have it"
        for kind in KINDS
        if kind.name not in CARRIED
    }
    point_limit: int | None = None
    record_limit: int | None = None

    def __init__(self, folder: str | Path, reader: Reader | None = None) -> None:
        """Take the folder of the dataset; it is made when it is needed.

        Args:
            folder: where it is, or will be.
            reader: where the environment and the attempts of a run are asked; they are left out without.

        Raises:
            ExportRefused: there is a file of that name.
        """
        self._folder = folder_to_fill(folder)
        self._reader = reader
        self._open: dict[str, _Rows] = {}
        self._run_id = self._place = ""
        self._written: set[Path] = set()
        self._added: list[Path] = []

    @abstractmethod
    def table_file(self, path: Path, columns: Mapping[str, str]) -> TableFile:
        """Begin a file of the format. Raises ExportRefused."""

    def start(self, runs: Sequence[Run]) -> None:  # noqa: B027 - right for every format
        """Nothing to prepare: each run has files of its own."""

    def open_run(self, run: Run, series: Sequence[Series]) -> None:  # noqa: ARG002 - as the Sink has it
        """Write the row of the run itself."""
        self._run_id, self._place = run.run_id, f"project={_part(run.project)}/run={run.run_id}"
        self._written, self._added = set(), []
        attempts = [] if self._reader is None else self._reader.attempts(run.run_id)
        if self._reader is not None:
            run = replace(run, environment=self._reader.environment(run.run_id))
        self._rows("runs").append(tables.facts(run, attempts), 1)

    def write_points(self, series: Series, points: Points) -> None:
        """Write the numbers as they were logged, in float64."""
        columns: dict[str, Column] = {"step": points.step, "time": points.time, "value": points.last}
        self._rows("points").append(tables.of_series(series, len(points)) | columns, len(points))

    def write_record(self, series: Series, record: Record, value: Any) -> None:
        """Write a histogram, a document, or a file and the row that names it."""
        columns = tables.of_record(series, record)
        if isinstance(value, HistogramData):
            self._rows("histograms").append(columns | tables.of_histogram(value), 1, len(value.edges) * 2)
        elif series.kind in FILES:
            self._rows("media").append(columns | tables.of_file(series.kind, value, self._keep(value)), 1)
        else:
            text = tables.text_of(value)
            self._rows("documents").append(columns | {"kind": [series.kind], "text": [text]}, 1, len(text))

    def close_run(self) -> None:
        """Move the tables of the run to their places, and remove what an earlier export left of it."""
        while self._open:
            table = next(iter(self._open))
            self._written.add(self._path(table))
            self._open[table].commit()
            del self._open[table]
        self._remove_older()
        self._added.clear()

    def finish(self) -> tuple[str, ...]:
        """Return the folder."""
        return (str(self._folder),)

    def discard(self) -> None:
        """Remove the half-written files of the run that is open."""
        for rows in self._open.values():
            rows.discard()
        for path in self._added:
            with suppress(OSError):
                path.unlink()
        self._open.clear()

    def _rows(self, table: str) -> _Rows:
        if table not in self._open:
            self._open[table] = _Rows(self.table_file(self._path(table), TABLES[table]))
        return self._open[table]

    def _path(self, table: str) -> Path:
        return self._folder / table / self._place / f"part-0.{self.suffix}"

    def _keep(self, value: FileData) -> str:
        """Write the file of a value, once for the same content; return its path within the dataset."""
        data = tables.bytes_of(value)
        inside = f"files/{self._place}/{sha256(data).hexdigest()[:32]}.{tables.ending_of(value)}"
        path = self._folder / inside
        if path not in self._written:
            self._written.add(path)
            if not path.exists():
                self._added.append(path)
            file = AtomicFile(path)
            with discarded_on_failure(file):
                file.write(data)
            file.commit()
        return inside

    def _remove_older(self) -> None:
        for folder in self._folders_of_run():
            for path in list(folder.iterdir()):
                if path not in self._written and path.suffix[1:] in (self.suffix, *ENDINGS.values()):
                    path.unlink()
            with suppress(OSError):  # which only an empty one allows
                folder.rmdir()
                folder.parent.rmdir()

    def _folders_of_run(self) -> Iterator[Path]:
        """Yield where tables and files of the run are, also of when its project had another name."""
        for table in (*TABLES, "files"):
            yield from list((self._folder / table).glob(f"project=*/run={self._run_id}"))


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
    if all(isinstance(piece, Repeated) for piece in pieces):
        found = [piece for piece in pieces if isinstance(piece, Repeated)]
        texts = (text for one in found for text in one.texts)
        return Repeated(tuple(texts), tuple(rows for one in found for rows in one.rows))
    return [value for piece in pieces for value in piece]


def _part(text: str) -> str:
    """Return a text as one part of a path, percent-encoded as readers of such folders expect it."""
    part = quote(text, safe="", errors="replace") or _NO_PROJECT
    if len(part) <= _LONGEST_PART:
        return part
    # Cut between characters, not within one; the digest keeps two long names apart.
    lengths = accumulate(len(quote(character, safe="", errors="replace")) for character in text)
    kept = sum(1 for _ in takewhile(lambda length: length <= _SHORTENED, lengths))
    digest = sha256(text.encode(errors="replace")).hexdigest()[:16]
    return f"{quote(text[:kept], safe='', errors='replace')}-{digest}"
