"""Runs from one store into another, SQLite or PostgreSQL: whole, exactly once, and compared afterwards.

A run is copied in one transaction: a sync that is interrupted leaves no half run, and the next one begins
that run anew. A run that is there already gets what it lacks: rows are compared by their keys and by what
can change of them, a page at a time, so that a hundred gigabytes need no more memory than one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from .blobs import get_blob, put_blob
from .content import RunContent, content_of
from .errors import BadInput, StoreDamaged
from .location import StoreLocation
from .model import Run, RunState
from .read import Reader
from .schema import attempts, blobs, chunks, drops, journals, metadata, records, run_tags, runs, streams
from .write import Writer

Row = tuple[Any, ...]

_PAGE_ROWS = 2000
_ROWS_AT_ONCE = 100


class Outcome(StrEnum):
    """What a sync did with a run."""

    COPIED = "copied"
    UPDATED = "updated"
    EQUAL = "equal"
    """Nothing to do."""
    NEWER_THERE = "newer there"
    """The destination has all of it and more: left as it is."""
    CONFLICT = "conflict"
    """Both have what the other one has not: left as it is."""


@dataclass(frozen=True, slots=True)
class Synced:
    """One run after a sync."""

    run: Run
    outcome: Outcome
    source: RunContent | None = None
    """What both stores hold, compared: None where nothing was written."""
    destination: RunContent | None = None
    old_name: str | None = None
    """The name that the copy had until now, where it was another one."""

    @property
    def alive(self) -> bool:
        """Whether the run still logs: what was stored until now was copied."""
        return self.run.state is RunState.RUNNING


def check_places(source: StoreLocation, destination: StoreLocation) -> None:
    """Refuse to copy a store into itself. Raises BadInput."""
    same = source.url == destination.url
    if source.path is not None and destination.path is not None and destination.path.exists():
        same = source.path.exists() and source.path.samefile(destination.path)
    if same:
        raise BadInput(f"a sync needs two stores, but both are {source.display}. Name another destination.")


def sync_run(reader: Reader, writer: Writer, run: Run) -> Synced:
    """Copy a run, or bring its copy up to date.

    Raises:
        StoreDamaged: the source is damaged, or the copy is not what was read; nothing was written.
        StoreError: a store cannot be read or written; nothing was written.
    """

    def work(source: sa.Connection, target: sa.Connection) -> Synced:
        if target.dialect.name == "postgresql":
            # Two that copy one run at once take turns; in SQLite they do so anyway.
            target.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(run.run_id))))
        outcome = _compare(source, target, run.run_id)
        named = target.execute(sa.select(runs.c.name).where(runs.c.run_id == run.run_id)).scalar()
        if outcome not in (Outcome.COPIED, Outcome.UPDATED):
            return Synced(run, outcome)
        edition = _edition(target, run.run_id)
        for table in _TABLES:
            _copy(table, source, target, (reader.location, writer.location), run.run_id)
        _raise_edition(target, run.run_id, edition)
        contents = (
            content_of(source, reader.location, run.run_id),
            content_of(target, writer.location, run.run_id),
        )
        if contents[0] != contents[1]:
            raise StoreDamaged(
                f"run {run.run_id} reads differently in {reader.location.display} ({contents[0]}) and, after "
                f"it was copied, in {writer.location.display} ({contents[1]}). Nothing was copied; "
                f"run: stepscope verify"
            )
        return Synced(run, outcome, *contents, None if named == run.name else named)

    return reader.ask(lambda source: writer.transact(lambda target: work(source, target)))


def _compare(source: sa.Connection, target: sa.Connection, run_id: str) -> Outcome:
    """Tell from the small tables which of the two stores has more of a run."""
    heads = [_head(connection, run_id) for connection in (source, target)]
    here, there = heads
    if not there[runs.name]:
        return Outcome.COPIED
    places = [{row[2]: row[4:] for row in head[journals.name]} for head in heads]
    ahead, behind = _beyond(places[0], places[1]), _beyond(places[1], places[0])
    if not ahead and not behind:
        if here == there:
            return Outcome.EQUAL
        changed = [head[runs.name][0][_UPDATED_AT] for head in heads]
        ahead, behind = changed[0] > changed[1], changed[0] < changed[1]
    if ahead and not behind:
        return Outcome.UPDATED
    return Outcome.NEWER_THERE if behind and not ahead else Outcome.CONFLICT


def _beyond(ours: dict[str, Row], theirs: dict[str, Row]) -> bool:
    """Whether a journal was stored further here than there: points and values each by segment and offset."""
    return any(
        name not in theirs or place[:2] > theirs[name][:2] or place[2:4] > theirs[name][2:4]
        for name, place in ours.items()
    )


def _head(connection: sa.Connection, run_id: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for table in (runs, run_tags, attempts, journals, drops):
        # The edition tells how often chunks were merged: that may differ.
        columns = [column for column in table.c if column.name != "edition"]
        rows = connection.execute(sa.select(*columns).where(table.c.run_id == run_id))
        found[table.name] = sorted((_comparable(row) for row in rows), key=str)
    return found


def _copy(
    table: sa.Table,
    source: sa.Connection,
    target: sa.Connection,
    places: tuple[StoreLocation, StoreLocation],
    run_id: str,
) -> None:
    """Make the rows that a run has in one table the same."""
    for ours, theirs in _pages(table, source, target, run_id):
        gone = [key for key in theirs if ours.get(key) != theirs[key]]
        wanted = [key for key in ours if ours[key] != theirs.get(key)]
        for keys in _parts(gone):
            target.execute(sa.delete(table).where(_with_keys(table, run_id, keys)))
        for keys in _parts(wanted):
            if table is blobs:
                for _, digest in keys:
                    put_blob(target, places[1], run_id, get_blob(source, places[0], run_id, digest))
                continue
            rows = source.execute(sa.select(table).where(_with_keys(table, run_id, keys))).mappings()
            target.execute(sa.insert(table), [{str(name): row[name] for name in row} for row in rows])


def _pages(
    table: sa.Table, source: sa.Connection, target: sa.Connection, run_id: str
) -> Iterator[tuple[dict[Row, Row], dict[Row, Row]]]:
    """Yield key -> what can change, of the source and of the target, for one range of keys after another."""
    keys = [column for column in table.primary_key if column.name != "run_id"]
    query = _LIGHT.get(table.name, sa.select(table)).where(table.c.run_id == run_id)
    if not keys or any(isinstance(column.type, sa.String | sa.TypeDecorator) for column in keys):
        # Databases order text differently: no ranges. These tables are short, or their rows are.
        yield _light(table, source, query), _light(table, target, query)
        return
    place, after = sa.tuple_(*keys), None
    while True:
        rest = query if after is None else query.where(place > after)
        ours = _light(table, source, rest.order_by(*keys).limit(_PAGE_ROWS))
        last = None if len(ours) < _PAGE_ROWS else sa.tuple_(*(list(ours)[-1][1:]))
        yield ours, _light(table, target, rest if last is None else rest.where(place <= last))
        if last is None:
            return
        after = last


def _light(table: sa.Table, connection: sa.Connection, query: sa.Select[Any]) -> dict[Row, Row]:
    width = len(table.primary_key)
    rows = (_comparable(row) for row in connection.execute(query))
    return {row[:width]: row for row in rows}


def _edition(target: sa.Connection, run_id: str) -> int | None:
    query = sa.select(sa.func.max(journals.c.edition)).where(journals.c.run_id == run_id)
    return target.execute(query).scalar()


def _raise_edition(target: sa.Connection, run_id: str, before: int | None) -> None:
    """Let a process that writes the run in the target notice that its chunks are others now."""
    if before is not None:
        raised = sa.update(journals).where(journals.c.run_id == run_id).values(edition=before + 1)
        target.execute(raised)


def _comparable(row: Sequence[Any]) -> Row:
    # SQLite keeps NaN as NULL, and NaN equals nothing.
    return tuple(None if isinstance(value, float) and math.isnan(value) else value for value in row)


def _with_keys(table: sa.Table, run_id: str, keys: Sequence[Row]) -> sa.ColumnElement[bool]:
    mine = table.c.run_id == run_id
    if len(table.primary_key) == 1:
        return mine
    columns = [column for column in table.primary_key if column.name != "run_id"]
    return mine & sa.tuple_(*columns).in_([key[1:] for key in keys])


def _parts(keys: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(keys), _ROWS_AT_ONCE):
        yield keys[start : start + _ROWS_AT_ONCE]


def _light_chunks() -> sa.Select[Any]:
    """A full chunk never changes: its key tells which points it holds. Only smaller ones are compared."""
    same = [chunks.c[name] == streams.c[name] for name in ("run_id", "series_id", "journal_no")]
    part = sa.case((chunks.c.chunk_no >= streams.c.full_chunks, chunks.c.data))
    return sa.select(*chunks.primary_key, sa.func.length(chunks.c.data), part).join(streams, sa.and_(*same))


_LIGHT: dict[str, sa.Select[Any]] = {
    chunks.name: _light_chunks(),
    records.name: sa.select(*records.primary_key),
    blobs.name: sa.select(*blobs.primary_key),
}
"""Where the rows are heavy and never change: the keys."""

# Chunks first: to compare them, the old streams of both stores are needed.
_TABLES = [chunks, *(table for table in metadata.sorted_tables if table is not chunks)]
_UPDATED_AT = list(runs.c.keys()).index("updated_at")
