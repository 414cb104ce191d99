"""What tells whether anything changed that somebody looks at: a text, read in a millisecond."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import sqlalchemy as sa

from .model import RunState
from .read import Reader
from .read_runs import state_now
from .schema import runs

ALL = "*"
"""Follows every run."""

_QUERY = sa.select(runs.c.run_id, runs.c.name, runs.c.state, runs.c.updated_at, runs.c.archived_at).order_by(
    runs.c.run_id
)


def mark_of(reader: Reader, follow: Collection[str]) -> str:
    """Return a text that changes when a run comes, goes, changes its state or is edited.

    Args:
        reader: of the store.
        follow: ids of runs; the text also changes when one of them logs anything. `ALL` among them stands
            for all runs.

    Raises:
        StoreError: the store cannot be read.
    """
    digest = hashlib.blake2b(digest_size=8)
    for row in reader.ask(lambda connection: connection.execute(_QUERY).all()):
        state = state_now(row.state, row.updated_at)
        # What runs is written all the time: only who follows it wants to know.
        followed = state is not RunState.RUNNING or ALL in follow or row.run_id in follow
        told = (row.run_id, row.name, state, row.archived_at, row.updated_at if followed else 0)
        digest.update(repr(told).encode())
    return digest.hexdigest()
