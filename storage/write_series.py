"""How series and new records of a run reach their tables. Called by the Writer, in its transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .blobs import INLINE_BYTES, put_blob
from .journal_read import SeriesDefinition
from .journal_state import JournalState
from .kinds import KIND_OF, EncodedValue, Shape
from .location import StoreLocation
from .record_checksum import record_checksum
from .schema import records, series


class NewRecord(NamedTuple):
    """One encoded value."""

    definition: SeriesDefinition
    step: int
    time: float
    encoded: EncodedValue


def series_id_of(definition: SeriesDefinition) -> int:
    """Return the number of a series: 63 bits of a hash, the same in every process."""
    parts = [definition.kind, definition.name, sorted(definition.context.items())]
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def enter_series(
    connection: sa.Connection, state: JournalState, definitions: Sequence[SeriesDefinition]
) -> list[int]:
    """Make sure that each series has its row; return their places in the state."""
    ids = [series_id_of(definition) for definition in definitions]
    rows = [
        _series_row(state.run_id, series_id, definition)
        for series_id, definition in zip(ids, definitions, strict=True)
        if series_id not in state.totals.places
    ]
    if rows:
        connection.execute(_ENTER[connection.dialect.name], rows)
    return [state.place(series_id) for series_id in ids]


def store_records(
    connection: sa.Connection, location: StoreLocation, state: JournalState, new: Sequence[NewRecord]
) -> None:
    """Append records to their series; blobs are stored once within a run."""
    if not new:
        return
    rows: list[dict[str, Any]] = []
    for record, place in zip(new, _places(connection, state, new), strict=True):
        seq = state.next_seq.get(place, 0)
        state.next_seq[place] = seq + 1
        key = {**state.key, "series_id": int(state.totals.series_ids[place]), "seq": seq}
        rows.append({**key, **_record_row(connection, location, state.run_id, record)})
        state.totals.add_record(place, record.step, record.time)
    connection.execute(sa.insert(records), rows)


def _places(connection: sa.Connection, state: JournalState, new: Sequence[NewRecord]) -> list[int]:
    # A journal defines each series once, so the same definition is the same object.
    definitions = {id(record.definition): record.definition for record in new}
    places = enter_series(connection, state, list(definitions.values()))
    place_of = dict(zip(definitions, places, strict=True))
    return [place_of[id(record.definition)] for record in new]


def _record_row(
    connection: sa.Connection, location: StoreLocation, run_id: str, record: NewRecord
) -> dict[str, Any]:
    data = record.encoded.data
    as_blob = KIND_OF[record.definition.kind].shape is Shape.BLOB or len(data) > INLINE_BYTES
    meta, payload = json.dumps(record.encoded.meta), None if as_blob else data
    digest = put_blob(connection, location, run_id, data) if as_blob else None
    return {
        "step": record.step,
        "time": record.time,
        "meta": meta,
        "payload": payload,
        "digest": digest,
        "checksum": record_checksum(record.step, record.time, meta, payload, digest),
    }


def _series_row(run_id: str, series_id: int, definition: SeriesDefinition) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "series_id": series_id,
        "name": definition.name,
        "kind": definition.kind,
        "context": json.dumps(definition.context, sort_keys=True),
    }


_ENTER = {
    "postgresql": postgresql.insert(series).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(series).on_conflict_do_nothing(),
}
