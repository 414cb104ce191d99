"""How many records series have of one step."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from .model import Series
from .read_runs import parts
from .schema import records


def most_a_step(connection: sa.Connection, series: Sequence[Series]) -> dict[tuple[str, int], int]:
    """Return (run_id, series_id) -> the most records that one attempt's process logged at a step.

    Args:
        connection: with a transaction.
        series: of any kind but scalar; those without records are left out.
    """
    of_name: dict[int, list[str]] = {}
    for one in series:
        # A series has the same number in every run.
        of_name.setdefault(one.series_id, []).append(one.run_id)
    found: dict[tuple[str, int], int] = {}
    for series_id, run_ids in of_name.items():
        for part in parts(run_ids):
            for run_id, most in connection.execute(_MOST, {"s": series_id, "runs": part}):
                found[run_id, series_id] = most
    return found


_COUNTED = (
    sa.select(records.c.run_id, sa.func.count().label("n"))
    .where(records.c.series_id == sa.bindparam("s"))
    .where(records.c.run_id.in_(sa.bindparam("runs", expanding=True)))
    .group_by(records.c.run_id, records.c.journal_no, records.c.step)
    .subquery()
)
_MOST = sa.select(_COUNTED.c.run_id, sa.func.max(_COUNTED.c.n)).group_by(_COUNTED.c.run_id)
