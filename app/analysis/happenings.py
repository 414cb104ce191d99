"""What happened in a run beside its numbers: its alerts, and the texts that it logged as notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...storage.errors import StoreDamaged
from ...storage.events import alerts_of
from ...storage.kinds.text import TextData
from ...storage.model import Series
from ...storage.read import Reader

NOTES = "notes"
"""Texts of this name, and of names below it such as "notes/data", are notes."""
NOTES_A_SERIES = 50
LONGEST = 300
"""Characters of a note that are kept."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An alert or a note."""

    run_id: str
    kind: str
    """"info", "warning" or "error" of an alert; "note"."""
    text: str
    step: int
    time: float
    """Seconds since the epoch, UTC."""


def happenings(reader: Reader, run_ids: Sequence[str]) -> list[Happening]:
    """Return the alerts and notes of some runs. Raises StoreError."""
    alerts = [
        Happening(one.run_id, one.level, ": ".join(filter(None, [one.title, one.text])), one.step, one.time)
        for one in alerts_of(reader, run_ids)
    ]
    texts = reader.series(run_ids, kind="text")
    named = [one for one in texts if one.name == NOTES or one.name.startswith(f"{NOTES}/")]
    return alerts + [note for one in named for note in _notes(reader, one)]


def _notes(reader: Reader, one: Series) -> list[Happening]:
    records = reader.records(one, max_records=NOTES_A_SERIES)
    found: list[Happening] = []
    for record in records:
        try:
            value: TextData = reader.load(one, record)
            text = value.text[:LONGEST]
        except StoreDamaged:
            # Where it was, is known; the Media page says what is wrong with it.
            text = "a note that cannot be read"
        found.append(Happening(one.run_id, "note", text, record.step, record.time))
    return found
