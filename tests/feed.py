"""A run whose journal a test fills and drains by hand. Imported as `feed`: pytest puts tests/ on the path."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stepscope.storage.drain import Drain
from stepscope.storage.journal import Journal
from stepscope.storage.model import Run, RunState, Series
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from stepscope.trackers.media import Loggable
from stepscope.trackers.run_id import new_run_id

FIRST_TIME = 1_700_000_000.0


def time_of(step: int) -> float:
    """Return when a step was logged: a tenth of a second each."""
    return FIRST_TIME + (step / 10 if abs(step) < 10**9 else 0)


def new_run(writer: Writer, **fields: Any) -> Run:
    """Enter a running run into the store."""
    now = time.time()
    given = {"project": "tests", "name": "", "created_at": now, "updated_at": now, **fields}
    return writer.create_run(Run(run_id=new_run_id(), state=RunState.RUNNING, **given))


def series_of(reader: Reader, run_id: str, name: str, context: Mapping[str, Any] | None = None) -> Series:
    """Return the one series of that name and context."""
    found = [s for s in reader.series(run_id, name=name) if s.context == (context or {})]
    assert len(found) == 1, f"{name!r} names {len(found)} series"
    return found[0]


class Feed:
    """One journal of a run, with the drain that belongs to it."""

    def __init__(self, writer: Writer, run_id: str, attempt: int = 0, **journal: Any) -> None:
        """Open a journal for an attempt of a run."""
        self.journal = Journal(writer.location.spool, run_id, attempt, **journal)
        self.drain = Drain(writer, self.journal.folder, self.journal)
        self._series: dict[tuple[str, str, str], int] = {}

    def number(self, name: str, kind: str = "scalar", context: Mapping[str, Any] | None = None) -> int:
        """Return the number of a series, defining it at its first use."""
        key = (name, kind, repr(context))
        if key not in self._series:
            self._series[key] = self.journal.define_series(name, kind, context or {})
        return self._series[key]

    def points(
        self,
        name: str,
        values: Sequence[float] | np.ndarray,
        steps: Sequence[int] | np.ndarray | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Append points; their times are those of `time_of`."""
        series = self.number(name, "scalar", context)
        at = range(len(values)) if steps is None else steps
        for step, value in zip(at, values, strict=True):
            self.journal.append_number(series, int(step), time_of(int(step)), float(value))

    def value(self, name: str, step: int, value: Loggable) -> None:
        """Append one wrapped value."""
        payload = value.payload()
        series = self.number(name, payload.kind)
        self.journal.append_value(series, step, time_of(step), payload.meta(), payload.data)

    def store(self) -> None:
        """Drain everything that was appended."""
        while self.drain.step():
            pass

    def end(self) -> None:
        """Drain everything, and remove the journal as a finished run does."""
        self.store()
        self.journal.close()
        self.drain.remove()
