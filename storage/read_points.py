"""Points of one series out of its chunks: a window of steps, as exact or as coarse as asked.

When far more points lie in the window than are wanted, the narrow summaries of whole chunks answer;
otherwise the chunks are decoded. Points of the newest attempt win from its first step on.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from .chunks import Columns, summarise, unpack
from .downsample import bucket
from .errors import StoreDamaged
from .model import SYSTEM_PREFIX, Points, Series
from .schema import attempts, chunks, journals, summaries

Window = tuple[int | None, int | None]
"""The first and the last step wanted, both included; None for no bound."""

_CHUNKS_A_QUERY = 500


def read_points(connection: sa.Connection, series: Series, window: Window, max_points: int | None) -> Points:
    """Return the points of a series between two steps (see Reader.points)."""
    limits = {} if series.name.startswith(SYSTEM_PREFIX) else visible_steps(connection, series.run_id)
    parts = _summaries(connection, series, window, limits)
    if max_points is not None and len(parts) >= max_points and _one_after_the_other(parts, limits):
        within = _cut_to(connection, series, parts, window)
        if len(within) >= max_points:
            return _from_summaries(within, max_points)
    columns = _decoded(connection, series, parts, limits)
    columns = _last_of_each_step(_inside(columns, window))
    size = len(columns.step) if max_points is None else max_points
    return bucket(columns.step, columns.time, columns.value, max(size, 1))


def visible_steps(connection: sa.Connection, run_id: str) -> dict[int, int | None]:
    """Return for each attempt the step from which a newer attempt replaces it, or None."""
    query = sa.select(attempts.c.attempt, attempts.c.first_step).where(attempts.c.run_id == run_id)
    limits: dict[int, int | None] = {}
    newer: int | None = None
    for row in connection.execute(query.order_by(attempts.c.attempt.desc())):
        limits[row.attempt] = newer
        if row.first_step is not None and (newer is None or row.first_step < newer):
            newer = row.first_step
    return limits


def _summaries(
    connection: sa.Connection, series: Series, window: Window, limits: dict[int, int | None]
) -> list[Any]:
    column = summaries.c
    query = (
        sa.select(summaries, journals.c.attempt)
        .join(
            journals,
            (journals.c.run_id == column.run_id) & (journals.c.journal_no == column.journal_no),
        )
        .where(column.run_id == series.run_id, column.series_id == series.series_id)
        .order_by(journals.c.attempt, column.journal_no, column.chunk_no)
    )
    low, high = window
    if low is not None:
        query = query.where(column.max_step >= low)
    if high is not None:
        query = query.where(column.min_step <= high)
    rows = connection.execute(query).all()
    return [row for row in rows if _below(row.min_step, limits.get(row.attempt))]


def _below(step: int, limit: int | None) -> bool:
    return limit is None or step < limit


def _one_after_the_other(parts: Sequence[Any], limits: dict[int, int | None]) -> bool:
    """Whether no chunk overlaps another one, or the limit of its attempt, in steps."""
    if any(not _below(part.max_step, limits.get(part.attempt)) for part in parts):
        return False
    ends = np.array([part.max_step for part in parts], np.int64)
    starts = np.array([part.min_step for part in parts], np.int64)
    return bool((starts[1:] > ends[:-1]).all())


def _cut_to(connection: sa.Connection, series: Series, parts: Sequence[Any], window: Window) -> list[Any]:
    """Return the summaries with those anew that reach out of the window: the first and last at most."""
    low, high = window
    cut = [
        part
        for part in (parts[0], parts[-1])
        if (low is not None and part.min_step < low) or (high is not None and part.max_step > high)
    ]
    data = _chunk_data(connection, series, cut)
    within: list[Any] = []
    for part in parts:
        if part not in cut:
            within.append(part)
            continue
        columns = _inside(unpack(data[part.journal_no, part.chunk_no]), window)
        if len(columns.step):
            within.append(SimpleNamespace(**summarise(columns)))
    return within


def _inside(columns: Columns, window: Window) -> Columns:
    low, high = window
    keep = np.ones(len(columns.step), np.bool_)
    if low is not None:
        keep &= columns.step >= low
    if high is not None:
        keep &= columns.step <= high
    return columns if bool(keep.all()) else columns.take(keep)


def _from_summaries(parts: Sequence[Any], max_points: int) -> Points:
    starts = np.arange(max_points, dtype=np.int64) * len(parts) // max_points
    ends = np.append(starts[1:], len(parts)) - 1

    def column(name: str, kind: type[np.generic] = np.float64) -> NDArray[Any]:
        # None stands for a chunk without finite values, and for NaN in SQLite.
        return np.array([getattr(part, name) for part in parts], dtype=object).astype(kind)

    finite = np.add.reduceat(column("finite_count", np.int64), starts)
    sums = np.add.reduceat(np.nan_to_num(column("sum_value")), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(finite > 0, sums / finite, np.nan)
    return Points(
        step=column("max_step", np.int64)[ends],
        first_step=column("min_step", np.int64)[starts],
        time=column("last_time")[ends],
        min=np.fmin.reduceat(column("min_value"), starts),
        max=np.fmax.reduceat(column("max_value"), starts),
        mean=mean,
        last=column("last_value")[ends],
        count=np.add.reduceat(column("point_count", np.int64), starts),
        total=int(column("point_count", np.int64).sum()),
        nan_count=int(column("nan_count", np.int64).sum()),
        posinf_count=int(column("posinf_count", np.int64).sum()),
        neginf_count=int(column("neginf_count", np.int64).sum()),
    )


def _decoded(
    connection: sa.Connection,
    series: Series,
    parts: Sequence[Any],
    limits: dict[int, int | None],
) -> Columns:
    """Return all points of the chunks that a newer attempt does not replace, sorted by step."""
    data = _chunk_data(connection, series, parts)
    found: list[Columns] = []
    for part in parts:
        columns = unpack(data[part.journal_no, part.chunk_no])
        limit = limits.get(part.attempt)
        if limit is not None and part.max_step >= limit:
            keep = columns.step < limit
            columns = columns.take(keep)
        found.append(columns)
    joined = Columns.join(found)
    if bool((np.diff(joined.step) >= 0).all()):
        return joined
    return joined.take(np.argsort(joined.step, kind="stable"))


def _chunk_data(
    connection: sa.Connection, series: Series, parts: Sequence[Any]
) -> dict[tuple[int, int], bytes]:
    data: dict[tuple[int, int], bytes] = {}
    places = [(part.journal_no, part.chunk_no) for part in parts]
    for start in range(0, len(places), _CHUNKS_A_QUERY):
        chosen = places[start : start + _CHUNKS_A_QUERY]
        query = sa.select(chunks.c.journal_no, chunks.c.chunk_no, chunks.c.data).where(
            chunks.c.run_id == series.run_id,
            chunks.c.series_id == series.series_id,
            sa.tuple_(chunks.c.journal_no, chunks.c.chunk_no).in_(chosen),
        )
        for row in connection.execute(query):
            data[row.journal_no, row.chunk_no] = row.data
    for journal_no, chunk_no in places:
        if (journal_no, chunk_no) not in data:
            raise StoreDamaged(
                f"chunk {chunk_no} of series {series.name!r} is missing in run {series.run_id}"
            )
    return data


def _last_of_each_step(columns: Columns) -> Columns:
    """Keep, of several points of one step, the one logged last. The columns are sorted by step."""
    if len(columns.step) < 2:
        return columns
    last = np.append(columns.step[1:] != columns.step[:-1], True)
    if bool(last.all()):
        return columns
    return columns.take(last)
