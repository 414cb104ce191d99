"""Verification of one run: every point, record and blob is read, and compared with what is told about it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa

from . import pyramid as levels
from .blobs import get_blob
from .chunks import CHUNK_POINTS, Columns, unpack
from .content import Stream, in_chunks, points_in_chunks, points_in_tails, stored_chunks
from .errors import StoreDamaged
from .faults import FROM_BACKUP, Fault, difference, is_json, same_entries
from .kinds import KIND_OF
from .location import StoreLocation
from .model import RunState, label_of
from .record_checksum import is_as_stored
from .schema import blobs, drops, journals, metadata, pyramid, records, runs, series, totals
from .totals import TOTAL, JournalTotals

_ROWS_AT_ONCE = 64


@dataclass(slots=True)
class RunChecks:
    """How much was looked at."""

    series: int = 0
    points: int = 0
    records: int = 0
    blobs: int = 0


def check_run(
    connection: sa.Connection, location: StoreLocation, run_id: str, checks: RunChecks
) -> list[Fault]:
    """Look at everything that a run holds, and count it in `checks`. Raises StoreError."""
    return _RunCheck(connection, location, run_id, checks).faults()


@dataclass(slots=True)
class _RunCheck:
    connection: sa.Connection
    location: StoreLocation
    run_id: str
    checks: RunChecks
    labels: dict[int, str] = field(default_factory=dict[int, str])
    kinds: dict[int, str] = field(default_factory=dict[int, str])
    unreadable: set[Stream] = field(default_factory=set[Stream])
    """Streams of which something is lost: what is told about them cannot agree, and says nothing new."""
    counted: dict[int, JournalTotals] = field(default_factory=dict[int, JournalTotals])
    """By journal: the totals of what was found."""

    def faults(self) -> list[Fault]:
        """Run all checks."""
        return [
            *self._facts(),
            *self._points(),
            *self._records(),
            *self._totals(),
            *self._blobs(),
            *self._journals(),
        ]

    def _facts(self) -> Iterator[Fault]:
        row = self.connection.execute(sa.select(runs).where(runs.c.run_id == self.run_id)).one()
        for column in ("config", "summary", "environment"):
            if not is_json(getattr(row, column)):
                yield self._fault(f"its {column}", "is not JSON", "It is shown as empty")
        if row.state not in set(RunState):
            yield self._fault("its state", f"is {row.state!r}", "It is shown as killed")
        for row in self.connection.execute(sa.select(series).where(series.c.run_id == self.run_id)):
            self.checks.series += 1
            context: dict[str, str | int] = json.loads(row.context) if is_json(row.context) else {}
            self.labels[row.series_id] = label_of(row.name, context)
            self.kinds[row.series_id] = row.kind

    def _points(self) -> Iterator[Fault]:
        told = points_in_chunks(self.connection, self.run_id)
        found: set[Stream] = set()
        chunks = stored_chunks(self.connection, self.run_id)
        for stream, group in itertools.groupby(chunks, key=lambda chunk: chunk.stream):
            found.add(stream)
            yield from self._stream(stream, told.get(stream, (0, [])), group)
        for stream in told.keys() - found:
            if in_chunks(*told[stream]):
                yield self._lost(stream, "all its chunks are missing")
        stored = {stream: in_chunks(*sizes) for stream, sizes in told.items()}
        try:
            for stream, columns in points_in_tails(self.connection, self.run_id, stored):
                self._count(stream, columns)
        except StoreDamaged as error:
            yield self._fault("its newest points", str(error), FROM_BACKUP)
            self.unreadable |= {
                (number, journal) for number in self.labels for journal in self._journal_numbers()
            }

    def _stream(self, stream: Stream, told: tuple[int, list[int]], group: Iterator[Any]) -> Iterator[Fault]:
        full, parts = told
        sizes = dict.fromkeys(range(full), CHUNK_POINTS) | {
            full + place: size for place, size in enumerate(parts)
        }
        entries: list[levels.Entries] = []
        for chunk in group:
            size = sizes.pop(chunk.chunk_no, None)
            try:
                columns = unpack(chunk.data)
            except StoreDamaged as error:
                yield self._lost(stream, f"chunk {chunk.chunk_no} cannot be read: {error}")
                continue
            if size != len(columns.step):
                told_size = "no points" if size is None else f"{size} points"
                found = f"chunk {chunk.chunk_no} holds {len(columns.step)} points where {told_size} belong"
                yield self._lost(stream, found)
            self._count(stream, columns)
            if chunk.chunk_no < full and len(columns.step) == CHUNK_POINTS:
                entries.append(levels.of_chunks(columns))
        for number in sorted(sizes):
            yield self._lost(stream, f"chunk {number} is missing")
        if stream not in self.unreadable:
            yield from self._pyramid(stream, full, entries)

    def _pyramid(self, stream: Stream, full: int, entries: list[levels.Entries]) -> Iterator[Fault]:
        expected = np.concatenate(entries) if entries else np.empty(0, levels.ENTRY)
        column = pyramid.c
        for level in range(levels.LEVELS):
            mine = (column.run_id == self.run_id, column.series_id == stream[0])
            mine = (*mine, column.journal_no == stream[1], column.level == level)
            query = sa.select(column.data).where(*mine).order_by(column.node_no)
            try:
                found = levels.decode(list(self.connection.execute(query).scalars()))
            except StoreDamaged as error:
                yield self._derived(stream, f"level {level} of its pyramid cannot be read: {error}")
                return
            if not same_entries(found, expected):
                yield self._derived(stream, f"level {level} of its pyramid does not agree with its points")
                return
            count = levels.entries_at(level + 1, full)
            starts = np.arange(0, count * levels.FAN_OUT, levels.FAN_OUT)
            expected = levels.combine(expected[: count * levels.FAN_OUT], starts)

    def _records(self) -> Iterator[Fault]:
        column = records.c
        named = sa.select(blobs.c.digest).where(blobs.c.run_id == self.run_id)
        digests = set(self.connection.execute(named).scalars())
        query = sa.select(records).where(column.run_id == self.run_id)
        query = query.order_by(column.series_id, column.journal_no, column.seq)
        expected: dict[Stream, int] = {}
        for row in self.connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
            stream = (row.series_id, row.journal_no)
            seq = expected.get(stream, 0)
            if row.seq != seq:
                yield self._lost(stream, f"its records {seq} to {row.seq - 1} are missing")
            expected[stream] = row.seq + 1
            wrong = self._record(row, digests)
            if wrong:
                yield self._lost(stream, f"its record of step {row.step} {wrong}")
            self.checks.records += 1
            totals = self._totals_of(row.journal_no)
            totals.add_record(totals.enter(row.series_id), row.step, row.time)

    def _record(self, row: Any, digests: set[str]) -> str:
        """Return what is wrong with a record, in words; nothing for a sound one."""
        kind = KIND_OF.get(self.kinds.get(row.series_id, ""))
        if not is_json(row.meta):
            return "has facts that are not JSON"
        if row.digest is not None and row.digest not in digests:
            return f"names the blob {row.digest}, which is missing"
        if row.digest is None and row.payload is None:
            return "has neither a value nor a blob"
        if not is_as_stored(row):
            return "is not what was stored: its checksum differs"
        try:
            if kind is not None and row.payload is not None:
                kind.decode(json.loads(row.meta), bytes(row.payload))
        except StoreDamaged as error:
            return f"cannot be read: {error}"
        return ""

    def _totals(self) -> Iterator[Fault]:
        query = sa.select(totals).where(totals.c.run_id == self.run_id)
        told: dict[Stream, Any] = {}
        for row in self.connection.execute(query):
            if len(row.data) % TOTAL.itemsize:
                yield self._fault(
                    f"the totals of its journal {row.journal_no}", "were cut short", FROM_BACKUP
                )
                continue
            for one in np.frombuffer(row.data, TOTAL):
                told[int(one["series_id"]), row.journal_no] = one
        found = {
            (int(one["series_id"]), journal_no): one
            for journal_no, counted in self.counted.items()
            for one in np.frombuffer(b"".join(data for _, data in counted.take_changed()), TOTAL)
        }
        nameless = {stream for stream in found if stream[0] not in self.labels}
        for stream in sorted(nameless):
            yield self._lost(stream, "has no row in the table series: nobody knows its name")
        for stream in sorted(told.keys() | found.keys()):
            if stream in self.unreadable:
                continue
            wrong = difference(told.get(stream), found.get(stream))
            if wrong:
                yield self._derived(stream, wrong)

    def _blobs(self) -> Iterator[Fault]:
        query = sa.select(blobs.c.digest, blobs.c.size, blobs.c.data.is_(None).label("outside"))
        for row in self.connection.execute(query.where(blobs.c.run_id == self.run_id)).all():
            self.checks.blobs += 1
            where = f"blob {row.digest}"
            if row.outside and self.location.files is not None:
                path = self.location.files / self.run_id / row.digest
                where = f"the file {path}"
                if not path.is_file():
                    yield self._fault(where, "is missing", FROM_BACKUP)
                    continue
            try:
                size = len(get_blob(self.connection, self.location, self.run_id, row.digest))
            except StoreDamaged:
                yield self._fault(where, "does not hold the bytes that were stored", FROM_BACKUP)
                continue
            if size != row.size:
                yield self._fault(where, f"has {size} bytes, but {row.size} are told", FROM_BACKUP)

    def _journals(self) -> Iterator[Fault]:
        known = self._journal_numbers()
        for table in metadata.sorted_tables:
            if "journal_no" not in table.c or table is journals or table is drops:
                continue
            query = sa.select(table.c.journal_no).where(table.c.run_id == self.run_id).distinct()
            for number in sorted(set(self.connection.execute(query).scalars()) - known):
                what = f"has no journal {number}, whose rows lie in the table {table.name}"
                yield self._fault("it", what, FROM_BACKUP)

    def _journal_numbers(self) -> set[int]:
        query = sa.select(journals.c.journal_no).where(journals.c.run_id == self.run_id)
        return set(self.connection.execute(query).scalars())

    def _totals_of(self, journal_no: int) -> JournalTotals:
        return self.counted.setdefault(journal_no, JournalTotals())

    def _count(self, stream: Stream, columns: Columns) -> None:
        if not len(columns.step):
            return
        self.checks.points += len(columns.step)
        counted = self._totals_of(stream[1])
        counted.add_points(np.array([counted.enter(stream[0])]), columns, np.zeros(1, np.intp))

    def _lost(self, stream: Stream, what: str) -> Fault:
        self.unreadable.add(stream)
        return self._fault(self._label(stream), what, FROM_BACKUP)

    def _derived(self, stream: Stream, what: str) -> Fault:
        advice = "Lists and charts of it may be wrong. " + FROM_BACKUP
        return self._fault(self._label(stream), what, advice)

    def _label(self, stream: Stream) -> str:
        return f"series {self.labels.get(stream[0], f'number {stream[0]}')!r}"

    def _fault(self, where: str, what: str, advice: str) -> Fault:
        return Fault(f"run {self.run_id}, {where}", what, advice, self.run_id)
