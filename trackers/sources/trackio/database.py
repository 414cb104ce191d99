"""One project of trackio: a SQLite file with a table of metrics, one row a call of log, and some more.

Known are the tables of trackio 0.43, and older ones, where runs had no ids: their names stand for them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ....storage.errors import BadInput
from ....storage.model import Run, RunState
from ..base import PIECE_BYTES, PIECE_POINTS, FoundRun, Part, Piece
from .artifacts import artifacts_of, read_artifact
from .times import seconds, seconds_or_zero
from .values import Reader, Rows, alert, chat, config_of, logged, measured, own_facts

_T = TypeVar("_T")
_ROWS = 1024
"""That are read at once."""
_PATIENCE_SECONDS = 10
_ARTIFACT = "artifact:"
_READERS: Mapping[str, tuple[str, Reader]] = {
    "metrics": ("step, metrics", logged),
    "system_metrics": ("metrics", measured),
    "alerts": ("step, title, text, level", alert),
    "traces": ("step, key, messages, metadata, spans", chat),
}
"""Table -> its columns beside the number of the row and its time, and what understands a row."""


class TrackioDatabase:
    """Reads one project."""

    def __init__(self, path: Path) -> None:
        """Look at a database.

        Raises:
            BadInput: it cannot be read, or it is none of trackio's.
        """
        self._path = path
        self._tables: Mapping[str, set[str]] = self._asked(_tables)
        if not {"run_name", "step", "metrics"} <= self._tables.get("metrics", set()):
            raise BadInput(f"expected a database of trackio at {path}, but it has no such table of metrics.")
        self._has_ids = "run_id" in self._tables["metrics"]
        self._id = "run_id" if self._has_ids else "run_name"
        self._ids: dict[str, str] = {}
        self.problems: list[str] = []
        """What `runs` could not read."""

    def runs(self) -> list[FoundRun]:
        """Look which runs there are by now. Raises BadInput."""
        return self._asked(self._runs)

    def read(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield what a table holds of a run beyond a row. Raises sqlite3.Error where it is damaged."""
        with closing(self._connect()) as connection:
            if not part.name.startswith(_ARTIFACT):
                yield from self._rows(connection, found, part.name, position)
            elif position == 0:
                yield from read_artifact(connection, self._path, int(part.name.removeprefix(_ARTIFACT)))

    def _runs(self, connection: sqlite3.Connection) -> list[FoundRun]:
        query = f"SELECT {self._id}, MIN(run_name), MIN(timestamp), MAX(timestamp) FROM metrics GROUP BY 1"  # noqa: S608
        configs = self._configs(connection)
        found = [self._found(connection, row, configs.get(row[0])) for row in connection.execute(query)]
        return sorted(found, key=lambda one: (one.run.created_at, one.key))

    def _configs(self, connection: sqlite3.Connection) -> dict[str, Any]:
        if "config" not in self._tables.get("configs", set()):
            return {}
        return dict(connection.execute(f"SELECT {self._id}, config FROM configs"))  # noqa: S608 - a name of ours

    def _found(self, connection: sqlite3.Connection, row: Any, config: Any) -> FoundRun:
        run_id, name, first, last = (str(value) for value in row)
        own = self._own(name, config)
        times = [seconds_or_zero(text) for text in (first, str(own.get("_Created")))]
        began, ended = min(filter(None, times), default=0.0), seconds_or_zero(last)
        user = own.get("_Username")
        run = Run(
            run_id="",
            project=self._path.stem,
            name=name,
            # trackio does not say how a run stands; one that goes on gets more values.
            state=RunState.FINISHED,
            created_at=began,
            updated_at=ended,
            finished_at=ended,
            group=own.get("_Group"),
            config=config_of(config) if own else {},
            environment={"trackio": {"run_id": run_id}} | ({"user": user} if user else {}),
        )
        # Without ids, a name may come again in another project.
        key = f"trackio:{run_id}" if self._has_ids else f"trackio:{self._path.stem}/{run_id}/{first}"
        self._ids[key] = run_id
        return FoundRun(key, run, list(self._parts(connection, run_id, name)))

    def _own(self, name: str, config: Any) -> dict[str, Any]:
        try:
            return own_facts(config) if config else {}
        except (ValueError, AttributeError) as error:
            self.problems.append(f"{self._path}: the config of run {name} cannot be read: {error}")
            return {}

    def _parts(self, connection: sqlite3.Connection, run_id: str, name: str) -> Iterator[Part]:
        for table in _READERS:
            if self._id in self._tables.get(table, set()):
                yield Part(table, edition=self._path.stem)
        if "run_artifact_links" in self._tables:
            for version in artifacts_of(connection, run_id, name):
                yield Part(f"{_ARTIFACT}{version}", end=1)

    def _rows(
        self, connection: sqlite3.Connection, found: FoundRun, table: str, position: int
    ) -> Iterator[Piece]:
        """Yield rows in the order in which they were written. Their numbers fit into memory, they do not."""
        columns, understand = _READERS[table]
        query = (
            f"SELECT rowid, timestamp, {columns} FROM {table} WHERE rowid BETWEEN ? AND ? AND {self._id} = ?"  # noqa: S608
        )
        run_id, size = self._ids[found.key], 0
        rows = self._empty(found, table)
        for first, last in _spans(self._numbers(connection, table, run_id, position)):
            for row, time, *values in connection.execute(f"{query} ORDER BY rowid", (first, last, run_id)):
                _understood(rows, understand, row, time, values)
                size += sum(len(value) for value in values if isinstance(value, bytes | str))
            if len(rows.names) >= PIECE_POINTS or size >= PIECE_BYTES or len(rows.records) >= _ROWS:
                yield rows.piece(last)
                rows, size = self._empty(found, table), 0
            position = last
        if rows.names or rows.records or rows.problems:
            yield rows.piece(position)

    def _numbers(
        self, connection: sqlite3.Connection, table: str, run_id: str, position: int
    ) -> NDArray[np.int64]:
        query = f"SELECT rowid FROM {table} WHERE {self._id} = ? AND rowid > ?"  # noqa: S608 - names of ours
        found = connection.execute(query, (run_id, position))
        return np.sort(np.fromiter((row[0] for row in found), np.int64))

    def _empty(self, found: FoundRun, table: str) -> Rows:
        return Rows(self._path.parent / "media", found.run.created_at, f"{self._path}, {table}")

    def _connect(self) -> sqlite3.Connection:
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        return sqlite3.connect(address, uri=True, timeout=_PATIENCE_SECONDS)

    def _asked(self, ask: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            with closing(self._connect()) as connection:
                return ask(connection)
        except (sqlite3.Error, ValueError) as error:
            raise BadInput(f"expected a database of trackio at {self._path}, but got: {error}") from error


def _tables(connection: sqlite3.Connection) -> dict[str, set[str]]:
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: {row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))}
        for name in names
    }


def _spans(numbers: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last number of so many rows as are read at once."""
    for start in range(0, len(numbers), _ROWS):
        part = numbers[start : start + _ROWS]
        yield int(part[0]), int(part[-1])


def _understood(rows: Rows, understand: Reader, row: int, time: Any, values: list[Any]) -> None:
    try:
        understand(rows, seconds(time), values)
    except (ValueError, TypeError, AttributeError) as error:
        rows.problems.append(f"{rows.place}, row {row} was left out: {error}")
