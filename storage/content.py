"""The content of a run, whatever the form in which it is stored: for checksums and for verification.

The same points may lie in tails, in small chunks or in full ones, and large blobs in files or in the
database. Two stores hold the same run when its content is the same.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from . import tails as tail_rows
from .blobs import get_blob
from .chunks import CHUNK_POINTS, Columns, unpack
from .errors import StoreDamaged
from .location import StoreLocation
from .record_checksum import is_as_stored
from .schema import attempts, blobs, chunks, drops, journals, records, run_tags, runs, series, streams, tails

Stream = tuple[int, int]
"""series_id and journal_no: what one journal logged of one series, in this order."""

_ROWS_AT_ONCE = 64
# Not the checksum: what was stored before there was one is the same content.
_OF_RECORDS = [place for place, column in enumerate(records.c) if column.name != "checksum"]


class StoredChunk(NamedTuple):
    """One row of chunks."""

    stream: Stream
    chunk_no: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RunContent:
    """What a run holds, counted and summed up."""

    series: int
    points: int
    records: int
    blobs: int
    checksum: str
    """32 hexadecimal digits: of everything that was logged and captured."""


def content_of(connection: sa.Connection, location: StoreLocation, run_id: str) -> RunContent:
    """Read all of a run. In memory lies little at any time.

    Raises:
        StoreDamaged: something of it cannot be read.
    """
    total = hashlib.blake2b(digest_size=16)
    counts: dict[str, int] = {}
    for table in (runs, run_tags, attempts, journals, series, drops):
        # How often chunks were merged is no part of the content.
        kept = [column for column in table.c if column.name != "edition"]
        query = sa.select(*kept).where(table.c.run_id == run_id)
        lines = sorted(_line(row) for row in connection.execute(query))
        counts[table.name] = len(lines)
        _add(total, table.name, *lines)
    points, digest = _points(connection, run_id)
    _add(total, "points", digest)
    keys = (records.c.series_id, records.c.journal_no, records.c.seq)
    stored = _rows(records, run_id).order_by(*keys).execution_options(yield_per=_ROWS_AT_ONCE)
    count = 0
    for row in connection.execute(stored):
        if not is_as_stored(row):
            raise StoreDamaged(f"run {run_id}: the record of step {row.step} is not what was stored")
        _add(total, _line([row[place] for place in _OF_RECORDS]))
        count += 1
    digests = sorted(connection.execute(sa.select(blobs.c.digest).where(blobs.c.run_id == run_id)).scalars())
    for one in digests:
        get_blob(connection, location, run_id, one)  # which compares the bytes with their digest
        _add(total, one)
    return RunContent(counts["series"], points, count, len(digests), total.hexdigest())


def stored_chunks(connection: sa.Connection, run_id: str) -> Iterator[StoredChunk]:
    """Yield the chunks of a run, those of a stream one after the other."""
    column = chunks.c
    query = sa.select(column.series_id, column.journal_no, column.chunk_no, column.data)
    query = query.where(column.run_id == run_id)
    query = query.order_by(column.series_id, column.journal_no, column.chunk_no)
    for row in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
        yield StoredChunk((row.series_id, row.journal_no), row.chunk_no, row.data)


def points_in_chunks(connection: sa.Connection, run_id: str) -> dict[Stream, tuple[int, list[int]]]:
    """Return how many full chunks each stream has, and the numbers of points of the smaller ones."""
    found = connection.execute(_rows(streams, run_id))
    return {
        (row.series_id, row.journal_no): (row.full_chunks, list(map(int, json.loads(row.parts))))
        for row in found
    }


def points_in_tails(
    connection: sa.Connection, run_id: str, stored: dict[Stream, int]
) -> Iterator[tuple[Stream, Columns]]:
    """Yield points that are in no chunk, those of a stream in the order of logging.

    `stored` tells how many points of each stream are in chunks. Raises StoreDamaged.
    """
    column = tails.c
    query = sa.select(column.journal_no, column.data).where(column.run_id == run_id)
    query = query.order_by(column.journal_no, column.batch_no).execution_options(yield_per=1)
    for row in connection.execute(query):
        tail = tail_rows.decode(row.data, check=True)
        ids = tail.series_ids.tolist()
        passed = np.array([stored.get((series_id, row.journal_no), 0) for series_id in ids], np.int64)
        tail = tail.without(passed)
        for series_id, start, count in zip(
            tail.series_ids.tolist(), tail.starts.tolist(), tail.counts.tolist(), strict=True
        ):
            yield (series_id, row.journal_no), tail.columns.take(slice(start, start + count))


def in_chunks(full: int, parts: Sequence[int]) -> int:
    """Return how many points of a stream are in chunks."""
    return full * CHUNK_POINTS + sum(parts)


def _points(connection: sa.Connection, run_id: str) -> tuple[int, str]:
    """Return how many points a run has, and a digest of them."""
    total = 0
    hashes: dict[Stream, hashlib.blake2b] = {}

    def add(stream: Stream, columns: Columns) -> None:
        nonlocal total
        total += len(columns.step)
        hashes.setdefault(stream, hashlib.blake2b(digest_size=16)).update(_bytes_of(columns))

    for stream, _, data in stored_chunks(connection, run_id):
        add(stream, unpack(data))
    stored = {stream: in_chunks(*sizes) for stream, sizes in points_in_chunks(connection, run_id).items()}
    for stream, columns in points_in_tails(connection, run_id, stored):
        add(stream, columns)
    whole = hashlib.blake2b(digest_size=16)
    for stream, one in sorted(hashes.items()):
        _add(whole, f"{stream}", one.hexdigest())
    return total, whole.hexdigest()


def _bytes_of(columns: Columns) -> bytes:
    """Return points as bytes that do not depend on how they were cut into chunks."""
    table = np.empty((len(columns.step), 3), np.int64)
    table[:, 0] = columns.step
    table[:, 1] = np.rint(columns.time * 1e6)  # chunks keep microseconds
    table[:, 2] = columns.value.view(np.int64)
    return table.tobytes()


def _rows(table: sa.Table, run_id: str) -> sa.Select[Any]:
    return sa.select(table).where(table.c.run_id == run_id)


def _line(row: Sequence[Any]) -> str:
    return json.dumps([_plain(value) for value in row])


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return hashlib.blake2b(value, digest_size=16).hexdigest()
    # SQLite keeps NaN as NULL.
    return None if isinstance(value, float) and math.isnan(value) else value


def _add(total: hashlib.blake2b, *lines: str) -> None:
    for line in lines:
        total.update(line.encode("utf-8", "surrogatepass") + b"\n")
