"""From prepared values to the journal: the journal of one process, its series and its writer's thread."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any, TypeAlias

from ..storage.errors import BadInput
from ..storage.journal import Journal, JournalFull
from ..storage.journal_plain import create_journal
from ..storage.os_files import after_fork_in_child
from ..storage.write import Writer
from .delivery import Delivery
from .device import PendingValue, PendingValues, Snapshot
from .guard import Guard
from .raw import Payload
from .settings import Settings
from .values import Prepared, from_array

Context: TypeAlias = Mapping[str, str | int]

MOST_SERIES = 50_000
"""Different names in one run; beyond it a loop most likely puts the step into the name."""
MOST_NAME_CHARACTERS = 500


class TooManyNames(BadInput):
    """A run has as many series as it may have, and this name would be one more."""

    reason = "more names than a run may have"


class Recorder:
    """Records one run. Callers hold `lock` around `append` and `change`."""

    def __init__(self, run_id: str, attempt: int, settings: Settings, guard: Guard) -> None:
        """Open a journal and start its writer's thread. Raises OSError, JournalFull."""
        self.lock = threading.RLock()
        self.journal: Journal | None = None
        self.numbers: dict[str, int] = {}
        """Series numbers of scalars without a context: what the shortest path of a log call needs."""
        self._series: dict[tuple[str, str, tuple[tuple[str, str | int], ...]], int] = {}
        self._pending = PendingValues()
        self._delivery: Delivery | None = None
        self._run_id = run_id
        self._attempt = attempt
        self._settings = settings
        self._guard = guard
        self._pid = os.getpid()
        self._end = ""
        """Why nothing more is taken, once that is so."""
        self._open()
        _recorders.add(self)

    @property
    def in_child(self) -> bool:
        """Whether this is a forked child of the process that began the run."""
        return os.getpid() != self._pid

    def append(self, name: str, value: Prepared, step: int, now: float, context: Context) -> None:
        """Put one value into the journal.

        Raises:
            BadInput: the name cannot be one, or the run is finished.
            JournalFull: the value was not taken.
        """
        journal = self.journal or self._open()
        if not isinstance(value, Snapshot):
            self._append_to(journal, name, value, step, now, context)
        elif not self._pending.put(PendingValue(name, dict(context), step, now, value)):
            self._guard.drop("too many device values were waiting to be copied")

    def change(self, change: Mapping[str, Any]) -> None:
        """Put changed fields of the run into the journal. Raises BadInput, JournalFull."""
        (self.journal or self._open()).append_run(time.time(), change)

    def change_when_there_is_room(self, change: Mapping[str, Any], patience: float) -> None:
        """Put what must not be missing into the journal, if need be after some of it was stored.

        Raises:
            JournalFull: there was no room in `patience` seconds.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                with self.lock:
                    return self.change(change)
            except JournalFull:
                if time.monotonic() > deadline:
                    raise
                self.flush(1.0)

    def append_waiting(self, journal: Journal, *, wait: bool) -> bool:
        """Append device values that are ready, and what was dropped; for the writer's thread.

        Returns:
            False when the journal had no room to say what was dropped: call again later.
        """
        for late in self._pending.take_ready(wait=wait):
            try:
                value = from_array(late.name, late.snapshot.tensor, histogram=late.snapshot.histogram)
                with self.lock:
                    self._append_to(journal, late.name, value, late.step, late.time, late.context)
            except Exception as error:
                self._guard.note(error, f"reading {late.name!r} from its device")
        drops = self._guard.take_drops()
        if not drops:
            return True
        try:
            with self.lock:
                journal.append_drops(time.time(), drops)
        except JournalFull:
            for reason, count in drops.items():
                self._guard.drop(reason, count)
            return False
        return True

    def flush(self, timeout: float) -> bool:
        """Wait until all that was appended is stored; False when it is not within `timeout`."""
        return self._delivery is None or self._delivery.flush(timeout)

    def close(self) -> None:
        """Store what is left, and take nothing more. In a forked child, the next value reopens."""
        with self.lock:
            # Other threads that still log are told that the run is finished.
            if not self.in_child:
                self._end = f"run {self._run_id} is finished. Call stepscope.init for a new one."
            delivery, self._delivery = self._delivery, None
            journal, self.journal = self.journal, None
        if delivery is not None and not delivery.close():
            self._guard.say(
                "left",
                "the store could not take everything in time. The rest is safe in the journal and "
                "is stored by the next run or dashboard that opens the store.",
            )
        if journal is not None:
            journal.close()

    def give_up(self, reason: str) -> None:
        """Take nothing more: the run, or its journal, was deleted. For the writer's thread."""
        with self.lock:
            self._end = f"{reason}. What it still logs is not kept."
            self.journal = None
        self._guard.say("deleted", self._end)

    def after_fork(self) -> None:
        """Forget the parent's journal and thread; the child's first value opens its own."""
        self._guard.after_fork()
        self.lock = threading.RLock()
        self.journal = None
        self.numbers, self._series = {}, {}
        self._pending = PendingValues()
        self._delivery = None

    def _open(self) -> Journal:
        if self._end:
            raise BadInput(self._end)
        settings = self._settings
        self.numbers, self._series = {}, {}
        self.journal = create_journal(
            settings.location.spool,
            self._run_id,
            self._attempt,
            limit=settings.journal_limit,
            main=not self.in_child,
        )
        self._delivery = Delivery(
            lambda patience: Writer.open(settings.location.url, patience=patience),
            self._run_id,
            self.journal,
            self,
            self._guard,
            settings.flush_seconds,
        )
        self._delivery.start()
        return self.journal

    def _append_to(
        self,
        journal: Journal,
        name: str,
        value: float | Payload,
        step: int,
        now: float,
        context: Context,
    ) -> None:
        if isinstance(value, Payload):
            series = self._series_number(journal, name, value.kind, context)
            journal.append_value(series, step, now, value.meta(), value.data)
        else:
            series = self._series_number(journal, name, "scalar", context)
            journal.append_number(series, step, now, value)

    def _series_number(self, journal: Journal, name: str, kind: str, context: Context) -> int:
        key = (kind, name, tuple(sorted(context.items())))
        number = self._series.get(key)
        if number is None:
            _check_name(name, len(self._series))
            number = self._series[key] = journal.define_series(name, kind, context)
            if kind == "scalar" and not context:
                self.numbers[name] = number
        return number


class NoRecorder:
    """Takes the place of a recorder when there is no store: counts what it is given, keeps nothing."""

    journal = None
    in_child = False

    def __init__(self, guard: Guard) -> None:
        """Count with `guard`."""
        self.lock = threading.RLock()
        self.numbers: dict[str, int] = {}
        self._guard = guard

    def append(self, *_: object) -> None:
        """Count the value."""
        self._guard.drop("the store could not be opened")

    def change(self, change: Mapping[str, Any]) -> None:
        """Do nothing."""

    def change_when_there_is_room(self, change: Mapping[str, Any], patience: float) -> None:
        """Do nothing."""

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - the signature of Recorder
        """Nothing waits."""
        return True

    def close(self) -> None:
        """Do nothing."""


def _check_name(name: object, known: int) -> None:
    if not isinstance(name, str) or not name:
        raise BadInput(f"a name must be a string that is not empty, but got {type(name).__name__} {name!r}")
    if len(name) > MOST_NAME_CHARACTERS:
        raise BadInput(
            f"a name has at most {MOST_NAME_CHARACTERS} characters, but {name[:40]!r}... has "
            f"{len(name)}. Put long text into stepscope.Text."
        )
    if known >= MOST_SERIES:
        raise TooManyNames(
            f"a run has at most {MOST_SERIES} different names, and {name[:80]!r} is one more. "
            f"Is a step part of the name? Pass it as step=."
        )


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _after_fork() -> None:
    for recorder in list(_recorders):
        recorder.after_fork()


after_fork_in_child(_after_fork)
