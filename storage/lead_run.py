"""Entering a run that several processes write, of which any may come first."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from .model import Run
from .schema import runs
from .write import Writer
from .write_run import apply_change, insert_run

_FACTS = ("name", "group", "notes", "config", "tags")


def lead_run(writer: Writer, run: Run) -> Run | None:
    """Store a run; when another process has entered it with `pid` 0, say instead what it is.

    Returns:
        The run as it is stored; None when another process leads it already.

    Raises:
        StoreError: nothing was stored.
    """

    def work(connection: sa.Connection) -> Run | None:
        if connection.dialect.name == "postgresql":
            # Two that claim one run at once take turns; in SQLite they do so anyway.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(run.run_id))))
        ours = runs.c.run_id == run.run_id
        row = connection.execute(sa.select(runs.c.name, runs.c.pid).where(ours)).first()
        if row is None:
            return replace(run, name=insert_run(connection, run))
        if row.pid:
            return None
        named = replace(run, name=run.name or row.name)
        claimed = {"pid": run.pid, "host": run.host, "created_at": run.created_at}
        connection.execute(sa.update(runs).where(ours).values(claimed))
        apply_change(connection, run.run_id, {fact: getattr(named, fact) for fact in _FACTS})
        return named

    return writer.transact(work)
