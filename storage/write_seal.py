"""The end of a journal: what it stored becomes as few chunks as can be."""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa

from .journal_state import JournalState, load_state, read_tails
from .schema import journals
from .write_points import drop_stored_tails, store_chunks

_SERIES_AT_ONCE = 2000
"""How many series are merged in one transaction."""


class Sealing:
    """Merges the tails and parts of one journal, a short transaction at a time."""

    def __init__(self, run_id: str, journal_no: int) -> None:
        self._mine = (journals.c.run_id == run_id) & (journals.c.journal_no == journal_no)
        self._run_id, self._journal_no = run_id, journal_no
        self._state: JournalState | None = None
        self._left_at: list[int] = []

    def step(self, connection: sa.Connection) -> bool:
        """Merge what some series have; return whether there are more."""
        state = self._current(connection)
        split = [place for place, parts in state.parts.items() if len(parts) > 1]
        unsealed = np.union1d(np.flatnonzero(state.waiting()), np.array(split, np.int64))
        if len(unsealed):
            old = read_tails(connection, state)
            store_chunks(connection, state, old, unsealed[:_SERIES_AT_ONCE], whole=True)
            drop_stored_tails(connection, state, old)
        return len(unsealed) > _SERIES_AT_ONCE

    def _current(self, connection: sa.Connection) -> JournalState:
        """Return the journal's state, and say that it changes: whoever writes it after all asks anew."""
        # Written before it is read: from then on the row is locked.
        connection.execute(sa.update(journals).where(self._mine).values(edition=journals.c.edition + 1))
        edition, *places = connection.execute(sa.select(*_MOVING).where(self._mine)).first() or (0,)
        # Between two transactions somebody may have written who asked anew.
        if self._state is None or [edition, *places] != [self._left_at[0] + 1, *self._left_at[1:]]:
            self._state = load_state(connection, self._run_id, self._journal_no)
        self._left_at = [edition, *places]
        return self._state


_MOVING = [
    journals.c[name]
    for name in ("edition", "points_segment", "points_offset", "values_segment", "values_offset")
]
"""What changes whenever the journal is written."""
