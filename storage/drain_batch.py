"""From what was read of a journal to what the Writer stores at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from .chunks import Columns
from .entries import EntryType
from .journal_read import Entry, Position, SeriesDefinition
from .kinds import KIND_OF, RawValue
from .write_journal import Batch
from .write_points import NewPoints
from .write_series import NewRecord

_UNKNOWN = "the journal does not say what series it is"


def make_batch(
    points_position: Position,
    values_position: Position,
    slots: NDArray[np.void],
    entries: Iterable[Entry],
    definitions: Mapping[int, SeriesDefinition],
) -> Batch:
    """Sort what lies before these positions, and encode the values; what cannot be stored is counted."""
    batch = Batch(points_position, values_position)
    _take_points(slots, definitions, batch)
    for entry in entries:
        _take_entry(entry, definitions, batch)
    return batch


def drop(batch: Batch, reason: str, count: int) -> None:
    """Count what is not stored."""
    batch.drops[reason] = batch.drops.get(reason, 0) + count


def _take_points(slots: NDArray[np.void], definitions: Mapping[int, SeriesDefinition], batch: Batch) -> None:
    known = _are_known(slots["series"], definitions)
    if not bool(known.all()):
        drop(batch, _UNKNOWN, len(known) - int(known.sum()))
        slots = slots[known]
    if len(slots):
        columns = Columns(*(np.ascontiguousarray(slots[name]) for name in ("step", "time", "value")))
        batch.points = NewPoints(np.ascontiguousarray(slots["series"]), columns, definitions)


def _are_known(numbers: NDArray[np.uint32], definitions: Mapping[int, SeriesDefinition]) -> NDArray[np.bool_]:
    # Numbers count from 1 on; a damaged slot may say any.
    beyond = max(definitions, default=0) + 1
    known = np.zeros(beyond + 1, np.bool_)
    known[list(definitions)] = True
    return known[np.minimum(numbers, beyond)]


def _take_entry(entry: Entry, definitions: Mapping[int, SeriesDefinition], batch: Batch) -> None:
    if entry.entry_type is EntryType.RUN:
        batch.changes.append(entry.meta)
    elif entry.entry_type is EntryType.DROPS:
        for reason, count in entry.meta.items():
            drop(batch, reason, count)
    elif entry.entry_type is EntryType.VALUE:
        _encode(entry, definitions.get(entry.series), batch)


def _encode(entry: Entry, definition: SeriesDefinition | None, batch: Batch) -> None:
    kind = None if definition is None else KIND_OF.get(definition.kind)
    if definition is None or kind is None:
        drop(batch, _UNKNOWN, 1)
        return
    try:
        encoded = kind.encode(RawValue(entry.meta, entry.data))
    except Exception as error:
        # Whatever it is: a value that is never stored must not keep back all that follow it.
        drop(batch, f"{definition.kind} could not be encoded: {error}"[:200], 1)
        return
    batch.records.append(NewRecord(definition, entry.step, entry.time, encoded))
