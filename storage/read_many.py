"""Short series of many runs at once: what a chart of thousands of lines needs, in a few queries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from .chunks import Columns, shown, unpack
from .model import Series
from .read_runs import parts
from .schema import chunks, journals, streams, tails


def short_series(connection: sa.Connection, series: Sequence[Series]) -> dict[tuple[str, int], Columns]:
    """Return (run_id, series_id) -> all points, sorted by step, of those that are short and complete.

    The others, of several journals, of more points than a chunk holds or growing ones, are left out: they are
    for `read_points`, one by one.

    Args:
        connection: with a transaction.
        series: of kind "scalar".

    Raises:
        StoreDamaged: a chunk cannot be read.
    """
    of_name: dict[int, list[str]] = {}
    for one in series:
        # A series has the same number in every run.
        of_name.setdefault(one.series_id, []).append(one.run_id)
    found: dict[tuple[str, int], Columns] = {}
    for series_id, run_ids in of_name.items():
        for part in parts(run_ids):
            short = _short(connection, series_id, part)
            found |= {(run_id, series_id): columns for run_id, columns in short.items()}
    return found


def _short(connection: sa.Connection, series_id: int, run_ids: Sequence[str]) -> dict[str, Columns]:
    """Return the points of the runs whose only journal has them in a few chunks, none of them full."""
    asked = {"s": series_id, "runs": run_ids}
    open_runs = set(connection.execute(_WITH_TAILS, {"runs": run_ids}).scalars())
    sizes: dict[str, list[int]] = {}
    several: set[str] = set()
    for run_id, full_chunks, text in connection.execute(_STREAMS, asked):
        several |= {run_id} if run_id in sizes or full_chunks else set()
        sizes[run_id] = json.loads(text or "[]")
    wanted = [run_id for run_id in sizes if run_id not in several | open_runs]
    pieces: dict[str, list[bytes]] = {}
    for run_id, data in connection.execute(_CHUNKS, {"s": series_id, "runs": wanted}):
        pieces.setdefault(run_id, []).append(data)
    return _whole(sizes, pieces)


def _whole(sizes: Mapping[str, Sequence[int]], pieces: Mapping[str, list[bytes]]) -> dict[str, Columns]:
    """Return the points that are all there; what lacks some is left to those who can say so."""
    found = {run_id: unpack(*data) for run_id, data in pieces.items() if len(data) == len(sizes[run_id])}
    return {run_id: shown(columns) for run_id, columns in found.items()}


_RUNS: sa.BindParameter[str] = sa.bindparam("runs", expanding=True)
_WITH_TAILS = sa.select(tails.c.run_id).where(tails.c.run_id.in_(_RUNS)).distinct()
_STREAMS = (
    sa.select(journals.c.run_id, streams.c.full_chunks, streams.c.parts)
    .outerjoin(
        streams,
        (streams.c.run_id == journals.c.run_id)
        & (streams.c.series_id == sa.bindparam("s"))
        & (streams.c.journal_no == journals.c.journal_no),
    )
    .where(journals.c.run_id.in_(_RUNS))
)
_CHUNKS = (
    sa.select(chunks.c.run_id, chunks.c.data)
    .where(chunks.c.series_id == sa.bindparam("s"), chunks.c.run_id.in_(_RUNS))
    .order_by(chunks.c.run_id, chunks.c.journal_no, chunks.c.chunk_no)
)
