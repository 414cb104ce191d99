"""The writer's thread: from the journal into the store, at least once a second.

The training thread never waits for it. When the store cannot be written, the journal grows up to its
limit and the thread tries again.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

from ..storage.drain import Drain, recover_orphans
from ..storage.errors import RunNotFound, StoreError
from ..storage.forks import forks
from ..storage.journal import Journal, JournalFull
from ..storage.read import HEARTBEAT_SECONDS
from ..storage.write import Writer
from .guard import Guard

_PATIENCE_SECONDS = 10.0
"""How long the thread waits for other programs' transactions before it looks after its journal again."""
_FINISH_SECONDS = 30.0
"""How long finish() waits for a store that is locked or away; then the journal keeps the rest."""


class Producer(Protocol):
    """What delivery asks of the run that it serves."""

    def append_waiting(self, journal: Journal, *, wait: bool) -> bool:
        """Append device values that are ready, and what was dropped; False when there is no room."""
        ...

    def give_up(self, reason: str) -> None:
        """Append nothing more: the run, or its journal, was deleted."""
        ...


class Delivery:
    """Drains one journal until it is closed."""

    def __init__(
        self,
        open_writer: Callable[[float], Writer],
        run_id: str,
        journal: Journal,
        producer: Producer,
        guard: Guard,
        interval: float,
    ) -> None:
        """Prepare; `start` begins. The writer is opened, used and closed by the thread."""
        self._open_writer = open_writer
        self._run_id = run_id
        self._journal = journal
        self._producer = producer
        self._guard = guard
        self._interval = interval
        self._writer: Writer | None = None
        self._drain: Drain | None = None
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._cycle = threading.Condition()
        self._cycles = 0
        self._behind = False
        self._flushing = False
        self._beat = self._looked = -math.inf
        self._thread = threading.Thread(target=self._loop, name="stepscope-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was appended so far is stored; False when it is not within `timeout`."""
        # The cycle that runs now may have passed the newest value: a whole one must follow it.
        with self._cycle:
            target = self._cycles + 2
            deadline = time.monotonic() + timeout
            while self._cycles < target and self._thread.is_alive():
                self._flushing = True
                self._wake.set()
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._cycle.wait(min(left, 0.1))
            return not self._behind

    def close(self) -> bool:
        """Store what is left and end the thread; False when the journal had to keep some of it."""
        self._closing.set()
        self._wake.set()
        self._thread.join(_FINISH_SECONDS + 10.0)
        return not self._behind and not self._thread.is_alive()

    def _loop(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._interval)
            self._wake.clear()
            # Whoever flushes waits for values that are still on a device, too.
            wait, self._flushing = self._flushing, False
            self._one_cycle(wait=wait)
        deadline = time.monotonic() + _FINISH_SECONDS
        self._one_cycle(wait=True)
        while self._behind and not forks.spoilt and time.monotonic() < deadline:
            time.sleep(self._interval)
            self._one_cycle(wait=True)
        self._finish()

    def _one_cycle(self, *, wait: bool) -> None:
        try:
            self._work(wait=wait)
            self._behind = False
        except RunNotFound as error:
            self._behind = False
            self._producer.give_up(str(error))
            self._closing.set()
        except (StoreError, OSError) as error:
            self._behind = True
            self._guard.say("store", f"the store cannot be written now: {error}. Values wait in the journal.")
        except Exception as error:
            self._behind = True
            self._guard.say("writer", f"the writer failed and will try again: {error!r}")
        with self._cycle:
            self._cycles += 1
            self._cycle.notify_all()

    def _work(self, *, wait: bool) -> None:
        if not self._journal.folder.is_dir():
            raise RunNotFound(f"the journal of run {self._run_id} was deleted while it was written")
        complete = self._producer.append_waiting(self._journal, wait=wait)
        self._prepare_journal()
        if self._writer is not None and not self._writer.is_current():
            # Its file was deleted or replaced: what is written to it from now on, nobody would find.
            self._writer.close()
            self._writer = self._drain = None
        if self._writer is None:
            self._writer = self._open_writer(_PATIENCE_SECONDS)
        if self._drain is None:
            self._drain = Drain(self._writer, self._journal.folder, self._journal)
        self._store_all(self._drain)
        if not complete:
            # Now there is room to say what was dropped.
            self._producer.append_waiting(self._journal, wait=False)
            self._store_all(self._drain)
        self._now_and_then(self._writer)

    def _store_all(self, drain: Drain) -> None:
        while drain.step():
            self._beat = time.monotonic()
            self._prepare_journal()

    def _now_and_then(self, writer: Writer) -> None:
        now = time.monotonic()
        if now - self._beat > HEARTBEAT_SECONDS:
            self._beat = now
            writer.touch_run(self._run_id)
        if now - self._looked > HEARTBEAT_SECONDS:
            self._looked = now
            recover_orphans(writer)

    def _prepare_journal(self) -> None:
        # Without room for a spare, the next log call asks for it, and says so if there still is none.
        with contextlib.suppress(JournalFull):
            self._journal.prepare()

    def _finish(self) -> None:
        if self._writer is None:
            return
        try:
            if not self._behind and self._drain is not None:
                self._journal.close()
                self._drain.remove()
            recover_orphans(self._writer)
        except (StoreError, OSError) as error:
            self._guard.say("store", f"the store cannot be written now: {error}")
        finally:
            self._writer.close()
