"""What a run says about itself, read back: alerts, console output, artifacts (see kinds/event.py).

Unlike values, events of an attempt stand when a newer one begins at an earlier step.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .blobs import get_blob
from .errors import StoreDamaged
from .journal_read import SeriesDefinition
from .kinds.event import ALERTS, KIND, decode
from .location import StoreLocation
from .model import Context
from .nested import mapping_of
from .read import Reader
from .read_runs import parts
from .schema import journals, records, runs, series
from .write_series import series_id_of

MOST_EVENTS = 10_000
"""How many are read at once, the newest."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What a run wanted people to notice."""

    run_id: str
    level: str
    """One of "info", "warning" and "error"."""
    title: str
    text: str
    step: int
    time: float
    """Seconds since the epoch, UTC."""
    attempt: int
    context: Context
    """Which rank gave it, or which series of a name it is about."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is stored."""

    run_id: str
    name: str
    context: Context
    step: int
    time: float
    attempt: int
    journal_no: int
    facts: dict[str, Any]
    text: str


def alerts_of(reader: Reader, run_ids: Sequence[str]) -> list[Alert]:
    """Return the alerts of some runs, oldest first. Raises StoreError."""
    return [
        Alert(
            run_id=event.run_id,
            level=str(event.facts.get("level", "warning")),
            title=str(event.facts.get("title", "")),
            text=event.text,
            step=event.step,
            time=event.time,
            attempt=event.attempt,
            context=event.facts.get("context", {}),
        )
        for event in events_of(reader, run_ids, ALERTS)
    ]


def count_alerts(reader: Reader, run_ids: Collection[str]) -> dict[str, int]:
    """Return run -> how many alerts, for those that have any. Raises StoreError."""
    column = records.c
    query = sa.select(column.run_id, sa.func.count()).group_by(column.run_id)
    rows: list[Any] = []
    for part in parts(list(run_ids)):
        # By the key alone: this is asked for each listing.
        chosen = query.where(column.run_id.in_(part), column.series_id == _ALERTS_ID)
        rows += reader.ask(lambda connection, chosen=chosen: connection.execute(chosen).all())
    return {run_id: int(count) for run_id, count in rows}


def events_of(reader: Reader, run_ids: Sequence[str], name: str) -> list[Event]:
    """Return the newest events of a name, oldest first; of all names that begin so if it ends in "/".

    Raises:
        StoreError: they cannot be read.
    """
    chosen = runs.c.run_id.in_(run_ids)
    return reader.ask(lambda connection: load_events(connection, reader.location, chosen, name))


def load_events(
    connection: sa.Connection, location: StoreLocation, chosen: sa.ColumnElement[bool], name: str
) -> list[Event]:
    """Return what `events_of` does, over a connection, of the runs that fit a condition."""
    named = series.c.name.startswith(name, autoescape=True) if name.endswith("/") else series.c.name == name
    query = (
        sa.select(records, series.c.name, series.c.context, journals.c.attempt)
        .join(series, _OF_SERIES)
        .join(journals, _OF_JOURNAL)
        .join(runs, runs.c.run_id == records.c.run_id)
        .where(chosen, series.c.kind == KIND.name, named)
        .order_by(records.c.time.desc(), records.c.journal_no.desc(), records.c.seq.desc())
        .limit(MOST_EVENTS)
    )
    return [_event(connection, location, row) for row in reversed(connection.execute(query).all())]


def _event(connection: sa.Connection, location: StoreLocation, row: Any) -> Event:
    data = row.payload
    if data is None and row.digest is not None:
        data = get_blob(connection, location, row.run_id, row.digest)
    if data is None:
        raise StoreDamaged(f"run {row.run_id}: an event of {row.name!r} has neither a value nor a blob")
    found = decode(mapping_of(row.meta), bytes(data))
    return Event(
        run_id=row.run_id,
        name=row.name,
        context=mapping_of(row.context),
        step=row.step,
        time=row.time,
        attempt=row.attempt,
        journal_no=row.journal_no,
        facts=dict(found.facts),
        text=found.text,
    )


_ALERTS_ID = series_id_of(SeriesDefinition(ALERTS, KIND.name, {}))
_OF_SERIES = (series.c.run_id == records.c.run_id) & (series.c.series_id == records.c.series_id)
_OF_JOURNAL = (journals.c.run_id == records.c.run_id) & (journals.c.journal_no == records.c.journal_no)
