"""The writer's thread: from the journal into the store, at least once a second.

The training thread never waits for it. When the store cannot be written, the journal grows up to its
limit and the thread tries again. Nobody waits long for its end either: it goes on by itself after
finish(), and what it has no time for stays in the journal, for whoever opens the store next.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..storage.drain import Drain, recover_orphans
from ..storage.errors import RunNotFound, StoreDamaged, StoreError, StoreUnavailable
from ..storage.forks import forks
from ..storage.journal import Journal
from ..storage.journal_read import SeriesDefinition
from ..storage.location import StoreLocation
from ..storage.model import Run
from ..storage.read import HEARTBEAT_SECONDS
from ..storage.sqlite_file import check_file, last_write
from ..storage.write import Writer
from .guard import Guard

_PATIENCE_SECONDS = 20.0
"""How long the thread waits for other programs' transactions before it says that it has to."""
_LONGEST_PAUSE = 5.0
"""How long it waits before it tries a store again that was away or locked several times."""
_LINGER_SECONDS = 600.0
"""How long after finish() it goes on trying; then the journal is left to others."""
_RECOVERY_SECONDS = 1.0
"""How long it stores what dead processes left before it comes back to its own journal."""


class Producer(Protocol):
    """What delivery asks of the run that it serves."""

    @property
    def run(self) -> Run:
        """The run as it is now, for a store that does not have it."""
        ...

    def is_stored(self) -> None:
        """Learn that the store has the run."""
        ...

    def give_up(self, reason: str) -> None:
        """Append nothing more: the run, or its journal, was deleted."""
        ...


class Additions(Protocol):
    """What the thread adds to the journal by itself (see late_values.py)."""

    def append(self, journal: Journal, *, wait: bool) -> bool:
        """Append device values that are ready, and what was dropped; False when there is no room.

        Raises:
            Later: a log call was under way all the time.
        """
        ...

    def look_at(self, slots: NDArray[np.void], definitions: Mapping[int, SeriesDefinition]) -> None:
        """Look at numbers that were stored: an alert may be due (see rules.py)."""
        ...

    def append_alerts(self, journal: Journal) -> bool:
        """Append the alerts that are due; return whether there were any.

        Raises:
            Later: a log call was under way all the time.
        """
        ...


class Later(Exception):
    """Something is left to be done, and that is no news to anybody."""


class Delivery:
    """Drains one journal until it is closed."""

    def __init__(
        self,
        location: StoreLocation,
        journal: Journal,
        producer: Producer,
        late: Additions,
        guard: Guard,
        interval: float,
    ) -> None:
        """Prepare; `start` begins. The writer is opened, used and closed by the thread."""
        self._location = location
        self._run_id = journal.info.run_id
        self._journal = journal
        self._producer, self._late = producer, late
        self._guard = guard
        self._interval = interval
        self._writer: Writer | None = None
        self._drain: Drain | None = None
        # A queue and not an Event: a signal handler may call finish() in the midst of a flush().
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._closing = self._leaving = self._done = False
        self._finish_by = math.inf
        self._cycle = threading.Condition()
        self._cycles = 0
        self._failures = 0
        self._flushing = False
        self._beat = self._looked = -math.inf
        self._thread = threading.Thread(target=self._run, name="stepscope-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Have the journal stored soon."""
        self._wake.put(None)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was appended so far is stored; False when it is not within `timeout`."""
        # The cycle that runs now may have passed the newest value: a whole one must follow it.
        with self._cycle:
            target = self._cycles + 2
            deadline = time.monotonic() + timeout
            while self._cycles < target and self._thread.is_alive():
                self._flushing = True
                self._wake.put(None)
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._cycle.wait(min(left, 0.1))
            return not self._failures

    def close(self, timeout: float) -> bool:
        """Store what is left and end the thread; False when it needs longer than `timeout` seconds.

        Then it goes on by itself, as long as the process lives and `leave` is not called. Nothing may be
        appended any more.
        """
        self._finish_by = time.monotonic() + timeout
        self._closing = True
        self._wake.put(None)
        self._thread.join(timeout)
        return self._done

    def leave(self, timeout: float) -> None:
        """End the thread even if something is left: the process is about to end."""
        self._leaving = True
        self._wake.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._closing:
                self._pause()
                # Whoever flushes waits for values that are still on a device, too.
                wait, self._flushing = self._flushing, False
                self._one_cycle(wait=wait)
            self._finish()
        finally:
            # Here and not in finish(): whoever stores the rest needs the lock, when this thread no more does.
            self._journal.close()
            if self._writer is not None:
                self._writer.close()

    def _pause(self) -> None:
        seconds = self._interval
        if not self._closing or time.monotonic() > self._finish_by:
            seconds = max(seconds, min(seconds * 2 ** min(self._failures, 10), _LONGEST_PAUSE))
        with contextlib.suppress(queue.Empty):
            self._wake.get(timeout=seconds)
            while True:
                self._wake.get_nowait()

    def _one_cycle(self, *, wait: bool) -> None:
        before = last_write(self._location)
        try:
            self._work(wait=wait)
            self._failures = 0
        except RunNotFound as error:
            self._failures = 0
            self._producer.give_up(str(error))
            self._closing = True
        except Later:
            self._failures += 1
        except (StoreError, OSError) as error:
            self._failures += 1
            if not isinstance(error, StoreUnavailable) or last_write(self._location) == before:
                # Otherwise it is only busy: others have their turns, and this one comes.
                meanwhile = "Values wait in the journal."
                self._guard.say("store", f"the store cannot be written now: {error}. {meanwhile}")
        except Exception as error:
            self._failures += 1
            self._guard.say("writer", f"the writer failed and will try again: {error!r}")
        with self._cycle:
            self._cycles += 1
            self._cycle.notify_all()

    def _work(self, *, wait: bool) -> None:
        if not self._journal.folder.is_dir():
            raise RunNotFound(f"the journal of run {self._run_id} was deleted while it was written")
        complete = self._late.append(self._journal, wait=wait)
        drain = self._ready_drain()
        self._store_all(drain)
        if not complete:
            # Now there is room to say what was dropped.
            self._late.append(self._journal, wait=False)
            self._store_all(drain)
        if self._late.append_alerts(self._journal):
            self._store_all(drain)
        if not self._closing:
            self._now_and_then()

    def _ready_drain(self) -> Drain:
        self._notice_a_lost_store()
        if self._writer is None:
            self._writer = Writer.open(self._location.url, patience=_PATIENCE_SECONDS)
        if self._drain is None:
            self._drain = Drain(self._writer, self._journal.folder, self._journal)
            self._drain.on_points = self._late.look_at
            self._drain.open()
            self._journal.info = replace(self._journal.info, run=None)
            self._producer.is_stored()
        return self._drain

    def _notice_a_lost_store(self) -> None:
        writer = self._writer
        if writer is None:
            return
        try:
            check_file(writer.location)
        except StoreDamaged:
            self._bring_the_run()
            raise
        if not writer.is_current():
            # What is written to the old file from now on, nobody would find.
            self._bring_the_run()
            self._guard.say(
                "replaced",
                f"the store {writer.location.display} was deleted or replaced while run {self._run_id} was "
                f"logging. What it logs from now on goes into the new one.",
            )
            writer.close()
            self._writer = self._drain = None

    def _bring_the_run(self) -> None:
        if self._journal.info.run is None:
            self._journal.info = replace(self._journal.info, run=self._producer.run.to_json())
            self._journal.info.save(self._journal.folder)

    def _store_all(self, drain: Drain) -> None:
        while drain.step():
            self._beat = time.monotonic()
            if self._leaving:
                raise Later

    def _now_and_then(self) -> None:
        if self._writer is None:
            return
        now = time.monotonic()
        if now - self._beat > HEARTBEAT_SECONDS:
            self._beat = now
            self._writer.touch_run(self._run_id)
        if now - self._looked > HEARTBEAT_SECONDS:
            self._recover(self._writer, now + _RECOVERY_SECONDS)

    def _recover(self, writer: Writer, until: float) -> None:
        def go_on() -> bool:
            return time.monotonic() < until and not self._leaving

        recover_orphans(writer, go_on)
        if go_on():
            # Otherwise there may be more: the next cycle goes on with it.
            self._looked = time.monotonic()

    def _finish(self) -> None:
        until = time.monotonic() + _LINGER_SECONDS
        self._one_cycle(wait=True)
        while self._failures and not self._leaving and not forks.spoilt and time.monotonic() < until:
            self._pause()
            self._one_cycle(wait=True)
        if self._failures:
            return
        self._journal.close()
        if self._drain is not None:
            self._drain.remove()
        self._done = True
        if self._writer is not None:
            # Children of this run that ended may have left something, too.
            with contextlib.suppress(StoreError, OSError):
                self._recover(self._writer, self._finish_by)
