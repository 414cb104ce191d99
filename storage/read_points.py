"""Points of one series out of its chunks: a window of steps, as exact or as coarse as asked.

What is right: points are sorted by step; of several points of one step, within one attempt, the one logged
last counts (of two journals of one attempt, the one that was opened later); a newer attempt replaces older
ones from its first step on. So an attempt's limit is an upper edge of the window of its journals.

What is bounded: where far more points lie in the window than are wanted, entries of the pyramid answer
(see read_pyramid.py). They are exact as long as they do not overlap in steps. Where they do (steps that
went backwards, journals of one attempt that log one series), the points beneath are decoded if they are at
most EXACT_POINTS. If they are more, the entries answer as they are: minimum, maximum and mean then also
tell of values that were replaced later, which are counted too, and neighbouring buckets may overlap.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from . import pyramid as levels
from .chunks import CHUNK_POINTS, Columns, shown
from .downsample import as_they_are, bucket, bucket_entries
from .model import SYSTEM_PREFIX, Points, Series
from .read_pyramid import Places, Source, coarse, decoded, entries_between, first_steps, parts_of, steps_after
from .schema import journals, streams, tails
from .tails import decode

Window = tuple[int | None, int | None]
"""The first and the last step wanted, both included; None for no bound."""

EXACT_POINTS = 1 << 20
"""How many points are decoded at most because entries overlap."""


def read_points(
    connection: sa.Connection,
    series: Series,
    window: Window,
    max_points: int | None,
    attempt: int | None = None,
) -> Points:
    """Return the points of a series between two steps (see Reader.points)."""
    sources, attempt_of = _sources(connection, series, window, attempt)
    loose = _loose_points(connection, series, sources)
    if len(set(attempt_of)) > 1 and not series.name.startswith(SYSTEM_PREFIX):
        sources, loose = _without_replaced(connection, series, sources, loose, attempt_of)

    def exactly(places: Places) -> Columns:
        parts: list[Columns] = []
        for index, source in enumerate(sources):
            below = places.take(places.source == index)
            parts.append(_inside(decoded(connection, series, source, below, loose[index]), source))
        return shown(Columns.join(parts))

    if max_points is None:
        return as_they_are(exactly(entries_between(connection, series, sources)))
    found = coarse(connection, series, sources, max_points)
    exact = exactly(found.below)
    dirty = _overlapping(found.entries, exact)
    if bool(dirty.any()) and int(found.entries["count"][dirty].sum()) <= EXACT_POINTS:
        found = found.split(dirty)
        exact = exactly(found.below)
    if not len(found.entries):
        return bucket(exact.step, exact.time, exact.value, max_points)
    groups = levels.summarise(exact, _groups(exact, found.entries))
    return bucket_entries(np.concatenate([found.entries, groups]), max_points)


def _sources(
    connection: sa.Connection, series: Series, window: Window, attempt: int | None
) -> tuple[list[Source], list[int]]:
    """Return what each journal holds of the series, in the order in which later ones win, and its attempt."""
    low = levels.LOWEST if window[0] is None else window[0]
    high = levels.HIGHEST if window[1] is None else window[1]
    found: list[Source] = []
    attempt_of: list[int] = []
    for row in connection.execute(_SOURCES, {"r": series.run_id, "s": series.series_id}):
        if attempt in (None, row.attempt):
            parts = json.loads(row.parts or "[]")
            found.append(Source(row.journal_no, row.full_chunks or 0, parts, low, high))
            attempt_of.append(row.attempt)
    return found, attempt_of


def _without_replaced(
    connection: sa.Connection,
    series: Series,
    sources: Sequence[Source],
    loose: Sequence[list[Columns]],
    attempt_of: Sequence[int],
) -> tuple[list[Source], list[list[Columns]]]:
    """Let the window of each journal end where a newer attempt begins; leave out those with none left."""
    limits = limits_of(zip(attempt_of, first_steps(connection, series, sources, loose), strict=True))
    kept: list[Source] = []
    kept_loose: list[list[Columns]] = []
    for source, columns, number in zip(sources, loose, attempt_of, strict=True):
        limit = limits[number]
        high = source.high if limit is None else min(source.high, limit - 1)
        # A newer attempt may begin at the smallest step there is: below it, there is none.
        if high >= levels.LOWEST:
            kept.append(source._replace(high=high))
            kept_loose.append(columns)
    return kept, kept_loose


def steps_since(
    connection: sa.Connection, series: Series, seen: Mapping[int, int]
) -> tuple[tuple[int, int] | None, dict[int, int]]:
    """Return the smallest and the largest step of the points that journals have beyond those that were seen.

    Args:
        connection: to the store.
        series: of kind "scalar".
        seen: journal_no -> how many of its points were seen.

    Returns:
        The two steps, None when there is nothing new, and what `seen` is from now on.
    """
    sources, _ = _sources(connection, series, (None, None), None)
    loose = _loose_points(connection, series, sources)
    passed = [seen.get(source.journal_no, 0) for source in sources]
    now = {
        source.journal_no: source.full_chunks * CHUNK_POINTS + sum(len(columns.step) for columns in parts)
        for source, parts in zip(sources, loose, strict=True)
    }
    return steps_after(connection, series, sources, loose, passed), now


def limits_of(begun: Iterable[tuple[int, int | None]]) -> dict[int, int | None]:
    """Return for each attempt the step from which a newer one replaces it, or None.

    Args:
        begun: attempts, each any number of times, with a first step that they logged of one series.
    """
    first: dict[int, int | None] = {}
    for attempt, step in begun:
        known = first.get(attempt)
        first[attempt] = step if known is None else known if step is None else min(known, step)
    limits: dict[int, int | None] = {}
    newer: int | None = None
    for attempt in sorted(first, reverse=True):
        limits[attempt] = newer
        begins = first[attempt]
        if begins is not None and (newer is None or begins < newer):
            newer = begins
    return limits


def _loose_points(
    connection: sa.Connection, series: Series, sources: Sequence[Source]
) -> list[list[Columns]]:
    """Return, for each source, the points that no full chunk holds: few."""
    found = parts_of(connection, series, sources)
    index_of = {source.journal_no: index for index, source in enumerate(sources)}
    for journal_no, data in connection.execute(_TAILS, {"r": series.run_id}):
        index = index_of.get(journal_no)
        if index is not None:
            found[index].append(decode(data).of_series(series.series_id, sources[index].stored))
    return found


def _inside(columns: Columns, source: Source) -> Columns:
    steps = columns.step
    if bool((steps[1:] >= steps[:-1]).all()):
        start = np.searchsorted(steps, source.low)
        end = np.searchsorted(steps, source.high, side="right")
        return columns.take(slice(start, end))
    return columns.take((steps >= source.low) & (steps <= source.high))


def _overlapping(entries: levels.Entries, exact: Columns) -> NDArray[np.bool_]:
    """Return which entries share a range of steps with another one, or with single points."""
    dirty = np.zeros(len(entries), np.bool_)
    if not len(entries):
        return dirty
    low, high = entries["min_step"], entries["max_step"]
    dirty |= np.searchsorted(exact.step, low) < np.searchsorted(exact.step, high, side="right")
    order = np.argsort(low, kind="stable")
    reached = np.maximum.accumulate(high[order])
    dirty[order[1:]] |= low[order[1:]] <= reached[:-1]
    dirty[order[:-1]] |= low[order[1:]] <= high[order[:-1]]
    return dirty


def _groups(exact: Columns, entries: levels.Entries) -> NDArray[np.intp]:
    """Return where to cut single points into groups that lie between entries, of the size of the finest."""
    cuts = np.searchsorted(exact.step, np.sort(entries["min_step"]))
    even = np.arange(0, len(exact.step), levels.ENTRY_POINTS)
    return np.unique(np.concatenate([even, cuts[cuts < len(exact.step)]]))


# Made once: to put a statement together takes longer than to run it.
_OF_JOURNAL = (
    (streams.c.run_id == journals.c.run_id)
    & (streams.c.series_id == sa.bindparam("s"))
    & (streams.c.journal_no == journals.c.journal_no)
)
_SOURCES = (
    sa.select(journals.c.journal_no, journals.c.attempt, streams.c.full_chunks, streams.c.parts)
    .outerjoin(streams, _OF_JOURNAL)
    .where(journals.c.run_id == sa.bindparam("r"))
    .order_by(journals.c.attempt, journals.c.journal_no)
)
_TAILS = (
    sa.select(tails.c.journal_no, tails.c.data)
    .where(tails.c.run_id == sa.bindparam("r"))
    .order_by(tails.c.journal_no, tails.c.batch_no)
)
