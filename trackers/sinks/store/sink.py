"""A store as the place that runs of other programs are imported into: every piece exactly once.

How far a part of a run was stored is committed together with what was read of it. So an import that is
repeated, or that was killed, goes on where the last commit ended.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ....storage.chunks import Columns
from ....storage.errors import BadInput, StoreError
from ....storage.import_run import (
    ImportedRun,
    PartName,
    enter_run,
    imported_run,
    note_facts,
    open_part,
    place_of,
)
from ....storage.journal_read import Position, SeriesDefinition
from ....storage.model import Run, RunState
from ....storage.write import JournalCursor, Writer
from ....storage.write_artifacts import hashed
from ....storage.write_journal import Batch
from ....storage.write_points import NewPoints
from ...run_id import CROCKFORD, ID_LENGTH
from ...sources.base import PIECE_BYTES, FoundRun, Part, Piece
from .artifacts import artifact_record

_COMMIT_POINTS = 1 << 19
"""How many points are stored at once: of many series, more at once cost less. They are 24 bytes each."""
_COMMIT_BYTES = 2 * PIECE_BYTES
"""The same of other values."""
_COMMIT_SECONDS = 2.0
"""How long what was read waits for more, at most."""
_FACTS = (
    *("name", "group", "tags", "notes", "state", "finished_at", "error", "archived_at", "framework"),
    *("config", "summary", "environment", "updated_at"),
)
LOST = "damage in what was imported"
"""What is counted as dropped for each sentence about something damaged."""


class StoreSink:
    """Writes what sources find into one store."""

    def __init__(self, writer: Writer, source: str, project: str | None = None) -> None:
        """Take runs of the source of that name; `project` is where new ones go, wherever they were."""
        self._writer = writer
        self._source = source
        self._project = project

    def open_run(self, found: FoundRun) -> ImportingRun:
        """Return the place of a run. Raises BadInput: the store has a run of that id from elsewhere."""
        origin = _digest(f"{self._source}\n{found.key}").hex()
        run_id = found.run.run_id or _run_id(f"{self._source}\n{found.key}")
        known = imported_run(self._writer, run_id)
        if known is not None and origin not in known.origins:
            raise BadInput(_elsewhere(found, run_id, known))
        project = self._project or found.run.project or "default"
        environment = {**found.run.environment, "imported": f"{self._source}: {found.key}"}
        run = replace(found.run, run_id=run_id, project=project, environment=environment)
        return ImportingRun(self._writer, run, origin, known)


class ImportingRun:
    """One run that is being imported; it is entered as soon as there is something to store."""

    def __init__(self, writer: Writer, run: Run, origin: str, known: ImportedRun | None) -> None:
        self._writer = writer
        self._origin = origin
        self._positions: Mapping[str, int] = {} if known is None else known.positions
        self._facts: Mapping[str, str] = {} if known is None else known.facts
        self._said = _said(run)
        self._was_there = known is not None
        self.run = run
        self.entered = self._was_there

    def position(self, part: Part) -> int:
        """Return how far a part is stored."""
        return self._positions.get(str(self._name(part)), 0)

    def open_part(self, part: Part) -> ImportingPart:
        """Return the place of a part."""
        return ImportingPart(self._writer, self, part, self._name(part), self.position(part))

    def _name(self, part: Part) -> PartName:
        return PartName(self._origin, part.name, _digest(part.edition).hex() if part.edition else "-")

    def enter(self, began: float | None = None) -> None:
        """Enter the run, if it is not there; `began` is when it did, where the source does not know."""
        if self.entered:
            return
        run = self.run
        created = run.created_at or began or 0.0
        updated = max(run.updated_at, created, run.finished_at or 0.0)
        ended = None if run.state is RunState.RUNNING else run.finished_at or updated
        self.run = replace(run, created_at=created, updated_at=updated, finished_at=ended)
        enter_run(self._writer, self.run, self._origin)
        note_facts(self._writer, run.run_id, self._origin, self._said, {}, updated)
        self.entered = True

    def update(self) -> bool:
        """Change what the source changed, where the run was there before; return whether it did."""
        changed = {name: getattr(self.run, name) for name in self._said if self._changed(name)}
        if not (self._was_there and changed):
            return False
        at = max(self.run.updated_at, self.run.finished_at or 0.0)
        note_facts(self._writer, self.run.run_id, self._origin, self._said, changed, at)
        return True

    def _changed(self, name: str) -> bool:
        # A name that the source does not give was made here.
        return self._said[name] != self._facts.get(name) and (name != "name" or bool(self.run.name))


@dataclass(slots=True)
class _Waiting:
    """What was read and not stored yet."""

    points: list[tuple[int, Columns]] = field(default_factory=list[tuple[int, Columns]])
    count: int = 0
    size: int = 0
    batch: Batch = field(default_factory=lambda: Batch(Position(), Position()))
    since: float = field(default_factory=time.monotonic)

    def is_enough(self) -> bool:
        """Whether it is time to store it."""
        much = self.count >= _COMMIT_POINTS or self.size >= _COMMIT_BYTES
        return much or time.monotonic() - self.since > _COMMIT_SECONDS


class ImportingPart:
    """One part that is being imported: takes pieces, and stores them when there are enough."""

    def __init__(self, writer: Writer, run: ImportingRun, part: Part, name: PartName, position: int) -> None:
        self._writer = writer
        self._run = run
        self._part = part
        self._name = name
        self._numbers: dict[Any, int] = {}
        self._definitions: dict[int, SeriesDefinition] = {}
        self._cursor: JournalCursor | None = None
        self._waiting = _Waiting()
        self._stored_to = position
        self.position = position
        """How far the part was read."""

    def write(self, piece: Piece) -> list[str]:
        """Take what was read next; return what could not be taken, in sentences.

        Raises:
            StoreError: the store cannot be written.
            RunNotFound: the run was deleted.
        """
        waiting, batch = self._waiting, self._waiting.batch
        refused = self._take_artifacts(piece)
        for definition, columns in piece.points:
            if len(columns.step):
                waiting.points.append((self._number(definition), columns))
                waiting.count += len(columns.step)
        batch.records += piece.records
        batch.changes += piece.changes
        waiting.size += sum(len(record.encoded.data) for record in piece.records)
        if piece.position != self.position:
            # What is told without getting on, such as a file that ends too early, may still come.
            self._count_lost(len(piece.problems) + len(refused))
        self.position = piece.position
        if waiting.is_enough() or piece.artifacts:
            self.flush()
        return refused

    def flush(self) -> None:
        """Store what was taken. Raises as `write` does."""
        waiting, batch = self._waiting, self._waiting.batch
        if not (waiting.points or batch.records or batch.changes) and self.position == self._stored_to:
            return
        times = [edge for _, one in waiting.points for edge in (one.time.min(), one.time.max())]
        times = [*map(float, times), *(one.time for one in batch.records)]
        batch.points = self._joined(waiting.points)
        batch.points_position = place_of(self.position)
        batch.newest = max(times, default=0.0)
        hashed(self._writer.location, self._run.run.run_id, batch)
        self._run.enter(self._part.started_at or min(times, default=None))
        self._commit(batch)
        self._waiting, self._stored_to = _Waiting(), self.position

    def close(self) -> tuple[str, int] | None:
        """Store the rest; return the run and the journal where anything was stored, for Writer.seal."""
        self.flush()
        return None if self._cursor is None else (self._cursor.run_id, self._cursor.journal_no)

    def _take_artifacts(self, piece: Piece) -> list[str]:
        refused: list[str] = []
        for found in piece.artifacts:
            try:
                record = artifact_record(self._writer.location, self._run.run.run_id, found)
                self._waiting.batch.records.append(record)
            except (BadInput, OSError) as error:
                refused.append(f"the artifact {found.name} of {self._part.name} was left out: {error}")
        return refused

    def _count_lost(self, count: int) -> None:
        if count:
            drops = self._waiting.batch.drops
            drops[LOST] = drops.get(LOST, 0) + count

    def _number(self, definition: SeriesDefinition) -> int:
        key = (definition.kind, definition.name, *sorted(definition.context.items()))
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        self._definitions.setdefault(number, definition)
        return number

    def _joined(self, points: Sequence[tuple[int, Columns]]) -> NewPoints | None:
        if not points:
            return None
        numbers = np.array([number for number, _ in points], np.uint32)
        counts = [len(columns.step) for _, columns in points]
        together = Columns.join([columns for _, columns in points])
        return NewPoints(np.repeat(numbers, counts), together, self._definitions)

    def _commit(self, batch: Batch) -> None:
        cursor = self._cursor or self._open()
        try:
            self._writer.commit(cursor, batch)
        except StoreError:
            # Somebody may have merged the part's chunks meanwhile; if that was all, it can be stored.
            cursor = self._open()
            self._writer.commit(cursor, batch)
        self._cursor = cursor

    def _open(self) -> JournalCursor:
        run, part = self._run.run, self._part
        started = (part.started_at or run.created_at, part.host or run.host, part.pid or run.pid)
        cursor = open_part(self._writer, run.run_id, self._name, part.attempt, started)
        if cursor.points_position != place_of(self._stored_to):
            raise StoreError(
                f"{part.name} of run {run.run_id} was imported by another process meanwhile. "
                f"Nothing is stored twice; import it again to go on."
            )
        return cursor


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _run_id(text: str) -> str:
    number = int.from_bytes(_digest(text), "big")
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in range(ID_LENGTH))


def _said(run: Run) -> dict[str, str]:
    """Return a digest of each fact that a source may change."""
    return {name: _digest(json.dumps(getattr(run, name), default=str)).hex() for name in _FACTS}


def _elsewhere(found: FoundRun, run_id: str, known: ImportedRun) -> str:
    where = "from another place" if known.origins else "as it was recorded"
    return (
        f"run {run_id} ({found.run.name or found.key}) is in this store already, {where}: it is left as it "
        f"is. To have it from here instead, delete it first: stepscope rm {run_id}"
    )
