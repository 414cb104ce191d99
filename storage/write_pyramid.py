"""How the pyramid grows by the entries of new chunks. Called by the Writer, in its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sqlalchemy as sa

from . import pyramid as levels
from .journal_state import JournalState
from .schema import pyramid
from .upsert import upsert


def append_entries(
    connection: sa.Connection, state: JournalState, new: Mapping[int, tuple[int, levels.Entries]]
) -> None:
    """Grow the pyramid by the entries of level 0 of new chunks: by place, after how many full ones."""
    ids = state.totals.series_ids
    rows: list[dict[str, Any]] = []
    for place, (before, fresh) in new.items():
        series_id, after = int(ids[place]), before + len(fresh) // levels.FAN_OUT
        old = _last_nodes(connection, state, series_id, before)
        for level in range(levels.LEVELS):
            have = levels.entries_at(level, before)
            node = have // levels.NODE_ENTRIES
            base = node * levels.NODE_ENTRIES
            if not len(fresh):
                break
            entries = np.concatenate([old[level], fresh]) if have > base else fresh
            for start in range(0, len(entries), levels.NODE_ENTRIES):
                part = entries[start : start + levels.NODE_ENTRIES]
                place_of = {"series_id": series_id, "level": level, "node_no": node}
                rows.append({**state.key, **place_of, "data": levels.encode(part)})
                node += 1
            first = levels.entries_at(level + 1, before) * levels.FAN_OUT - base
            last = levels.entries_at(level + 1, after) * levels.FAN_OUT - base
            fresh = levels.combine(entries[first:last], np.arange(0, last - first, levels.FAN_OUT))
    if rows:
        connection.execute(upsert(connection, pyramid), rows)


def _last_nodes(
    connection: sa.Connection, state: JournalState, series_id: int, before: int
) -> dict[int, levels.Entries]:
    """Return the last node of each level that is not full, of a series with that many full chunks."""
    if not before:
        return {}
    key = {"r": state.run_id, "s": series_id, "j": state.journal_no}
    key |= {
        f"node_{level}": levels.entries_at(level, before) // levels.NODE_ENTRIES
        for level in range(levels.LEVELS)
    }
    return {level: levels.decode([data]) for level, data in connection.execute(_LAST_NODES, key)}


# Not one query with OR: SQLite would read all that the series has.
_LAST_NODES = sa.union_all(
    *(
        sa.select(pyramid.c.level, pyramid.c.data)
        .where(pyramid.c.run_id == sa.bindparam("r"), pyramid.c.series_id == sa.bindparam("s"))
        .where(pyramid.c.journal_no == sa.bindparam("j"), pyramid.c.level == level)
        .where(pyramid.c.node_no == sa.bindparam(f"node_{level}"))
        for level in range(levels.LEVELS)
    )
)
