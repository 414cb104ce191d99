"""Everything that the dashboard writes: what dead runs left in their journals, and the few named actions.

The pages only read. Whoever wants to change the store asks for the keeper's writer, one at a time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ..storage.drain import recover_orphans
from ..storage.errors import StepscopeError, StoreError, StoreNotFound
from ..storage.location import locate
from ..storage.read import Reader
from ..storage.write import Writer

RECOVER_SECONDS = 10.0
_TURN_SECONDS = 1.0
_MOST_TURNS = 60

_log = logging.getLogger(__name__)


class StoreKeeper:
    """Recovers orphaned journals every ten seconds, and lends its writer. Thread-safe."""

    def __init__(self, store: str | None) -> None:
        """Take the store, which need not exist yet."""
        self._location = locate(store)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._recover_regularly, name="store-keeper", daemon=True)
        self._complaint = ""

    def start(self) -> None:
        """Begin to recover."""
        self._thread.start()

    def stop(self) -> None:
        """End after the recovery that is under way."""
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def writing(self) -> Generator[Writer]:
        """Lend a writer of the store.

        Raises:
            StoreError: the store is not there, has another schema, or refuses writes.
        """
        with self._lock:
            # A look first: a writer creates a store that is not there and migrates an older one, and both
            # are for training to do. A writer of its own each time, because the file may have been replaced.
            Reader.open(self._location.url).close()
            with Writer.open(self._location.url) as writer:
                yield writer

    def recover(self) -> list[str]:
        """Store what dead processes left in their journals, and return the ids of their runs.

        Raises:
            StoreError: the store cannot be written now.
        """
        found: list[str] = []
        if not _has_journals(self._location.spool):
            return found
        # In turns: a page that renames a run must not wait until gigabytes are stored.
        for _ in range(_MOST_TURNS):
            until = time.monotonic() + _TURN_SECONDS
            with self.writing() as writer:
                found += recover_orphans(writer, lambda until=until: time.monotonic() < until)
            if time.monotonic() < until or self._stopped.is_set():
                break
        return found

    def _recover_regularly(self) -> None:
        while True:
            try:
                self.recover()
                self._complaint = ""
            except StoreNotFound:
                pass
            except StoreError as error:
                self._complain(str(error))
            if self._stopped.wait(RECOVER_SECONDS):
                return

    def _complain(self, message: str) -> None:
        # Once for each reason: a disk that is full now may stay so for hours.
        if message != self._complaint:
            _log.warning("Stepscope could not store what ended runs left behind: %s", message)
            self._complaint = message


# Streamlit runs the pages in this process, but hands them nothing.
_current: StoreKeeper | None = None


@contextmanager
def serving(keeper: StoreKeeper) -> Generator[None]:
    """Let the keeper work, and be found by the pages, for as long as the dashboard runs."""
    global _current
    _current = keeper
    keeper.start()
    try:
        yield
    finally:
        _current = None
        keeper.stop()


def current() -> StoreKeeper:
    """Return the running dashboard's keeper, for its pages.

    Raises:
        StepscopeError: no dashboard runs in this process.
    """
    if _current is None:
        raise StepscopeError("the store is changed through the dashboard only. Start it with: stepscope ui")
    return _current


def _has_journals(spool: Path) -> bool:
    try:
        return any(spool.iterdir())
    except FileNotFoundError:
        return False
