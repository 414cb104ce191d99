"""How new points and records of a run reach their tables. Called by the Writer, in its transaction.

A flush brings few points of each series, and a chunk is best full. So chunks are merged like the
digits of a binary counter: a new chunk absorbs the chunks before it that are no larger than it, so
that a series has at most about twelve small chunks and a point is rewritten at most as often.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .blobs import INLINE_BYTES, put_blob
from .chunks import CHUNK_POINTS, Columns, pack, summarise, unpack
from .journal_read import SeriesDefinition
from .kinds import KIND_OF, EncodedValue, Shape
from .location import StoreLocation
from .schema import chunks, records, series, summaries

T = TypeVar("T")

_PAIRS_A_QUERY = 400


class NewPoints(NamedTuple):
    """Points of one series, in the order they were logged."""

    definition: SeriesDefinition
    columns: Columns


class NewRecord(NamedTuple):
    """One encoded value."""

    definition: SeriesDefinition
    step: int
    time: float
    encoded: EncodedValue


@dataclass(slots=True)
class SeriesCursor:
    """Where the next chunk or record of a series goes, within one journal."""

    next_chunk: int = 0
    next_seq: int = 0
    small: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """(chunk_no, count) of the chunks at the end that are not full, oldest first."""


def series_id_of(definition: SeriesDefinition) -> int:
    """Return the number of a series: 63 bits of a hash, the same in every process."""
    parts = [definition.kind, definition.name, sorted(definition.context.items())]
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def store_points(
    connection: sa.Connection,
    run_id: str,
    journal_no: int,
    cursors: dict[int, SeriesCursor],
    new: Sequence[NewPoints],
) -> None:
    """Append points to their series."""
    by_id = {series_id_of(points.definition): points for points in new}
    key = {"run_id": run_id, "journal_no": journal_no}
    _enter_series(connection, key, cursors, {k: p.definition for k, p in by_id.items()})
    absorbed = {sid: _absorb(cursors[sid], len(p.columns.step)) for sid, p in by_id.items()}
    pairs = [(sid, chunk_no) for sid, numbers in absorbed.items() for chunk_no in numbers]
    old = _take_chunks(connection, key, pairs)
    chunk_rows: list[dict[str, Any]] = []
    summary_rows: list[dict[str, Any]] = []
    for sid, points in by_id.items():
        parts = [old[sid, chunk_no] for chunk_no in absorbed[sid]]
        joined = Columns.join([*parts, points.columns])
        for chunk_no, columns in _cut(cursors[sid], joined):
            place = {**key, "series_id": sid, "chunk_no": chunk_no}
            chunk_rows.append({**place, "data": pack(columns)})
            summary_rows.append({**place, **summarise(columns)})
    if chunk_rows:
        connection.execute(sa.insert(chunks), chunk_rows)
        connection.execute(sa.insert(summaries), summary_rows)
        _raise_totals(connection, run_id, {sid: p.columns for sid, p in by_id.items()})


def store_records(
    connection: sa.Connection,
    location: StoreLocation,
    run_id: str,
    journal_no: int,
    cursors: dict[int, SeriesCursor],
    new: Sequence[NewRecord],
) -> None:
    """Append records to their series; blobs are stored once within a run."""
    ids = [series_id_of(record.definition) for record in new]
    definitions = {sid: record.definition for sid, record in zip(ids, new, strict=True)}
    key = {"run_id": run_id, "journal_no": journal_no}
    _enter_series(connection, key, cursors, definitions)
    rows: list[dict[str, Any]] = []
    last: dict[int, dict[str, Any]] = {}
    for sid, record in zip(ids, new, strict=True):
        cursor = cursors[sid]
        place = {**key, "series_id": sid, "seq": cursor.next_seq}
        rows.append({**place, **_record_row(connection, location, run_id, record)})
        cursor.next_seq += 1
        seen = last.get(sid, {"added": 0})["added"]
        last[sid] = {
            "key_run": run_id,
            "key_series": sid,
            "added": seen + 1,
            "new_step": record.step,
            "new_time": record.time,
        }
    if rows:
        connection.execute(sa.insert(records), rows)
        connection.execute(_RECORD_TOTALS, list(last.values()))


def _record_row(
    connection: sa.Connection, location: StoreLocation, run_id: str, record: NewRecord
) -> dict[str, Any]:
    data = record.encoded.data
    as_blob = KIND_OF[record.definition.kind].shape is Shape.BLOB or len(data) > INLINE_BYTES
    return {
        "step": record.step,
        "time": record.time,
        "meta": json.dumps(record.encoded.meta),
        "payload": None if as_blob else data,
        "digest": put_blob(connection, location, run_id, data) if as_blob else None,
    }


def _enter_series(
    connection: sa.Connection,
    key: Mapping[str, Any],
    cursors: dict[int, SeriesCursor],
    definitions: Mapping[int, SeriesDefinition],
) -> None:
    """Make sure that each series has its row and its cursor."""
    fresh = [sid for sid in definitions if sid not in cursors]
    if not fresh:
        return
    rows = [_series_row(key["run_id"], sid, definitions[sid]) for sid in fresh]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(series).on_conflict_do_nothing(), rows)
    for sid in fresh:
        cursors[sid] = SeriesCursor()
    # After a recovery the journal may have stored chunks before; a new journal finds none.
    for part in _batches(fresh):
        _load_cursors(connection, key, cursors, part)


def _series_row(run_id: str, sid: int, definition: SeriesDefinition) -> dict[str, Any]:
    zero = dict.fromkeys(("count", "nan_count", "posinf_count", "neginf_count"), 0)
    return {
        "run_id": run_id,
        "series_id": sid,
        "name": definition.name,
        "kind": definition.kind,
        "context": json.dumps(definition.context, sort_keys=True),
        **zero,
    }


def _load_cursors(
    connection: sa.Connection,
    key: Mapping[str, Any],
    cursors: dict[int, SeriesCursor],
    ids: Sequence[int],
) -> None:
    here = _within(summaries, key) & summaries.c.series_id.in_(ids)
    query = sa.select(summaries.c.series_id, summaries.c.chunk_no, summaries.c.point_count)
    for row in connection.execute(query.where(here).order_by(summaries.c.chunk_no)):
        cursor = cursors[row.series_id]
        cursor.next_chunk = row.chunk_no + 1
        if row.point_count < CHUNK_POINTS:
            cursor.small.append((row.chunk_no, row.point_count))
        else:
            cursor.small.clear()
    here = _within(records, key) & records.c.series_id.in_(ids)
    highest = sa.select(records.c.series_id, sa.func.max(records.c.seq).label("seq")).where(here)
    for row in connection.execute(highest.group_by(records.c.series_id)):
        cursors[row.series_id].next_seq = row.seq + 1


def _absorb(cursor: SeriesCursor, count: int) -> list[int]:
    """Return the numbers of the chunks that `count` new points are joined to, oldest first."""
    absorbed: list[int] = []
    while cursor.small and cursor.small[-1][1] <= count:
        chunk_no, size = cursor.small.pop()
        absorbed.insert(0, chunk_no)
        count += size
    if absorbed:
        cursor.next_chunk = absorbed[0]
    return absorbed


def _take_chunks(
    connection: sa.Connection, key: Mapping[str, Any], pairs: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Columns]:
    """Read chunks and delete them, to be stored again as parts of larger ones."""
    found: dict[tuple[int, int], Columns] = {}
    for part in _batches(pairs):
        chosen = sa.tuple_(chunks.c.series_id, chunks.c.chunk_no).in_(part)
        query = sa.select(chunks.c.series_id, chunks.c.chunk_no, chunks.c.data)
        for row in connection.execute(query.where(_within(chunks, key) & chosen)):
            found[row.series_id, row.chunk_no] = unpack(row.data)
        connection.execute(sa.delete(chunks).where(_within(chunks, key) & chosen))
        chosen = sa.tuple_(summaries.c.series_id, summaries.c.chunk_no).in_(part)
        connection.execute(sa.delete(summaries).where(_within(summaries, key) & chosen))
    return found


def _cut(cursor: SeriesCursor, columns: Columns) -> Iterable[tuple[int, Columns]]:
    """Yield the columns in pieces of a chunk each, with their chunk numbers."""
    total = len(columns.step)
    for start in range(0, total, CHUNK_POINTS):
        piece = columns.take(slice(start, start + CHUNK_POINTS))
        count = len(piece.step)
        if count < CHUNK_POINTS:
            cursor.small.append((cursor.next_chunk, count))
        yield cursor.next_chunk, piece
        cursor.next_chunk += 1


def _raise_totals(connection: sa.Connection, run_id: str, columns_of: Mapping[int, Columns]) -> None:
    rows: list[dict[str, Any]] = []
    for sid, columns in columns_of.items():
        summary = summarise(columns)
        row = {f"new_{name}": value for name, value in summary.items()}
        row |= {"key_run": run_id, "key_series": sid, "new_step": int(columns.step[-1])}
        rows.append(row)
    connection.execute(_POINT_TOTALS, rows)


def _within(table: sa.Table, key: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    return (table.c.run_id == key["run_id"]) & (table.c.journal_no == key["journal_no"])


def _batches(items: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), _PAIRS_A_QUERY):
        yield items[start : start + _PAIRS_A_QUERY]


def _totals() -> tuple[sa.Update, sa.Update]:
    mine = (series.c.run_id == sa.bindparam("key_run")) & (series.c.series_id == sa.bindparam("key_series"))
    low: sa.BindParameter[float] = sa.bindparam("new_min_value", type_=sa.Double())
    high: sa.BindParameter[float] = sa.bindparam("new_max_value", type_=sa.Double())
    column = series.c
    points = (
        sa.update(series)
        .where(mine)
        .values(
            count=column.count + sa.bindparam("new_point_count"),
            last_step=sa.bindparam("new_step"),
            last_time=sa.bindparam("new_last_time"),
            last_value=sa.bindparam("new_last_value"),
            min_value=sa.func.coalesce(sa.case((low < column.min_value, low), else_=column.min_value), low),
            max_value=sa.func.coalesce(
                sa.case((high > column.max_value, high), else_=column.max_value), high
            ),
            nan_count=column.nan_count + sa.bindparam("new_nan_count"),
            posinf_count=column.posinf_count + sa.bindparam("new_posinf_count"),
            neginf_count=column.neginf_count + sa.bindparam("new_neginf_count"),
        )
    )
    others = (
        sa.update(series)
        .where(mine)
        .values(
            count=column.count + sa.bindparam("added"),
            last_step=sa.bindparam("new_step"),
            last_time=sa.bindparam("new_time"),
        )
    )
    return points, others


_POINT_TOTALS, _RECORD_TOTALS = _totals()
