"""MLflow's SQL store: the tables experiments, runs, metrics, params and tags, since MLflow 1.0.

They are read directly, without MLflow. SQLite numbers the rows of `metrics` in the order in which they came,
which is the position of a part. Other databases do not: there it is the time of the last row, so that a row
which comes later with an earlier time is not seen by an import that is repeated.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ....storage.errors import BadInput
from ..base import PIECE_POINTS, Part, Piece
from ..point_rows import as_seconds, by_series
from .runs import LoggedModel, MlflowRun

_METRICS = "metrics"
_LARGEST = float(np.finfo(np.float64).max)
"""What MLflow writes for infinity, which MySQL has not."""
_SETTLED_MS = 2000
"""Rows of a run that goes on are waited for so long, where they come in no order."""


class SqlStore:
    """Reads one database."""

    def __init__(self, url: sa.URL, beside: Path | None) -> None:
        """Read a database; the files of its runs may lie `beside` it.

        Raises:
            BadInput: it cannot be opened, or it is none of MLflow's.
        """
        self._url = url
        self._beside = beside
        self._numbered = url.get_backend_name() == "sqlite"
        self._engine = _engine(url)
        self._columns = self._asked(self._look)
        if not {"runs", "metrics", "params", "tags", "experiments"} <= self._columns.keys():
            raise BadInput(
                f"expected a database of MLflow at {self.display}, but it has no tables runs, metrics, "
                f"params, tags and experiments. Name mlflow.db, mlruns, or the URL that MLflow was given."
            )

    @property
    def display(self) -> str:
        """The URL without its password."""
        return self._url.database or "" if self._numbered else self._url.render_as_string(hide_password=True)

    def runs(self) -> list[MlflowRun]:
        """Look which runs there are by now, ordered by when they began."""
        return self._asked(self._runs)

    def parts(self, run: MlflowRun) -> list[Part]:  # noqa: ARG002 - each run has the same
        """Return the one part that all metrics are."""
        return [Part(_METRICS)]

    def read(self, run: MlflowRun, part: Part, position: int) -> Iterator[Piece]:  # noqa: ARG002 - the only one
        """Yield a run's metrics beyond a row, or beyond a time. Raises SQLAlchemyError, sqlite3.Error."""
        yield from self._by_number(run, position) if self._numbered else self._by_time(run, position)

    def artifacts(self, run: MlflowRun) -> list[Path]:
        """Return where a run's files are, if its URI leads nowhere."""
        inside = Path(run.experiment_id, run.run_id, "artifacts")
        return [] if self._beside is None else [self._beside / name / inside for name in _FOLDERS]

    def model_files(self, run: MlflowRun, model: LoggedModel) -> list[Path]:
        """Return where a model's files are, if its URI leads nowhere."""
        inside = Path(run.experiment_id, "models", model.model_id, "artifacts")
        return [] if self._beside is None else [self._beside / name / inside for name in _FOLDERS]

    def _by_number(self, run: MlflowRun, position: int) -> Iterator[Piece]:
        query = (
            f"SELECT {self._row}, rowid FROM metrics WHERE run_uuid = ? AND rowid > ? "  # noqa: S608
            f"ORDER BY rowid LIMIT {PIECE_POINTS}"
        )
        # Past SQLAlchemy, which wraps each row: that takes as long again.
        with closing(self._engine.raw_connection()) as connection:
            while rows := connection.cursor().execute(query, (run.run_id, position)).fetchall():
                position = int(rows[-1][-1])
                yield _piece(position, rows, run.began)

    def _by_time(self, run: MlflowRun, position: int) -> Iterator[Piece]:
        until = int(time.time() * 1000) - _SETTLED_MS if run.end is None else 1 << 62
        query = sa.text(
            f"SELECT {self._row} FROM metrics WHERE run_uuid = :run "  # noqa: S608
            f"AND timestamp > :after AND timestamp <= :until ORDER BY timestamp, step"
        )
        after = position - 1 if position else -(1 << 62)
        bounds = {"run": run.run_id, "after": after, "until": until}
        with self._engine.connect().execution_options(yield_per=PIECE_POINTS) as connection:
            kept: list[Any] = []
            for rows in connection.execute(query, bounds).partitions():
                kept += [tuple(row) for row in rows]
                last = _after(kept[-1])
                # Rows of one time are stored together: the position tells them apart from later ones only.
                whole = next(
                    (count for count in range(len(kept), 0, -1) if _after(kept[count - 1]) != last), 0
                )
                if whole:
                    yield _piece(_after(kept[whole - 1]), kept[:whole], run.began)
                kept = kept[whole:]
            if kept:
                yield _piece(_after(kept[-1]), kept, run.began)

    @property
    def _row(self) -> str:
        has = self._columns["metrics"]
        key = '"key"' if self._url.get_backend_name() != "mysql" else "`key`"
        is_nan = "is_nan" if "is_nan" in has else "0"
        return f"{key}, value, timestamp, {'step' if 'step' in has else '0'}, {is_nan}"

    def _asked(self, ask: Callable[[sa.Connection], Any]) -> Any:
        try:
            with self._engine.connect() as connection:
                return ask(connection)
        except SQLAlchemyError as error:
            raise BadInput(
                f"expected a database of MLflow at {self.display}, but got: {_said(error)}"
            ) from error

    def _look(self, connection: sa.Connection) -> dict[str, set[str]]:
        look = sa.inspect(connection)
        return {
            table: {column["name"] for column in look.get_columns(table)} for table in look.get_table_names()
        }

    def _runs(self, connection: sa.Connection) -> list[MlflowRun]:
        experiments = {row["experiment_id"]: row for row in self._rows(connection, "experiments")}
        found = [
            _run(row, experiments.get(row["experiment_id"], {})) for row in self._rows(connection, "runs")
        ]
        runs = {run.run_id: run for run in found}
        for row in self._rows(connection, "params"):
            _into(runs, row, "params")
        for row in self._rows(connection, "tags"):
            _into(runs, row, "tags")
        self._add_datasets(connection, runs)
        self._add_models(connection, runs)
        return sorted(found, key=lambda run: (run.start or 0, run.run_id))

    def _rows(self, connection: sa.Connection, table: str) -> Iterator[Mapping[str, Any]]:
        if table in self._columns:
            streamed = connection.execution_options(yield_per=PIECE_POINTS)
            found = streamed.execute(sa.text(f"SELECT * FROM {table}"))  # noqa: S608 - a name of ours
            yield from ({str(name): value for name, value in row.items()} for row in found.mappings())

    def _add_datasets(self, connection: sa.Connection, runs: Mapping[str, MlflowRun]) -> None:
        datasets = {row["dataset_uuid"]: row for row in self._rows(connection, "datasets")}
        contexts = {row["input_uuid"]: row["value"] for row in self._rows(connection, "input_tags")}
        for row in self._rows(connection, "inputs"):
            told, run = datasets.get(row["source_id"]), runs.get(row["destination_id"])
            if told is not None and run is not None:
                facts = {name: told[name] for name in ("name", "digest")}
                facts |= {"source_type": told["dataset_source_type"], "source": told["dataset_source"]}
                run.datasets.append(facts | {"context": contexts.get(row["input_uuid"])})

    def _add_models(self, connection: sa.Connection, runs: Mapping[str, MlflowRun]) -> None:
        params: dict[str, dict[str, str]] = defaultdict(dict)
        tags: dict[str, dict[str, str]] = defaultdict(dict)
        for row in self._rows(connection, "logged_model_params"):
            params[row["model_id"]][row["param_key"]] = row["param_value"]
        for row in self._rows(connection, "logged_model_tags"):
            tags[row["model_id"]][row["tag_key"]] = row["tag_value"]
        for row in self._rows(connection, "logged_models"):
            model, run = str(row["model_id"]), runs.get(str(row["source_run_id"]))
            if run is not None and row["lifecycle_stage"] != "deleted":
                facts = {"source_run_id": run.run_id, "model_type": row["model_type"]}
                facts |= {"params": params[model], "tags": tags[model]}
                created = float(row["creation_timestamp_ms"]) / 1000
                run.models.append(
                    LoggedModel(model, str(row["name"]), str(row["artifact_location"]), created, facts)
                )


_FOLDERS = ("mlruns", "mlartifacts")
"""Where MLflow, and its server, put the files of runs unless they are told another place."""


def _engine(url: sa.URL) -> sa.Engine:
    try:
        if url.get_backend_name() == "sqlite":
            read_only = f"file:{Path(url.database or '').absolute().as_posix()}?mode=ro"
            url = url.set(database=read_only, query={"uri": "true"})
        elif url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")  # the driver that the extra "postgres" brings
        return sa.create_engine(url)
    except (SQLAlchemyError, ImportError) as error:
        shown = url.render_as_string(hide_password=True)
        raise BadInput(f"expected a database of MLflow at {shown}, but got: {error}") from error


def _run(row: Mapping[str, Any], experiment: Mapping[str, Any]) -> MlflowRun:
    workspace = experiment.get("workspace") or "default"
    name = str(experiment.get("name") or row["experiment_id"])
    return MlflowRun(
        run_id=str(row["run_uuid"]),
        experiment=name if workspace == "default" else f"{workspace}/{name}",
        experiment_id=str(row["experiment_id"]),
        name=str(row["name"] or ""),
        status=str(row["status"]),
        deleted="deleted" in (row["lifecycle_stage"], experiment.get("lifecycle_stage")),
        start=row["start_time"],
        end=row["end_time"],
        user=str(row["user_id"] or ""),
        artifacts=str(row["artifact_uri"] or ""),
        deleted_at=row.get("deleted_time"),
    )


def _into(runs: Mapping[str, MlflowRun], row: Mapping[str, Any], table: str) -> None:
    run = runs.get(row["run_uuid"])
    if run is not None:
        target: dict[str, str] = getattr(run, table)
        target[row["key"]] = "" if row["value"] is None else str(row["value"])


def _after(row: Any) -> int:
    """Return the position after a row, where times are positions: its own, and one."""
    return max(0, int(row[2])) + 1


def _piece(position: int, rows: Sequence[Any], began: float) -> Piece:
    """Return rows that begin with key, value, time, step and is_nan as points."""
    keys, given, times, steps, nan, *_ = zip(*rows, strict=True)
    values = np.array(given, np.float64)  # None becomes NaN
    values[np.array(nan, bool)] = np.nan
    values[np.abs(values) >= _LARGEST] *= np.inf
    found = by_series(keys, np.array(steps, np.int64), np.array(times, np.int64) / 1000, values)
    return Piece(position, [(series, as_seconds(series.name, points, began)) for series, points in found])


def _said(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error)
