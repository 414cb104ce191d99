"""How new points of a run reach their tables. Called by the Writer, in its transaction.

A flush brings few points of each of many series; a chunk is best full. So what a flush brings is one row
of `tails`, whatever the number of series. A series that has enough points for a full chunk gets it at
once. When the tails grow large, all that is in them becomes chunks that are not full ("parts"). Tails and
parts are merged like the digits of a number: eight that follow one another and are of one size class
become one. So a point is rewritten a few times in its life, and a reader finds a few dozen tails and
parts at most, whatever the length of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from . import pyramid as levels
from .chunks import CHUNK_POINTS, Columns, pack, unpack
from .journal_read import SeriesDefinition
from .journal_state import JournalState, read_tails, stream_rows
from .model import SYSTEM_PREFIX
from .schema import chunks, streams, tails, totals
from .tails import Tail, merge
from .upsert import upsert
from .write_pyramid import append_entries
from .write_series import enter_series

TAIL_POINTS = 1 << 18
"""How many points of a journal may wait in tails; they are 24 bytes each, and read by every chart."""
_MERGED = 8
"""How many tails, or parts, of one size class become one."""
_POINTS_AT_ONCE = 1 << 16
"""Of how many points chunks are made at once: they are in memory several times."""


class NewPoints(NamedTuple):
    """Points of several series, in the order they were logged."""

    number: NDArray[np.uint32]
    """(n,), the journal's number of the series of each point; a key of `definitions`."""
    columns: Columns
    definitions: Mapping[int, SeriesDefinition]


def store_points(connection: sa.Connection, state: JournalState, new: NewPoints) -> None:
    """Append points to their series."""
    places, columns, starts = _by_series(connection, state, new)
    tail = Tail(
        state.totals.series_ids[places],
        state.logged[places],
        np.diff(np.append(starts, len(columns.step))),
        columns,
    )
    state.totals.add_points(places, columns, starts)
    state.logged[places] += tail.counts
    ripe = places[state.logged[places] - state.full[places] * CHUNK_POINTS >= CHUNK_POINTS]
    waiting = state.waiting()
    full = int(waiting.sum() - waiting[ripe].sum()) > TAIL_POINTS
    if full:
        ripe = np.flatnonzero(waiting)
    if len(ripe):
        old = read_tails(connection, state)
        store_chunks(connection, state, [*old, tail], ripe, leave=not full)
        drop_stored_tails(connection, state, old)
    _store_tail(connection, state, tail.without(state.stored[places]))


def lowest_step(state: JournalState, new: NewPoints) -> list[int]:
    """Return the smallest step of the training's own series, in a list; empty without any."""
    steps = new.columns.step
    if state.system:
        steps = steps[~np.isin(new.number, state.system)]
    return [int(steps.min())] if len(steps) else []


def store_totals(connection: sa.Connection, state: JournalState) -> None:
    """Write the totals that changed."""
    rows = [{**state.key, "shard_no": number, "data": data} for number, data in state.totals.take_changed()]
    if rows:
        connection.execute(upsert(connection, totals), rows)


def store_chunks(
    connection: sa.Connection,
    state: JournalState,
    waiting: Sequence[Tail],
    chosen: NDArray[np.int64],
    *,
    leave: bool = False,
    whole: bool = False,
) -> None:
    """Put points of some series that wait in tails into chunks.

    Args:
        connection: with a transaction.
        state: of the journal.
        waiting: all its tails, oldest first.
        chosen: the places of the series, (k,), not empty.
        leave: whether what is left of a series after its full chunks stays in the tails.
        whole: whether all parts of a series become one.
    """
    loose = state.logged[chosen] - state.full[chosen] * CHUNK_POINTS
    group = np.cumsum(loose) // _POINTS_AT_ONCE
    for part in np.split(chosen, np.flatnonzero(np.diff(group)) + 1):
        _store_some(connection, state, waiting, part, leave=leave, whole=whole)


def _store_some(
    connection: sa.Connection,
    state: JournalState,
    waiting: Sequence[Tail],
    chosen: NDArray[np.int64],
    *,
    leave: bool,
    whole: bool,
) -> None:
    new = _waiting_columns(state, waiting, chosen)
    absorbed = {
        place: _absorbed(state.parts.get(place, []), len(columns.step), whole=whole)
        for place, columns in new.items()
    }
    old = _take_parts(connection, state, absorbed)
    made = _Made(state)
    for place, columns in new.items():
        made.add(place, Columns.join([*old.get(place, []), columns]), absorbed[place], leave=leave)
    made.write(connection)


def drop_stored_tails(connection: sa.Connection, state: JournalState, old: Sequence[Tail]) -> None:
    """Delete the rows of tails whose points are all in chunks by now."""
    empty = {
        number
        for (number, _), tail in zip(state.batches, old, strict=True)
        if bool((state.stored[state.places(tail.series_ids)] >= tail.first + tail.counts).all())
    }
    if empty:
        connection.execute(_DELETE_TAIL, [{"r": state.run_id, "j": state.journal_no, "b": n} for n in empty])
        state.batches = [batch for batch in state.batches if batch[0] not in empty]


class _Made:
    """Rows of chunks that are being made, for many series at once."""

    def __init__(self, state: JournalState) -> None:
        self._state = state
        self._chunks: list[dict[str, Any]] = []
        self._changed: list[int] = []
        self._entries: dict[int, tuple[int, levels.Entries]] = {}

    def add(self, place: int, columns: Columns, absorbed: int, *, leave: bool) -> None:
        """Cut the points of a series, those of its last `absorbed` parts first, into chunks."""
        state, total = self._state, len(columns.step)
        parts = state.parts.pop(place, [])
        kept = parts[: len(parts) - absorbed]
        before = int(state.full[place])
        full = total // CHUNK_POINTS if not kept else 0
        for number in range(full):
            self._chunk(place, before + number, columns.take(_nth(number)))
        if full:
            cut = columns.take(slice(0, full * CHUNK_POINTS))
            self._entries[place] = (before, levels.of_chunks(cut))
            state.full[place] += full
        rest = columns.take(slice(full * CHUNK_POINTS, None))
        if len(rest.step) and not (full and leave):
            self._chunk(place, int(state.full[place]) + len(kept), rest)
            kept = [*kept, len(rest.step)]
        if kept:
            state.parts[place] = kept
        state.stored[place] = state.full[place] * CHUNK_POINTS + sum(kept)
        self._changed.append(place)

    def write(self, connection: sa.Connection) -> None:
        """Store it all."""
        if not self._changed:
            return
        if self._chunks:
            connection.execute(sa.insert(chunks), self._chunks)
        connection.execute(upsert(connection, streams), stream_rows(self._state, self._changed))
        append_entries(connection, self._state, self._entries)

    def _chunk(self, place: int, chunk_no: int, columns: Columns) -> None:
        series_id = int(self._state.totals.series_ids[place])
        row = {**self._state.key, "series_id": series_id, "chunk_no": chunk_no, "data": pack(columns)}
        self._chunks.append(row)


def _by_series(
    connection: sa.Connection, state: JournalState, new: NewPoints
) -> tuple[NDArray[np.int64], Columns, NDArray[np.intp]]:
    """Sort points by series, in the order of logging within each; enter new series.

    Returns:
        The place of each series in the state, (k,); the points, (n,); the index of the first of each, (k,).
    """
    _enter_new(connection, state, new)
    place = state.place_of_number[new.number]
    if bool((place[1:] == place[:-1]).all()):
        return place[:1], new.columns, np.zeros(1, np.intp)
    if len(state.logged) < 1 << 16:
        # Numbers of 16 bits are sorted by their digits: ten times as fast.
        order = np.argsort(place.astype(np.uint16), kind="stable")
    else:
        order = np.argsort(place, kind="stable")
    place = place[order]
    starts = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
    return place[starts], new.columns.take(order), starts


def _enter_new(connection: sa.Connection, state: JournalState, new: NewPoints) -> None:
    highest = int(new.number.max())
    if highest >= len(state.place_of_number):
        room = np.full(highest + 1, -1, np.int64)
        state.place_of_number = np.concatenate([state.place_of_number, room])
    unknown = state.place_of_number[new.number] < 0
    if bool(unknown.any()):
        unseen = np.unique(new.number[unknown]).tolist()
        entered = enter_series(connection, state, [new.definitions[number] for number in unseen])
        state.place_of_number[unseen] = entered
        state.system += [n for n in unseen if new.definitions[n].name.startswith(SYSTEM_PREFIX)]


def _waiting_columns(
    state: JournalState, waiting: Sequence[Tail], chosen: NDArray[np.int64]
) -> dict[int, Columns]:
    """Return what waits of each chosen series, by place; also of those of which nothing does."""
    found = {place: Columns.join([]) for place in chosen.tolist()}
    parts = [_only(state, tail, chosen) for tail in waiting]
    if parts:
        pieces = merge(parts)
        starts, places = pieces.starts.tolist(), state.places(pieces.series_ids).tolist()
        for place, start, count in zip(places, starts, pieces.counts.tolist(), strict=True):
            found[place] = pieces.columns.take(slice(start, start + count))
    return found


def _only(state: JournalState, tail: Tail, chosen: NDArray[np.int64]) -> Tail:
    """Return what waits of the chosen series."""
    places = state.places(tail.series_ids)
    return tail.without(np.where(np.isin(places, chosen), state.stored[places], np.iinfo(np.int64).max))


def _absorbed(parts: Sequence[int], count: int, *, whole: bool) -> int:
    """Return how many of the last parts of a series become one with `count` new points."""
    if whole or sum(parts) + count >= CHUNK_POINTS:
        return len(parts)
    return max(0, _mergeable([*parts, count]) - 1)


def _mergeable(sizes: Sequence[int]) -> int:
    """Return how many of the last sizes are to be merged: none or _MERGED, and more when that allows it."""
    total, merged = sizes[-1], 1
    while len(sizes) >= merged - 1 + _MERGED:
        start = len(sizes) - (merged - 1 + _MERGED)
        if any(
            size.bit_length() // 3 > total.bit_length() // 3 for size in sizes[start : len(sizes) - merged]
        ):
            break
        merged = len(sizes) - start
        total = sum(sizes[start:])
    return merged if merged > 1 else 0


def _take_parts(
    connection: sa.Connection, state: JournalState, absorbed: Mapping[int, int]
) -> dict[int, list[Columns]]:
    """Read the last parts of series and delete them, to be stored again as parts of larger chunks."""
    ids = state.totals.series_ids
    found: dict[int, list[Columns]] = {}
    taken: list[dict[str, Any]] = []
    for place, count in absorbed.items():
        if count:
            end = int(state.full[place]) + len(state.parts[place])
            key = {"r": state.run_id, "s": int(ids[place]), "j": state.journal_no}
            taken.append({**key, "first": end - count, "last": end - 1})
            found[place] = [unpack(data) for data in connection.execute(_PARTS, taken[-1]).scalars()]
    if taken:
        connection.execute(_DELETE_PARTS, taken)
    return found


def _store_tail(connection: sa.Connection, state: JournalState, tail: Tail) -> None:
    """Store a tail, as one with those before it when there are many small ones."""
    count = len(tail.columns.step)
    if not count:
        return
    number = state.batches[-1][0] + 1 if state.batches else 0
    merged = max(0, _mergeable([*(size for _, size in state.batches), count]) - 1)
    if merged:
        numbers = [batch for batch, _ in state.batches[-merged:]]
        old = read_tails(connection, state, first_batch=numbers[0])
        waiting = [part.without(state.stored[state.places(part.series_ids)]) for part in old]
        tail = merge([*waiting, tail])
        keys = [{"r": state.run_id, "j": state.journal_no, "b": batch} for batch in numbers]
        connection.execute(_DELETE_TAIL, keys)
        number = numbers[0]
        del state.batches[-merged:]
    row = {**state.key, "batch_no": number, "data": tail.encode()}
    connection.execute(_INSERT_TAIL, row)
    state.batches.append((number, len(tail.columns.step)))


def _nth(number: int) -> slice:
    return slice(number * CHUNK_POINTS, (number + 1) * CHUNK_POINTS)


_INSERT_TAIL = sa.insert(tails)
_DELETE_TAIL = sa.delete(tails).where(
    tails.c.run_id == sa.bindparam("r"),
    tails.c.journal_no == sa.bindparam("j"),
    tails.c.batch_no == sa.bindparam("b"),
)
_TAKEN = (
    chunks.c.run_id == sa.bindparam("r"),
    chunks.c.series_id == sa.bindparam("s"),
    chunks.c.journal_no == sa.bindparam("j"),
    chunks.c.chunk_no.between(sa.bindparam("first"), sa.bindparam("last")),
)
_PARTS = sa.select(chunks.c.data).where(*_TAKEN).order_by(chunks.c.chunk_no)
_DELETE_PARTS = sa.delete(chunks).where(*_TAKEN)
