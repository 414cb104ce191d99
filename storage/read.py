"""The Reader: bounded SELECTs only. Safe to use from several threads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from .blobs import get_blob
from .engine import open_for_reading, translate_errors
from .errors import BadInput, RunNotFound, StoreDamaged
from .kinds import KIND_OF
from .location import StoreArgument, StoreLocation, locate
from .model import Attempt, Points, Record, Run, RunState, Series
from .read_points import read_points, visible_steps
from .schema import attempts, drops, journals, records, run_tags, runs, series

T = TypeVar("T")

HEARTBEAT_SECONDS = 10.0
"""How often a living run says so, even when it logs nothing."""
_SILENT_SECONDS = 6 * HEARTBEAT_SECONDS
_IDS_A_QUERY = 500


class Reader:
    """Reads one store."""

    def __init__(self, location: StoreLocation, engine: sa.Engine) -> None:
        """Read over an engine that `engine.open_for_reading` made."""
        self.location = location
        self._engine = engine

    @classmethod
    def open(cls, store: StoreArgument = None) -> Self:
        """Open a store for reading.

        Raises:
            StoreNotFound, StoreTooNew, StoreTooOld, StoreDamaged, StoreError: with what to do.
        """
        location = locate(store)
        return cls(location, open_for_reading(location))

    @property
    def url(self) -> str:
        """The store's URL as SQLAlchemy takes it."""
        return self.location.url

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def version(self) -> int:
        """Return a number that changes whenever a run was changed, for cheap polling."""
        # The sum too: a run on a machine whose clock is ahead must not hide what others do.
        times = runs.c.updated_at
        query = sa.select(sa.func.count(), sa.func.max(times), sa.func.sum(times)).select_from(runs)
        return hash(tuple(self._ask(lambda connection: connection.execute(query).one())))

    def runs(self, *, project: str | None = None, run_ids: Sequence[str] | None = None) -> list[Run]:
        """Return runs, newest first: all, those of a project, or those with the given ids."""
        query = sa.select(runs).order_by(runs.c.created_at.desc(), runs.c.run_id)
        if project is not None:
            query = query.where(runs.c.project == project)
        if run_ids is None:
            return self._ask(lambda connection: _load_runs(connection, query))
        found: list[Run] = []
        for part in _parts(list(run_ids)):
            chosen = query.where(runs.c.run_id.in_(part))
            found += self._ask(lambda connection, chosen=chosen: _load_runs(connection, chosen))
        return sorted(found, key=lambda run: (-run.created_at, run.run_id))

    def run(self, run_id: str) -> Run:
        """Return one run by its whole id. Raises RunNotFound."""
        found = self.runs(run_ids=[run_id])
        if not found:
            raise RunNotFound(f"there is no run {run_id!r} in {self.location.display}")
        return found[0]

    def find_run(self, text: str, *, prefix: bool = True) -> Run:
        """Return the run that a person means: an id, the beginning of one if `prefix`, or a name.

        Raises:
            RunNotFound: none or several fit; the message names them.
        """
        fits = [run for run in self.runs() if text in (run.run_id, run.name)]
        fits = [run for run in fits if run.run_id == text] or fits
        if not fits and text and prefix:
            fits = [run for run in self.runs() if run.run_id.startswith(text.upper())]
        if len(fits) == 1:
            return fits[0]
        where = self.location.display
        if not fits:
            raise RunNotFound(f"no run in {where} has the id or name {text!r}")
        ids = ", ".join(run.run_id for run in fits[:10])
        raise RunNotFound(f"{len(fits)} runs in {where} fit {text!r}. Give one of the ids: {ids}")

    def attempts(self, run_id: str) -> list[Attempt]:
        """Return the attempts of a run, oldest first."""
        query = sa.select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.attempt)
        rows = self._ask(lambda connection: _fields(connection, query))
        return [Attempt(**row) for row in rows]

    def series(
        self, run_ids: str | Sequence[str], *, kind: str | None = None, name: str | None = None
    ) -> list[Series]:
        """Return the series of some runs with their last values, ordered by run and name."""
        ids = [run_ids] if isinstance(run_ids, str) else list(run_ids)
        query = sa.select(series).order_by(series.c.run_id, series.c.name, series.c.context)
        if kind is not None:
            query = query.where(series.c.kind == kind)
        if name is not None:
            query = query.where(series.c.name == name)
        found: list[Series] = []
        for part in _parts(ids):
            chosen = query.where(series.c.run_id.in_(part))
            rows = self._ask(lambda connection, chosen=chosen: _fields(connection, chosen))
            found += [_series(row) for row in rows]
        return found

    def points(
        self,
        series: Series,
        *,
        first_step: int | None = None,
        last_step: int | None = None,
        max_points: int | None = None,
    ) -> Points:
        """Return the numbers of a series between two steps, both included, sorted by step.

        Args:
            series: of kind "scalar".
            first_step: the smallest step wanted; None for all.
            last_step: the largest step wanted; None for all.
            max_points: the most entries to return; more points are gathered into buckets.

        Raises:
            BadInput: the series is of another kind.
            StoreDamaged: a chunk cannot be read.
        """
        if series.kind != "scalar":
            raise BadInput(
                f"points are there for series of kind scalar, but {series.name!r} is of kind "
                f"{series.kind}. Use records()."
            )
        window = (first_step, last_step)
        return self._ask(lambda connection: read_points(connection, series, window, max_points))

    def records(
        self,
        series: Series,
        *,
        first_step: int | None = None,
        last_step: int | None = None,
        max_records: int | None = None,
    ) -> list[Record]:
        """Return the records of a series, sorted by step; more than `max_records` are thinned out.

        Thinning takes an even sample that keeps the first and the last. Values are not loaded: see
        `load`.
        """
        columns = records.c
        query = (
            sa.select(columns.journal_no, columns.seq, columns.step, journals.c.attempt)
            .join(
                journals,
                (journals.c.run_id == columns.run_id) & (journals.c.journal_no == columns.journal_no),
            )
            .where(columns.run_id == series.run_id, columns.series_id == series.series_id)
            .order_by(columns.step, columns.journal_no, columns.seq)
        )
        if first_step is not None:
            query = query.where(columns.step >= first_step)
        if last_step is not None:
            query = query.where(columns.step <= last_step)

        def work(connection: sa.Connection) -> list[Record]:
            limits = visible_steps(connection, series.run_id)
            rows = [
                row
                for row in connection.execute(query)
                if limits.get(row.attempt, 0) is None or row.step < limits[row.attempt]
            ]
            return _load_records(connection, series, _thinned(rows, max_records))

        return self._ask(work)

    def count_records(self, series: Series) -> int:
        """Return how many records a series has, those of older attempts included."""
        query = sa.select(sa.func.count()).where(
            records.c.run_id == series.run_id, records.c.series_id == series.series_id
        )
        return self._ask(lambda connection: connection.execute(query).scalar() or 0)

    def load(self, series: Series, record: Record) -> Any:
        """Return a record's value: the data class of its kind (HistogramData, ImageData ...).

        Raises:
            StoreDamaged: what is stored cannot be decoded.
        """
        data = record.payload
        if data is None and record.digest is not None:
            data = self.blob(record.run_id, record.digest)
        kind = KIND_OF.get(series.kind)
        if kind is None:
            raise StoreDamaged(
                f"series {series.name!r} is of kind {series.kind!r}, which this Stepscope does not "
                f"know. Install a newer one: pip install --upgrade stepscope"
            )
        return kind.decode(record.meta, data or b"")

    def blob(self, run_id: str, digest: str) -> bytes:
        """Return the bytes of a digest. Raises BadInput, StoreDamaged (see blobs.get_blob)."""
        return self._ask(lambda connection: get_blob(connection, self.location, run_id, digest))

    def _ask(self, work: Callable[[sa.Connection], T]) -> T:
        def run() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return translate_errors(self.location, run)


def _fields(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    rows = connection.execute(query).mappings()
    return [{str(key): value for key, value in row.items()} for row in rows]


def _load_runs(connection: sa.Connection, query: sa.Select[Any]) -> list[Run]:
    rows = _fields(connection, query)
    ids: list[str] = [row["run_id"] for row in rows]
    tags: dict[str, list[str]] = {}
    dropped: dict[str, dict[str, int]] = {}
    for part in _parts(ids):
        for row in connection.execute(sa.select(run_tags).where(run_tags.c.run_id.in_(part))):
            tags.setdefault(row.run_id, []).append(row.tag)
        for row in connection.execute(sa.select(drops).where(drops.c.run_id.in_(part))):
            reasons = dropped.setdefault(row.run_id, {})
            reasons[row.reason] = reasons.get(row.reason, 0) + row.drop_count
    return [_run(row, tags, dropped) for row in rows]


def _run(fields: dict[str, Any], tags: Mapping[str, list[str]], dropped: Mapping[str, dict[str, int]]) -> Run:
    run_id = fields["run_id"]
    fields["group"] = fields.pop("group_name")
    for column in ("config", "summary", "environment"):
        fields[column] = json.loads(fields[column])
    fields["state"] = _state_now(RunState(fields["state"]), fields["updated_at"])
    return Run(**fields, tags=tuple(sorted(tags.get(run_id, ()))), dropped=dropped.get(run_id, {}))


def _state_now(state: RunState, updated_at: float) -> RunState:
    # Recovery writes the state within seconds on the run's own machine. Elsewhere nobody can see
    # the process: a run that gave no sign of life for six heartbeats is not running.
    silent = time.time() - updated_at > _SILENT_SECONDS
    return RunState.KILLED if state is RunState.RUNNING and silent else state


def _series(fields: dict[str, Any]) -> Series:
    fields["context"] = json.loads(fields["context"])
    if fields["kind"] == "scalar" and fields["last_value"] is None and fields["count"]:
        fields["last_value"] = float("nan")  # SQLite keeps NaN as NULL
    return Series(**fields)


def _thinned(rows: list[T], most: int | None) -> list[T]:
    if most is None or len(rows) <= most:
        return rows
    if most == 1:
        return rows[-1:]
    return [rows[index * (len(rows) - 1) // (most - 1)] for index in range(most)]


def _load_records(connection: sa.Connection, series: Series, chosen: Sequence[Any]) -> list[Record]:
    found: dict[tuple[int, int], Record] = {}
    attempt_of = {(row.journal_no, row.seq): row.attempt for row in chosen}
    for part in _parts(list(attempt_of)):
        query = sa.select(records).where(
            records.c.run_id == series.run_id,
            records.c.series_id == series.series_id,
            sa.tuple_(records.c.journal_no, records.c.seq).in_(part),
        )
        for row in connection.execute(query):
            place = (row.journal_no, row.seq)
            found[place] = Record(
                run_id=row.run_id,
                series_id=row.series_id,
                attempt=attempt_of[place],
                seq=row.seq,
                step=row.step,
                time=row.time,
                meta=json.loads(row.meta),
                payload=row.payload,
                digest=row.digest,
            )
    return [found[place] for place in attempt_of]


def _parts(items: list[T]) -> list[list[T]]:
    return [items[start : start + _IDS_A_QUERY] for start in range(0, len(items), _IDS_A_QUERY)]
