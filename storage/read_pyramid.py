"""Going down the pyramid of a series: from few entries that cover it all to those that a window needs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from . import pyramid as levels
from .chunks import CHUNK_POINTS, Columns, Gathering, shown, unpack
from .errors import StoreDamaged
from .model import Series
from .pyramid import FAN_OUT, LEVELS, NODE_ENTRIES, Entries
from .schema import chunks, pyramid

T = TypeVar("T")

_KEYS_A_QUERY = 400
_FEW_JOURNALS = 8


class Source(NamedTuple):
    """What one journal holds of the series, and the window in which it is shown."""

    journal_no: int
    full_chunks: int
    parts: list[int]
    """The numbers of points of the chunks after the full ones."""
    low: int
    high: int

    @property
    def stored(self) -> int:
        """How many points are in chunks."""
        return self.full_chunks * CHUNK_POINTS + sum(self.parts)


class Places(NamedTuple):
    """Where entries are: arrays of the shape (n,)."""

    source: NDArray[np.int64]
    """The index of the journal among the sources."""
    level: NDArray[np.int64]
    number: NDArray[np.int64]
    """The number of the entry within its level and journal."""

    def take(self, which: NDArray[np.bool_]) -> Places:
        """Return some of them."""
        return Places(self.source[which], self.level[which], self.number[which])

    @staticmethod
    def join(parts: Sequence[Places]) -> Places:
        """Return several, one after the other."""
        empty = np.empty(0, np.int64)
        columns = zip(*parts, strict=True) if parts else ((empty,),) * 3
        return Places(*(np.concatenate(column) for column in columns))


class Found(NamedTuple):
    """What covers a window: entries that lie in it wholly, and places whose points have to be decoded."""

    entries: Entries
    places: Places
    below: Places

    def split(self, which: NDArray[np.bool_]) -> Found:
        """Return the same with some entries to be decoded."""
        return Found(
            self.entries[~which], self.places.take(~which), Places.join([self.below, self.places.take(which)])
        )


def coarse(connection: sa.Connection, series: Series, sources: Sequence[Source], want: int) -> Found:
    """Return what covers the window of each source, in at least `want` entries where there are so many.

    From the coarsest level down, entries are split until those that lie in the windows are enough; after
    that only those that reach out of them.
    """
    kept: list[tuple[Entries, Places]] = []
    enough = False
    places = _top(sources)
    for level in range(LEVELS - 1, -1, -1):
        if level < LEVELS - 1:
            places = Places.join([_children(places), _remainder(sources, level)])
        entries = _fetch(connection, series, sources, places)
        overlap, inside = _compared(entries, sources, places)
        enough = enough or int(inside.sum()) >= want
        if enough:
            kept.append((entries[inside], places.take(inside)))
            overlap &= ~inside
        places = places.take(overlap)
        if level == 1 and (enough or len(places.number) * FAN_OUT < want):
            break
    found = np.concatenate([entries for entries, _ in kept]) if kept else np.empty(0, levels.ENTRY)
    return Found(found, Places.join([part for _, part in kept]), places)


def entries_between(connection: sa.Connection, series: Series, sources: Sequence[Source]) -> Places:
    """Return the places, on level 1, of all chunks that reach into the window of their source."""
    if all(source.low == levels.LOWEST and source.high == levels.HIGHEST for source in sources):
        return _ranges(1, [(0, source.full_chunks) for source in sources])
    places = _top(sources)
    for level in range(LEVELS - 1, 0, -1):
        if level < LEVELS - 1:
            places = Places.join([_children(places), _remainder(sources, level)])
        overlap, _ = _compared(_fetch(connection, series, sources, places), sources, places)
        places = places.take(overlap)
    return places


def first_steps(
    connection: sa.Connection, series: Series, sources: Sequence[Source], loose: Sequence[Sequence[Columns]]
) -> list[int | None]:
    """Return the smallest step of each source and its loose points, None where there is none."""
    found: list[int | None] = [
        min((int(columns.step.min()) for columns in parts if len(columns.step)), default=None)
        for parts in loose
    ]
    for level in range(LEVELS - 1, 0, -1):
        places = _top(sources) if level == LEVELS - 1 else _remainder(sources, level)
        entries = _fetch(connection, series, sources, places)
        there = entries["count"] > 0
        owners: list[int] = places.source[there].tolist()
        steps: list[int] = entries["min_step"][there].tolist()
        for index, step in zip(owners, steps, strict=True):
            known = found[index]
            found[index] = step if known is None else min(known, step)
    return found


def steps_after(
    connection: sa.Connection,
    series: Series,
    sources: Sequence[Source],
    loose: Sequence[Sequence[Columns]],
    passed: Sequence[int],
) -> tuple[int, int] | None:
    """Return the smallest and the largest step of what each source holds beyond its first `passed` points."""
    found: list[tuple[int, int]] = []
    for index, (source, skip) in enumerate(zip(sources, passed, strict=True)):
        # Whole chunks are known by their entries; of one that was passed in part, the rest is decoded.
        passed_chunks = min(-(-skip // CHUNK_POINTS), source.full_chunks)
        whole = _ranges(1, [(passed_chunks, source.full_chunks)])
        entries = _fetch(connection, series, [source], whole)
        if len(entries):
            found.append((int(entries["min_step"].min()), int(entries["max_step"].max())))
        number, within = divmod(skip, CHUNK_POINTS)
        steps = np.concatenate([np.empty(0, np.int64), *(columns.step for columns in loose[index])])
        steps = steps[max(0, skip - source.full_chunks * CHUNK_POINTS) :]
        if within and number < source.full_chunks:
            [(_, data)] = _chunks(connection, series, source, [number])
            steps = np.concatenate([steps, unpack(data).step[within:]])
        if len(steps):
            found.append((int(steps.min()), int(steps.max())))
    if not found:
        return None
    return min(low for low, _ in found), max(high for _, high in found)


def decoded(
    connection: sa.Connection, series: Series, source: Source, places: Places, loose: Sequence[Columns]
) -> Columns:
    """Return the points beneath places of one journal, and those that no full chunk holds, as logged."""
    pieces = _pieces(places) if len(places.number) else {}
    whole = [number for number, piece in pieces.items() if piece is None]
    most = len(pieces) * CHUNK_POINTS + sum(len(columns.step) for columns in loose)
    gathered = Gathering(most)
    for number, data in _chunks(connection, series, source, list(pieces)):
        piece = pieces[number] if len(whole) < len(pieces) else None
        if piece is None:
            gathered.unpack(data)
        else:
            gathered.append(_some(unpack(data), piece))
    for columns in loose:
        gathered.append(columns)
    return gathered.columns()


def parts_of(connection: sa.Connection, series: Series, sources: Sequence[Source]) -> list[list[Columns]]:
    """Return, for each journal, its points in chunks that are not full. Raises StoreDamaged."""
    places = [
        (source.journal_no, source.full_chunks + number)
        for source in sources
        for number in range(len(source.parts))
    ]
    found: dict[int, list[Columns]] = {source.journal_no: [] for source in sources}
    awaited = iter(sorted(places))
    key = {"r": series.run_id, "s": series.series_id}
    for journal_no, number, data in _rows(connection, _PARTS, key, sorted(places)):
        _check(series, (journal_no, number), next(awaited))
        found[journal_no].append(unpack(data))
    missing = next(awaited, None)
    if missing is not None:
        _check(series, None, missing)
    return [found[source.journal_no] for source in sources]


def _chunks(
    connection: sa.Connection, series: Series, source: Source, numbers: Sequence[int]
) -> Iterable[tuple[int, bytes]]:
    """Yield the bytes of chunks in the order of their numbers, as they are read: together they are large."""
    key = {"r": series.run_id, "s": series.series_id, "j": source.journal_no}
    awaited = iter(numbers)
    for part in _batches(numbers):
        if part[-1] - part[0] == len(part) - 1:
            found = connection.execute(_STRETCH, {**key, "first": part[0], "last": part[-1]})
        else:
            found = connection.execute(_CHOSEN, {**key, "numbers": part})
        for number, data in found:
            place = (source.journal_no, number)
            _check(series, place, (source.journal_no, next(awaited)))
            yield number, data
    missing = next(awaited, None)
    if missing is not None:
        _check(series, None, (source.journal_no, missing))


def _check(series: Series, found: tuple[int, int] | None, awaited: tuple[int, int]) -> None:
    if found != awaited:
        raise StoreDamaged(f"chunk {awaited[1]} of series {series.name!r} is missing in run {series.run_id}")


def _top(sources: Sequence[Source]) -> Places:
    return _ranges(LEVELS - 1, [(0, levels.entries_at(LEVELS - 1, source.full_chunks)) for source in sources])


def _remainder(sources: Sequence[Source], level: int) -> Places:
    """Return the places of entries that no entry of the level above stands for: at most 15 of each source."""
    return _ranges(
        level,
        [
            (
                levels.entries_at(level + 1, source.full_chunks) * FAN_OUT,
                levels.entries_at(level, source.full_chunks),
            )
            for source in sources
        ],
    )


def _ranges(level: int, ranges: Sequence[tuple[int, int]]) -> Places:
    index = [np.arange(start, end) for start, end in ranges]
    source = [np.full(end - start, number) for number, (start, end) in enumerate(ranges)]
    return Places.join(
        [Places(s, np.full(len(s), level), i) for s, i in zip(source, index, strict=True) if len(s)]
    )


def _children(places: Places) -> Places:
    index = (places.number[:, None] * FAN_OUT + np.arange(FAN_OUT)).reshape(-1)
    return Places(np.repeat(places.source, FAN_OUT), np.repeat(places.level - 1, FAN_OUT), index)


def _compared(
    entries: Entries, sources: Sequence[Source], places: Places
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which entries reach into the window of their source, and which of these lie in it wholly."""
    low = np.array([source.low for source in sources], np.int64)[places.source]
    high = np.array([source.high for source in sources], np.int64)[places.source]
    first, last = entries["min_step"], entries["max_step"]
    overlap = (entries["count"] > 0) & (last >= low) & (first <= high)
    return overlap, overlap & (first >= low) & (last <= high)


def _fetch(connection: sa.Connection, series: Series, sources: Sequence[Source], places: Places) -> Entries:
    """Return the entries at places of one level."""
    if not len(places.number):
        return np.empty(0, levels.ENTRY)
    node = places.number // NODE_ENTRIES
    # Entries of one node follow one another: a node is fetched for each stretch of them.
    changes = (node[1:] != node[:-1]) | (places.source[1:] != places.source[:-1])
    starts = np.flatnonzero(np.append(True, changes))
    chosen: list[int] = places.source[starts].tolist()
    journals = [sources[index].journal_no for index in chosen]
    keys = list(zip(journals, node[starts].tolist(), strict=True))
    data = _node_data(connection, series, int(places.level[0]), keys)
    nodes = [data[key] for key in keys]
    sizes = np.array([levels.node_size(found) for found in nodes])
    stretch = np.cumsum(np.append(False, changes))
    within = places.number % NODE_ENTRIES
    if bool((within >= sizes[stretch]).any()):
        raise StoreDamaged(f"the pyramid of series {series.name!r} is incomplete in run {series.run_id}")
    return levels.decode(nodes)[(np.cumsum(sizes) - sizes)[stretch] + within]


def _node_data(
    connection: sa.Connection, series: Series, level: int, keys: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    data: dict[tuple[int, int], bytes] = {}
    place = {"r": series.run_id, "s": series.series_id, "l": level}
    for journal_no, node_no, found in _rows(connection, _NODES, place, sorted(set(keys))):
        data[journal_no, node_no] = found
    for key in keys:
        if key not in data:
            raise StoreDamaged(f"the pyramid of series {series.name!r} is incomplete in run {series.run_id}")
    return data


def _pieces(places: Places) -> dict[int, NDArray[np.int64] | None]:
    """Return the numbers of chunks in order, with the entries of level 0 that are wanted; None for all."""
    numbers = np.empty(0, np.int64)
    for level in range(1, LEVELS):
        span = np.arange(int(FAN_OUT) ** (level - 1), dtype=np.int64)
        there = places.number[places.level == level][:, None] * len(span) + span
        numbers = np.union1d(numbers, there.reshape(-1))
    pieces: dict[int, NDArray[np.int64] | None] = dict.fromkeys(numbers.tolist())
    small = np.unique(places.number[places.level == 0])
    for number in np.unique(small // FAN_OUT).tolist():
        if number not in pieces:
            within = small[small // FAN_OUT == number] % FAN_OUT
            pieces[number] = within if len(within) < FAN_OUT else None
    return dict(sorted(pieces.items()))


def _some(columns: Columns, wanted: NDArray[np.int64]) -> Columns:
    """Return the points of a chunk that some of its entries of level 0 stand for."""
    visible = shown(columns)
    return visible.take(np.isin(np.arange(len(visible.step)) // levels.ENTRY_POINTS, wanted))


def _rows(
    connection: sa.Connection,
    queries: tuple[sa.Select[Any], sa.Select[Any]],
    key: Mapping[str, Any],
    places: Sequence[tuple[int, int]],
) -> Iterable[Any]:
    """Yield the rows at places (journal and number, sorted); the queries ask for one journal, or several."""
    one, several = queries
    if len({journal_no for journal_no, _ in places}) > _FEW_JOURNALS:
        for part in _batches(places):
            yield from connection.execute(several, {**key, "places": part})
        return
    # SQLite looks up single numbers by the index, but for pairs reads all that the series has.
    for journal_no, ours in itertools.groupby(places, key=lambda place: place[0]):
        for part in _batches([number for _, number in ours]):
            yield from connection.execute(one, {**key, "j": journal_no, "numbers": part})


def _batches(items: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), _KEYS_A_QUERY):
        yield items[start : start + _KEYS_A_QUERY]


# Made once: to put a statement together takes longer than to run it.
_CHUNKS = (
    sa.select(chunks.c.chunk_no, chunks.c.data)
    .where(chunks.c.run_id == sa.bindparam("r"), chunks.c.series_id == sa.bindparam("s"))
    .where(chunks.c.journal_no == sa.bindparam("j"))
    .order_by(chunks.c.chunk_no)
)
_STRETCH = _CHUNKS.where(chunks.c.chunk_no.between(sa.bindparam("first"), sa.bindparam("last")))
_CHOSEN = _CHUNKS.where(chunks.c.chunk_no.in_(sa.bindparam("numbers", expanding=True)))


def _at_places(table: sa.Table, number_name: str, *conditions: Any) -> tuple[sa.Select[Any], sa.Select[Any]]:
    journal_no, number = table.c.journal_no, table.c[number_name]
    query: Any = (
        sa.select(journal_no, number, table.c.data)
        .where(table.c.run_id == sa.bindparam("r"), table.c.series_id == sa.bindparam("s"), *conditions)
        .order_by(journal_no, number)
    )
    return (
        query.where(journal_no == sa.bindparam("j"), number.in_(_any("numbers"))),
        query.where(sa.tuple_(journal_no, number).in_(_any("places"))),
    )


def _any(name: str) -> Any:
    return sa.bindparam(name, expanding=True, type_=sa.types.NullType())


_PARTS = _at_places(chunks, "chunk_no")
_NODES = _at_places(pyramid, "node_no", pyramid.c.level == sa.bindparam("l"))
