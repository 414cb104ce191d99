"""What is derived from chunks and records, made anew: the pyramid, streams and totals."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import sqlalchemy as sa

from . import pyramid as levels
from .chunks import CHUNK_POINTS, point_count, unpack
from .journal_state import JournalState, stream_rows
from .schema import chunks, journals, pyramid, records, streams, totals
from .totals import JournalTotals
from .write_points import store_totals
from .write_pyramid import append_entries

_CHUNKS_AT_ONCE = 64


def rebuild(connection: sa.Connection) -> None:
    """Make the pyramid, streams and totals of all runs from their chunks and records, in one transaction.

    What waits in tails must be in chunks before, as it is in a store of the first schema.
    """
    for table in (pyramid, streams, totals):
        connection.execute(sa.delete(table))
    query = sa.select(journals.c.run_id, journals.c.journal_no)
    for run_id, journal_no in connection.execute(query).all():
        empty = np.zeros(0, np.int64)
        state = JournalState(run_id, journal_no, JournalTotals(), empty, empty, empty)
        mine = (chunks.c.run_id == run_id) & (chunks.c.journal_no == journal_no)
        series_ids = connection.execute(sa.select(chunks.c.series_id).where(mine).distinct()).scalars().all()
        for series_id in series_ids:
            _add_points(connection, state, series_id)
        if series_ids:
            connection.execute(sa.insert(streams), stream_rows(state, range(len(series_ids))))
        _add_records(connection, state)
        store_totals(connection, state)


def _add_points(connection: sa.Connection, state: JournalState, series_id: int) -> None:
    place = state.place(series_id)
    for data in _chunks(connection, state, series_id):
        columns = unpack(*data)
        state.totals.add_points(np.array([place]), columns, np.zeros(1, np.intp))
        full, rest = divmod(len(columns.step), CHUNK_POINTS)
        before = int(state.full[place])
        if full:
            entries = levels.of_chunks(columns.take(slice(0, full * CHUNK_POINTS)))
            append_entries(connection, state, {place: (before, entries)})
            state.full[place] += full
        if rest:
            state.parts.setdefault(place, []).append(rest)


def _chunks(connection: sa.Connection, state: JournalState, series_id: int) -> Iterable[list[bytes]]:
    """Yield the bytes of chunks in groups: of several full ones, or of one that is not full."""
    column = chunks.c
    mine = (column.run_id == state.run_id, column.series_id == series_id)
    mine = (*mine, column.journal_no == state.journal_no)
    for start in itertools.count(0, _CHUNKS_AT_ONCE):
        near = column.chunk_no.between(start, start + _CHUNKS_AT_ONCE - 1)
        query = sa.select(column.data).where(*mine, near).order_by(column.chunk_no)
        found = connection.execute(query).scalars().all()
        full = [data for data in found if point_count(data) == CHUNK_POINTS]
        if full:
            yield full
        yield from ([data] for data in found[len(full) :])
        if len(found) < _CHUNKS_AT_ONCE:
            return


def _add_records(connection: sa.Connection, state: JournalState) -> None:
    column = records.c
    mine = (column.run_id == state.run_id) & (column.journal_no == state.journal_no)
    query = sa.select(column.series_id, column.step, column.time).where(mine)
    for series_id, step, time in connection.execute(query.order_by(column.series_id, column.seq)):
        state.totals.add_record(state.place(series_id), step, time)
