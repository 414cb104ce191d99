"""Verification: is everything that the store says it holds there, and is it what was stored?

Only reads, also while others log. What is found is told as faults, one sentence each: what, where, and what
to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from .compact import lost_files, lost_rows
from .errors import StoreDamaged
from .faults import FROM_BACKUP, Fault
from .journal_read import JournalReader, Position
from .maintain import journals_of
from .read import Reader
from .schema import runs
from .segments import list_segments
from .verify_run import RunChecks, check_run

_BEING_WRITTEN_SECONDS = 600.0
"""A file that no row names may be newer than its transaction: so long nobody wonders."""
_MOST_COMPLAINTS = 20
_POINTS_AT_ONCE = 1 << 18
_BYTES_AT_ONCE = 16 << 20


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what is wrong."""

    runs: int
    series: int
    points: int
    records: int
    blobs: int
    journals: int
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(reader: Reader) -> Verified:
    """Look at everything in a store. Raises StoreError when it cannot be read at all."""
    faults = [*_guarded("the database", lambda: list(_database_faults(reader)))]
    checks = RunChecks()
    run_ids = reader.ask(
        lambda c: list(c.execute(sa.select(runs.c.run_id).order_by(runs.c.run_id)).scalars())
    )
    for run_id in run_ids:
        found = _guarded(
            f"run {run_id}",
            lambda run_id=run_id: reader.ask(lambda c: check_run(c, reader.location, run_id, checks)),
            run_id,
        )
        faults += found
    faults += _guarded("the store", lambda: list(_lost_faults(reader)))
    folders = journals_of(reader.location)
    for folder in folders:
        faults += _journal_faults(folder)
    return Verified(
        len(run_ids), checks.series, checks.points, checks.records, checks.blobs, len(folders), tuple(faults)
    )


def _guarded(where: str, check: Callable[[], list[Fault]], run_id: str | None = None) -> list[Fault]:
    """Run a check; what cannot be read at all is a fault, too."""
    try:
        return check()
    except StoreDamaged as error:
        return [Fault(where, str(error), FROM_BACKUP, run_id)]


def _database_faults(reader: Reader) -> Iterator[Fault]:
    if reader.location.path is None:
        return
    check = sa.text(f"PRAGMA integrity_check({_MOST_COMPLAINTS})")
    for complaint in reader.ask(lambda connection: connection.execute(check).scalars().all()):
        if complaint != "ok":
            where = f"the database {reader.location.path}"
            yield Fault(where, str(complaint), "Put back a backup, or save what can be read: stepscope sync")


def _lost_faults(reader: Reader) -> Iterator[Fault]:
    advice = "Remove them: stepscope compact"
    for table, count in reader.ask(lost_rows).items():
        yield Fault(f"the table {table}", f"has {count} rows of runs that are not there", advice)
    before = time.time() - _BEING_WRITTEN_SECONDS
    for path in reader.ask(lambda connection: lost_files(connection, reader.location)):
        if _written_before(path, before):
            yield Fault(f"the file {path}", "belongs to nothing in the store", advice)


def _written_before(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime < moment
    except FileNotFoundError:
        return False


def _journal_faults(folder: Path) -> list[Fault]:
    """Read a journal from where it begins."""
    advice = "What it holds is not in the store; look at it, then delete its folder"
    try:
        journal = JournalReader(folder)
        journal.info()
        journal.definitions()
        position = Position(min(list_segments(folder, "points"), default=0))
        while True:
            slots, position = journal.points(position, _POINTS_AT_ONCE)
            if not len(slots):
                break
        position = Position(min(list_segments(folder, "values"), default=0))
        while True:
            entries, position = journal.values(position, _BYTES_AT_ONCE)
            if not entries:
                break
    except (StoreDamaged, TypeError, ValueError) as error:
        # Nobody removed it meanwhile, as its owner does in the end.
        return [Fault(f"the journal {folder}", str(error), advice)] if folder.exists() else []
    return []
