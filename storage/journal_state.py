"""What one journal has stored so far, as the writer that goes on with it has to know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from .chunks import CHUNK_POINTS
from .schema import records, streams, tails, totals
from .tails import Tail, decode
from .totals import JournalTotals


@dataclass(slots=True)
class JournalState:
    """Kept from commit to commit; each array has one entry for each place of `totals`, and room for more."""

    run_id: str
    journal_no: int
    totals: JournalTotals
    logged: NDArray[np.int64]
    """How many points the journal logged of each series."""
    stored: NDArray[np.int64]
    """How many of them, from the first on, are in chunks; the others are in tails."""
    full: NDArray[np.int64]
    """How many full chunks there are."""
    parts: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """By place: the numbers of points of the chunks after the full ones."""
    batches: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Number and number of points of the rows in `tails`, oldest first."""
    next_seq: dict[int, int] = field(default_factory=dict[int, int])
    """By place: where the next record goes."""
    place_of_number: NDArray[np.int64] = field(default_factory=lambda: np.full(16, -1, np.int64))
    """The place of a series by the number that the journal gave it; -1 for one not seen yet."""

    by_id: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """The places in the order of the series' numbers; made when it is asked for."""
    system: list[int] = field(default_factory=list[int])
    """The journal's numbers of series of the machine, whose steps are seconds."""

    @property
    def key(self) -> dict[str, Any]:
        """The columns that all rows of this journal share."""
        return {"run_id": self.run_id, "journal_no": self.journal_no}

    def place(self, series_id: int) -> int:
        """Return the place of a series, making one if it has none."""
        place = self.totals.enter(series_id)
        if place >= len(self.logged):
            room = np.zeros(max(16, len(self.logged)), np.int64)
            self.logged, self.stored, self.full = (
                np.concatenate([array, room]) for array in (self.logged, self.stored, self.full)
            )
        return place

    def places(self, series_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of series that have one."""
        ids = self.totals.series_ids
        if len(self.by_id) < len(ids):
            self.by_id = np.argsort(ids)
        return self.by_id[np.searchsorted(ids, series_ids, sorter=self.by_id)]

    def waiting(self) -> NDArray[np.int64]:
        """Return how many points of each series are in tails."""
        return self.logged - self.stored


def load_state(connection: sa.Connection, run_id: str, journal_no: int) -> JournalState:
    """Read the state of a journal."""
    of_totals = sa.select(totals.c.data).where(*_mine(totals, run_id, journal_no))
    stored = connection.execute(of_totals.order_by(totals.c.shard_no)).scalars().all()
    empty = np.zeros(0, np.int64)
    state = JournalState(run_id, journal_no, JournalTotals(stored), empty, empty, empty)
    for series_id in list(state.totals.places):
        state.place(series_id)
    if stored:
        _load_streams(connection, state)
        _load_tails(connection, state)
        _load_records(connection, state)
    return state


def read_tails(connection: sa.Connection, state: JournalState, first_batch: int = 0) -> list[Tail]:
    """Return the tails of the journal from one on, oldest first."""
    found = connection.execute(_TAILS, {"r": state.run_id, "j": state.journal_no, "b": first_batch})
    return [decode(data) for data in found.scalars()]


def stream_rows(state: JournalState, places: Sequence[int]) -> list[Mapping[str, Any]]:
    """Return the rows of `streams` for some series."""
    numbers = state.totals.series_ids
    return [
        {
            **state.key,
            "series_id": int(numbers[place]),
            "full_chunks": int(state.full[place]),
            "parts": json.dumps(state.parts.get(place, [])),
        }
        for place in places
    ]


def _load_streams(connection: sa.Connection, state: JournalState) -> None:
    query = sa.select(streams.c.series_id, streams.c.full_chunks, streams.c.parts)
    for row in connection.execute(query.where(*_mine(streams, state.run_id, state.journal_no))):
        place, parts = state.place(row.series_id), json.loads(row.parts)
        if parts:
            state.parts[place] = parts
        state.full[place] = row.full_chunks
        state.stored[place] = row.full_chunks * CHUNK_POINTS + sum(parts)
    state.logged[:] = state.stored


def _load_tails(connection: sa.Connection, state: JournalState) -> None:
    query = sa.select(tails.c.batch_no, tails.c.data).where(*_mine(tails, state.run_id, state.journal_no))
    for row in connection.execute(query.order_by(tails.c.batch_no)):
        tail = decode(row.data)
        places = state.places(tail.series_ids)
        state.logged[places] = np.maximum(state.logged[places], tail.first + tail.counts)
        state.batches.append((row.batch_no, len(tail.columns.step)))


def _load_records(connection: sa.Connection, state: JournalState) -> None:
    highest = sa.select(records.c.series_id, sa.func.max(records.c.seq).label("seq"))
    query = highest.where(*_mine(records, state.run_id, state.journal_no)).group_by(records.c.series_id)
    for row in connection.execute(query):
        state.next_seq[state.place(row.series_id)] = row.seq + 1


def _mine(table: sa.Table, run_id: str, journal_no: int) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.run_id == run_id, table.c.journal_no == journal_no


# Made once: to put a statement together takes longer than to run it.
_TAILS = (
    sa.select(tails.c.data)
    .where(tails.c.run_id == sa.bindparam("r"), tails.c.journal_no == sa.bindparam("j"))
    .where(tails.c.batch_no >= sa.bindparam("b"))
    .order_by(tails.c.batch_no)
)
