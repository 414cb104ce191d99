"""From prepared values to the journal: the journal of one process, its series and its writer's thread."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from ..storage.errors import BadInput
from ..storage.journal import Journal
from ..storage.journal_plain import create_journal
from ..storage.lanes import JournalFull
from ..storage.model import Run as StoredRun
from ..storage.os_files import after_fork_in_child
from .console import Console
from .delivery import Delivery, Later
from .device import PendingValue
from .device_snapshot import CAPTURING, Snapshot
from .guard import Guard
from .late_values import LateValues, with_context
from .names import check_name
from .raw import Payload
from .rules import Rules
from .settings import Settings
from .tracked_dict import text_of
from .values import Prepared

Context: TypeAlias = Mapping[str, str | int]
Row: TypeAlias = tuple[Mapping[str, float | Snapshot], int, float]
"""Values, their step and time."""

MOST_ASIDE = 1000
"""Values that may be logged in the midst of one call of log, by signal handlers and the like."""
_END_BYTES = 16 << 20
"""How much a journal may grow beyond its limit to say how its run ended."""
_LEAVE_SECONDS = 0.15


class Recorder:
    """Records one run. Callers hold `lock` around `append` and `change`."""

    def __init__(
        self,
        run: StoredRun,
        settings: Settings,
        guard: Guard,
        *,
        stored: bool = True,
        main: bool = True,
        context: Context | None = None,
    ) -> None:
        """Open a journal and start its writer's thread.

        `stored` tells whether the store has the run. A worker of the run's process is not `main`: like a
        forked child, it opens its journal when it logs, and the run's end is not its own. `context` is what
        every series of this process has, such as the rank.

        Raises:
            OSError, JournalFull: there is no room for a journal.
        """
        self.lock = threading.RLock()
        self.journal: Journal | None = None
        self.context = dict(context or {})
        self.numbers: dict[str, int] = {}
        """Series numbers of scalars without another context: what the shortest path of a log call needs."""
        self._series: dict[tuple[str, str, tuple[tuple[str, str | int], ...]], int] = {}
        self.depth = 0
        """How many calls are under way; the second is that of a signal handler in the midst of the first."""
        self.aside: list[tuple[str, Callable[[], None]]] = []
        """What such calls gave, and what they were doing: no append may come in the midst of another."""
        self.rows: deque[Row] = deque()
        """What hooks gave to be appended with the next of its kind: see append_rows."""
        self.late = LateValues(self, guard)
        self._delivery: Delivery | None = None
        self._behind: Delivery | None = None
        """What goes on storing after `close`."""
        self._run = run
        self.stored = stored
        self.settings = settings
        self._guard = guard
        self._pid = os.getpid() if main else -1
        self._end = ""
        """Why nothing more is taken, once that is so."""
        if main:
            self._open()
        _recorders.add(self)

    @property
    def in_child(self) -> bool:
        """Whether this is a child of the process that began the run."""
        return os.getpid() != self._pid

    @property
    def cost_budget(self) -> float:
        """Percent of the step time that a hook of this run may take."""
        return self.settings.cost_budget

    @property
    def rank(self) -> int:
        """The rank among the processes that log into this run; 0 for the one whose end is the run's."""
        return int(self.context.get("rank", 0))

    @contextmanager
    def turn(self, timeout: float = -1) -> Generator[None]:
        """Hold the lock, and know what comes in the midst of it; surrounds `append` and `change`.

        Raises:
            Later: it was not to be had in `timeout` seconds. A signal handler in the midst of a log call
                may wait for the writer's thread while that waits here.
        """
        if not self.lock.acquire(timeout=timeout):
            raise Later
        try:
            depth, self.depth = self.depth, self.depth + 1
            try:
                if not depth:
                    # What an interrupted call left there is older than what comes now.
                    self.append_aside()
                yield
                if not depth:
                    self.append_aside()
            finally:
                self.depth = depth
        finally:
            self.lock.release()

    def append_aside(self) -> None:
        """Append what came in the midst of another call, now that that one is through."""
        depth, self.depth = self.depth, 1
        try:
            for _ in range(len(self.aside)):
                doing, append = self.aside.pop(0)
                try:
                    append()
                except Exception as error:
                    self._guard.note(error, doing)
        finally:
            self.depth = depth

    @property
    def _advancing(self) -> bool:
        # A call with nothing but known floats has no depth: this is where it may not be interrupted.
        return self.journal is not None and self.journal.points.advancing

    @property
    def run(self) -> StoredRun:
        """The run with all changes, for a store that does not have it."""
        return self._run

    def append(self, name: str, value: Prepared, step: int, now: float, context: Context) -> None:
        """Put one value into the journal.

        Raises:
            BadInput: the name cannot be one, or the run is finished.
            JournalFull: the value was not taken.
        """
        if self.depth > 1 or self._advancing:
            value = value.copied() if isinstance(value, Payload) else value
            later = partial(self.append, name, value, step, now, dict(context))
            self._put_aside(f"logging {text_of(name)[:80]!r}", later)
            return
        journal = self.journal or self._open()
        context = {**self.context, **context}
        if isinstance(value, Payload) and value.kind == "event":
            # In one series, so that those of a thousand runs are counted quickly.
            value, context = with_context(value, context), {}
        if not isinstance(value, Snapshot):
            self.append_to(journal, name, value, step, now, context)
        elif value is CAPTURING:
            self._guard.drop("logged while a CUDA graph was captured")
        elif self.late.pending.put(PendingValue(name, dict(context), step, now, value)):
            journal.tell_under_way(self.late.pending.under_way)
        else:
            self._guard.drop("too many device values were waiting to be copied")

    def append_rows(self) -> None:
        """Append the rows that wait, in a turn. What cannot be taken is said and counted."""
        while self.rows:
            values, step, now = self.rows.popleft()
            try:
                journal = self.journal or self._open()
                for name in journal.points.append_floats(values, self.numbers, step, now):
                    self.append(name, values[name], step, now, {})
            except (JournalFull, BadInput) as error:
                self._guard.note(error, "logging", lost=len(values))

    def change(self, change: Mapping[str, Any]) -> None:
        """Put changed fields of the run into the journal. Raises BadInput, JournalFull."""
        if self.rank:
            return  # what the run is, rank 0 says
        if self.depth > 1:
            self._put_aside("changing the run", partial(self.change, change))
            return
        (self.journal or self._open()).append_run(time.time(), change)
        self._run = replace(self._run, **change)

    def end(self, change: Mapping[str, Any], until: float) -> None:
        """Put how the run ended into the journal, beyond its limit if need be.

        Raises:
            JournalFull: the disk had no room until then, a time of time.monotonic().
        """
        while not self.rank:
            try:
                with self.turn():
                    (self.journal or self._open()).room.widen(_END_BYTES)
                    return self.change(change)
            except JournalFull:
                if time.monotonic() > until:
                    raise
                self.flush(0.2)

    def use_rules(self, rules: Rules) -> None:
        """Have alert rules look at what is stored."""
        self.late.rules = rules

    def keep_console(self) -> None:
        """Keep what the program prints from now on. Raises OSError."""
        with self.lock:
            if self.journal is not None:
                self.late.console = Console(self.journal.folder, self.context, self._wake)

    def stop_console(self) -> None:
        """Keep no more of it."""
        if self.late.console is not None:
            self.late.console.stop()

    def _wake(self) -> None:
        if self._delivery is not None:
            self._delivery.wake()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was appended is stored; False when it is not within `timeout`."""
        return self._delivery is None or self._delivery.flush(timeout)

    def close(self, timeout: float) -> None:
        """Take nothing more, and wait up to `timeout` seconds until what is left is stored.

        Then the writer's thread goes on with it by itself. In a forked child, the next value reopens.
        """
        with self.lock:
            # A handler that ends the run has cut short the call that it came into: that one gets no turn.
            self.append_rows()
            self.append_aside()
            if self.aside:
                self._guard.drop("a signal handler ended the run in the midst of a log call", len(self.aside))
            # Other threads that still log are told that the run is finished.
            if not self.in_child:
                self._end = f"run {self._run.run_id} is finished. Call stepscope.init for a new one."
            delivery, self._delivery = self._delivery, None
            self.journal = None
        if delivery is not None and not delivery.close(timeout):
            self._behind = delivery
            self._guard.say(
                "left",
                "the store did not take everything within 2 seconds. The rest is safe in the journal and is "
                "stored in the background, or else by the next run or dashboard that opens the store.",
            )

    def leave(self, timeout: float) -> None:
        """Stop storing in the background: the process ends."""
        if self._behind is not None:
            self._behind.leave(timeout)

    def is_stored(self) -> None:
        """Learn that the store has the run; for the writer's thread."""
        self.stored = True

    def give_up(self, reason: str) -> None:
        """Take nothing more: the run, or its journal, was deleted. For the writer's thread."""
        with self.lock:
            self._end = f"{reason}. What it still logs is not kept."
            self.journal = None
        # As the next log call would say it, so that only one of both does.
        self._guard.note(BadInput(self._end), "storing", lost=0)

    def after_fork(self) -> None:
        """Forget the parent's journal and thread; the child's first value opens its own."""
        self._guard.after_fork()
        self.lock = threading.RLock()
        self.journal = None
        self.numbers, self._series = {}, {}
        self.depth, self.aside = 0, []
        self.rows.clear()
        self.late.after_fork()
        self._delivery = self._behind = None

    def _open(self) -> Journal:
        if self._end:
            raise BadInput(self._end)
        settings = self.settings
        self.numbers, self._series = {}, {}
        self.journal = create_journal(
            settings.location.spool,
            self._run.run_id,
            self._run.attempt,
            limit=settings.journal_limit,
            main=not self.in_child and not self.rank,
            run=None if self.stored else self._run,
        )
        self._delivery = Delivery(
            settings.location,
            self.journal,
            self,
            self.late,
            self._guard,
            settings.flush_seconds,
        )
        self._delivery.start()
        return self.journal

    def _put_aside(self, doing: str, append: Callable[[], None]) -> None:
        if len(self.aside) < MOST_ASIDE:
            self.aside.append((doing, append))
        else:
            self._guard.drop("too many values were logged in the midst of one call of log")

    def append_to(
        self,
        journal: Journal,
        name: str,
        value: float | Payload,
        step: int,
        now: float,
        context: Context,
    ) -> None:
        """Append a value whose context is complete, in a turn. Raises BadInput, JournalFull."""
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
            check_name(name, len(self._series))
            number = self._series[key] = journal.define_series(name, kind, context)
            if kind == "scalar" and context == self.context:
                self.numbers[name] = number
        return number


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


@atexit.register
def _leave() -> None:
    # Registered at the import, so called after the runs have finished.
    until = time.monotonic() + _LEAVE_SECONDS
    for recorder in list(_recorders):
        recorder.leave(max(0.0, until - time.monotonic()))


def _after_fork() -> None:
    for recorder in list(_recorders):
        recorder.after_fork()


after_fork_in_child(_after_fork)
