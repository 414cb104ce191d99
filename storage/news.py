"""What a series got since somebody looked, for those who follow a run that is still written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from .model import Series
from .read import Reader
from .read_points import steps_since
from .schema import records


@dataclass(frozen=True, slots=True)
class News:
    """The values of a series that were not seen before."""

    first_step: int
    """The smallest of their steps: what was seen from there on may have been replaced."""
    last_step: int
    """The largest."""
    seen: Mapping[int, int]
    """Journal -> how many of its values are seen with these."""


def news_of(reader: Reader, series: Series, seen: Mapping[int, int]) -> News | None:
    """Return what is new in a series, None when nothing is.

    Args:
        reader: of the store.
        series: of any kind.
        seen: what the last news said; empty at first.

    Raises:
        StoreError: it cannot be read.
    """

    def work(connection: sa.Connection) -> News | None:
        if series.kind == "scalar":
            steps, now = steps_since(connection, series, seen)
        else:
            steps, now = _record_steps_since(connection, series, seen)
        return None if steps is None else News(*steps, now)

    return reader.ask(work)


def _record_steps_since(
    connection: sa.Connection, series: Series, seen: Mapping[int, int]
) -> tuple[tuple[int, int] | None, dict[int, int]]:
    """Return what `read_points.steps_since` does, of records: a journal counts those of a series from 0."""
    ours = (records.c.run_id == series.run_id) & (records.c.series_id == series.series_id)
    last = sa.select(records.c.journal_no, sa.func.max(records.c.seq)).where(ours)
    now = {
        journal_no: seq + 1
        for journal_no, seq in connection.execute(last.group_by(records.c.journal_no)).all()
    }
    steps: list[int] = []
    for journal_no, count in now.items():
        if count > seen.get(journal_no, 0):
            new = (records.c.journal_no == journal_no) & (records.c.seq >= seen.get(journal_no, 0))
            ends = sa.select(sa.func.min(records.c.step), sa.func.max(records.c.step)).where(ours, new)
            steps += connection.execute(ends).one()
    return ((min(steps), max(steps)) if steps else None), now
