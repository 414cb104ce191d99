"""A thread that does for a journal what may wait for the disk: making segments and closing full ones."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

from .lanes import JournalFull
from .segments import MappedSegment, Segment


class Keeper:
    """Keeps a journal ahead of those who append to it."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        """Start the thread; it calls `prepare` whenever it is woken."""
        self._prepare = prepare
        # A queue of this kind and not an Event: a signal handler may wake in the midst of a wake.
        self._tasks: queue.SimpleQueue[MappedSegment | Segment | None] = queue.SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="stepscope-journal", daemon=True)
        self._thread.start()

    def wake(self, full: MappedSegment | Segment | None) -> None:
        """Have the next segments made, and a full one closed."""
        self._tasks.put(full)

    def stop(self) -> None:
        """End the thread when it is through with what it does."""
        self._stopped = True
        self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            full = self._tasks.get()
            if full is not None:
                # The last use of a file that was removed: it is emptied here.
                full.close()
            elif self._stopped:
                return
            # Without room for one, the next log call asks for it, and says so if there still is none.
            with contextlib.suppress(JournalFull):
                self._prepare()
