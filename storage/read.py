"""The Reader: bounded SELECTs only. Safe to use from several threads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from .arguments import check_text
from .blobs import get_blob
from .engine import PATIENCE_SECONDS, open_for_reading, translate_errors
from .errors import BadInput, RunNotFound, StoreDamaged, StoreError
from .kinds import EVENT, KIND_OF
from .location import StoreArgument, StoreLocation, locate
from .model import Attempt, LastValues, Points, Record, Run, RunState, Series, SeriesName
from .name_rules import Naming, naming_of
from .near import near_names
from .nested import mapping_of
from .read_points import limits_of, read_points
from .read_runs import HEARTBEAT_SECONDS as HEARTBEAT_SECONDS
from .read_runs import SILENT_SECONDS as SILENT_SECONDS
from .read_runs import load_last_values, load_runs, parts, select_runs
from .read_series import SERIES_QUERY, load_series
from .schema import attempts, journals, records, runs, series

T = TypeVar("T")

_ID_LENGTH = 10


_JOURNAL_OF_RECORD = (journals.c.run_id == records.c.run_id) & (journals.c.journal_no == records.c.journal_no)


class Reader:
    """Reads one store."""

    def __init__(self, location: StoreLocation, engine: sa.Engine) -> None:
        """Read over an engine that `engine.open_for_reading` made."""
        self.location = location
        self._engine = engine
        self._names: dict[int, SeriesName] = {}
        self._is_shut = False

    @classmethod
    def open(cls, store: StoreArgument = None, *, patience: float = PATIENCE_SECONDS) -> Self:
        """Open a store for reading.

        Args:
            store: a path or URL; None for STEPSCOPE_STORE, or `stepscope.db` in the current folder.
            patience: how many seconds a question waits while others lock the store, or its server is silent.

        Raises:
            StoreNotFound, StoreTooNew, StoreTooOld, StoreDamaged, StoreError: with what to do.
        """
        location = locate(store)
        return cls(location, open_for_reading(location, patience))

    @property
    def url(self) -> str:
        """The store's URL as SQLAlchemy takes it."""
        return self.location.url

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def shut(self) -> None:
        """Close the connections for good: what reads afterwards gets a StoreError."""
        self._is_shut = True
        self.close()

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
        return hash(tuple(self.ask(lambda connection: connection.execute(query).one())))

    def naming(self) -> Naming:
        """Return how names are understood in this store (see name_rules.py). Raises BadInput."""
        return naming_of(self.location)

    def projects(self) -> list[str]:
        """Return the names of the projects that have runs which are not archived, sorted."""
        query = sa.select(runs.c.project).where(runs.c.archived_at.is_(None)).distinct()
        return sorted(self.ask(lambda connection: connection.execute(query).scalars().all()))

    def runs(
        self,
        *,
        project: str | None = None,
        run_ids: Sequence[str] | None = None,
        states: Collection[RunState] | None = None,
        archived: bool = False,
    ) -> list[Run]:
        """Return runs, newest first, without their environment.

        Args:
            project: only those of this project.
            run_ids: only those with these ids; whether they are archived does not matter then.
            states: only those in one of these states.
            archived: archived ones too.
        """
        if run_ids is None:
            query = select_runs(project, states, archived=archived)
            return self._matching(self.ask(lambda connection: load_runs(connection, query)), states)
        query = select_runs(project, states, archived=True)
        found: list[Run] = []
        for part in parts(run_ids):
            chosen = query.where(runs.c.run_id.in_(part))
            found += self.ask(lambda connection, chosen=chosen: load_runs(connection, chosen))
        return sorted(self._matching(found, states), key=lambda run: (-run.created_at, run.run_id))

    def _matching(self, found: list[Run], states: Collection[RunState] | None) -> list[Run]:
        # Whether a silent run is killed is known only after reading.
        return found if states is None else [run for run in found if run.state in states]

    def run(self, run_id: str) -> Run:
        """Return one run by its whole id. Raises RunNotFound."""
        found = self.runs(run_ids=[run_id])
        if not found:
            raise RunNotFound(f"there is no run {run_id!r} in {self.location.display}")
        return found[0]

    def find_run(self, text: str, *, prefix: bool = True) -> Run:
        """Return the run that a person means: an id, the beginning of one if `prefix`, or a name.

        Raises:
            RunNotFound: none or several fit; the message names them, or names that are near.
            BadInput: it is not a text.
        """
        check_text("a run", text)
        column = runs.c
        fits = self._runs_where((column.run_id == text) | (column.name == text))
        fits = [run for run in fits if run.run_id == text] or fits
        if not fits and prefix and 0 < len(text) <= _ID_LENGTH:
            fits = self._runs_where(column.run_id.startswith(text.upper(), autoescape=True))
        if len(fits) == 1:
            return fits[0]
        where = self.location.display
        if not fits:
            raise RunNotFound(f"no run in {where} has the id or name {text!r}.{self._near(text)}")
        ids = ", ".join(run.run_id for run in fits[:10])
        raise RunNotFound(f"{len(fits)} runs in {where} fit {text!r}. Give one of the ids: {ids}")

    def _runs_where(self, condition: sa.ColumnElement[bool]) -> list[Run]:
        query = select_runs(None, None, archived=True).where(condition)
        return self.ask(lambda connection: load_runs(connection, query))

    def _near(self, text: str) -> str:
        query = sa.select(runs.c.name).distinct()
        return near_names(text, self.ask(lambda connection: connection.execute(query).scalars().all()))

    def near_projects(self, text: str) -> str:
        """Return a sentence that names the projects which a person may have meant; "" when none is near."""
        query = sa.select(runs.c.project).distinct()
        return near_names(text, self.ask(lambda connection: connection.execute(query).scalars().all()))

    def environment(self, run_id: str) -> dict[str, Any]:
        """Return what was captured of a run's machine and code (see Run.environment).

        Raises:
            RunNotFound: no such run.
        """
        query = sa.select(runs.c.environment).where(runs.c.run_id == run_id)
        found = self.ask(lambda connection: connection.execute(query).scalar())
        if found is None:
            raise RunNotFound(f"there is no run {run_id!r} in {self.location.display}")
        return mapping_of(found)

    def last_values(self, run_ids: Sequence[str]) -> LastValues:
        """Return the value that was logged last, of every scalar of some runs."""
        return self.ask(lambda connection: load_last_values(connection, run_ids, self._names))

    def attempts(self, run_id: str) -> list[Attempt]:
        """Return the attempts of a run, oldest first."""
        query = sa.select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.attempt)
        rows = self.ask(lambda connection: connection.execute(query).mappings().all())
        return [Attempt(**row) for row in rows]

    def series(
        self, run_ids: str | Sequence[str], *, kind: str | None = None, name: str | None = None
    ) -> list[Series]:
        """Return the series of some runs with their last values, ordered by run and name.

        Without a kind, all that users logged: not what a run says about itself (see events.py).
        """
        ids = [run_ids] if isinstance(run_ids, str) else list(run_ids)
        query = SERIES_QUERY.where(series.c.kind != EVENT.name if kind is None else series.c.kind == kind)
        if name is not None:
            query = query.where(series.c.name == name)
        found: list[Series] = []
        for part in parts(ids):
            chosen = query.where(series.c.run_id.in_(part))
            found += self.ask(lambda c, chosen=chosen, part=part: load_series(c, chosen, part))
        return found

    def points(
        self,
        series: Series,
        *,
        first_step: int | None = None,
        last_step: int | None = None,
        max_points: int | None = None,
        attempt: int | None = None,
    ) -> Points:
        """Return the numbers of a series between two steps, both included, sorted by step.

        Args:
            series: of kind "scalar".
            first_step: the smallest step wanted; None for all.
            last_step: the largest step wanted; None for all.
            max_points: the most entries to return; more points are gathered into buckets.
            attempt: what this attempt logged, also where a newer one replaces it; None for what counts.

        Raises:
            BadInput: the series is of another kind.
            StoreDamaged: a chunk cannot be read.
        """
        if series.kind != "scalar":
            raise BadInput(
                f"points are there for series of kind scalar, but {series.name!r} is of kind "
                f"{series.kind}. Use records()."
            )
        if max_points is not None and max_points < 1:
            raise BadInput(f"max_points must be at least 1, but is {max_points}.")
        window = (first_step, last_step)
        return self.ask(lambda connection: read_points(connection, series, window, max_points, attempt))

    def records(
        self,
        series: Series,
        *,
        first_step: int | None = None,
        last_step: int | None = None,
        max_records: int | None = None,
        max_steps: int | None = None,
    ) -> list[Record]:
        """Return the records of a series, sorted by step; more than `max_records` are thinned out.

        Thinning takes an even sample that keeps the first and the last. With `max_steps`, it is one of the
        steps, each with all of its records. Values are not loaded: see `load`.
        """
        columns = records.c
        ours = (columns.run_id == series.run_id) & (columns.series_id == series.series_id)
        begun = sa.select(journals.c.attempt, sa.func.min(columns.step)).join_from(
            records, journals, _JOURNAL_OF_RECORD
        )
        begun = begun.where(ours).group_by(journals.c.attempt)
        query = sa.select(columns.journal_no, columns.seq, columns.step, journals.c.attempt).join_from(
            records, journals, _JOURNAL_OF_RECORD
        )
        query = query.where(ours).order_by(columns.step, columns.journal_no, columns.seq)
        if first_step is not None:
            query = query.where(columns.step >= first_step)
        if last_step is not None:
            query = query.where(columns.step <= last_step)

        def work(connection: sa.Connection) -> list[Record]:
            limits = limits_of((row[0], row[1]) for row in connection.execute(begun))
            rows = [
                row
                for row in connection.execute(query)
                if (limit := limits[row.attempt]) is None or row.step < limit
            ]
            if max_steps is not None:
                kept = set(_thinned(list(dict.fromkeys(row.step for row in rows)), max_steps))
                rows = [row for row in rows if row.step in kept]
            return _load_records(connection, series, _thinned(rows, max_records))

        return self.ask(work)

    def count_records(self, series: Series) -> int:
        """Return how many records a series has, those of older attempts included."""
        query = sa.select(sa.func.count()).where(
            records.c.run_id == series.run_id, records.c.series_id == series.series_id
        )
        return self.ask(lambda connection: connection.execute(query).scalar() or 0)

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
        return self.ask(lambda connection: get_blob(connection, self.location, run_id, digest))

    def ask(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` on a connection: all that it reads is of one moment. Raises StoreError."""
        if self._is_shut:
            raise StoreError(
                f"the store {self.location.display} was closed, and cannot be read any more. "
                f"Open it again: stepscope.open"
            )

        def run() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return translate_errors(self.location, run)


def _thinned(rows: list[T], most: int | None) -> list[T]:
    if most is None or len(rows) <= most:
        return rows
    if most == 1:
        return rows[-1:]
    return [rows[index * (len(rows) - 1) // (most - 1)] for index in range(most)]


def _load_records(connection: sa.Connection, series: Series, chosen: Sequence[Any]) -> list[Record]:
    found: dict[tuple[int, int], Record] = {}
    attempt_of = {(row.journal_no, row.seq): row.attempt for row in chosen}
    for part in parts(list(attempt_of)):
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
                meta=mapping_of(row.meta),
                payload=row.payload,
                digest=row.digest,
            )
    return [found[place] for place in attempt_of]
