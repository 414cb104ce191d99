"""SQLite across fork: no connection is open while this process forks.

A child inherits what SQLite remembers of its parent's connections to a file, but none of their locks.
It would take them for its own: tried, a child went on committing into a log that its parent had
deleted, and 98 of 99 values that it had flushed were gone. Connections that are closed before the fork
leave nothing to inherit, and each process opens its own afterwards.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import StoreError
from .os_files import around_fork

if TYPE_CHECKING:
    from sqlalchemy import Engine

_PATIENCE_SECONDS = 1.0
"""How long a fork waits for transactions to end. They take milliseconds, unless the store is locked."""


class Forks:
    """Knows the engines of SQLite in this process, and who is using one now."""

    def __init__(self) -> None:
        """Begin without engines."""
        self._engines: weakref.WeakSet[Engine] = weakref.WeakSet()
        self._local = threading.local()
        self._change = threading.Condition()
        self._users = 0
        self._forking = 0
        self._cut_short = False
        self.spoilt = False
        """Whether this process was forked while a connection was in use: it can have none of its own."""

    def watch(self, engine: Engine) -> None:
        """Close the connections of this engine before each fork."""
        self._engines.add(engine)

    @contextmanager
    def connected(self) -> Generator[None]:
        """Surround every use of a connection.

        Raises:
            StoreError: this process was forked in the middle of such a use.
        """
        if self.spoilt:
            raise StoreError(
                "this process was forked while its parent used a SQLite store, and cannot use one itself. "
                "What it logs waits in its journal until it ends. To use a store here, start it with spawn"
            )
        depth = getattr(self._local, "depth", 0)
        with self._change:
            while self._forking and not depth:
                self._change.wait()
            self._users += 1
        self._local.depth = depth + 1
        try:
            yield
        finally:
            self._local.depth = depth
            with self._change:
                self._users -= 1
                self._change.notify_all()

    def before(self) -> None:
        """Wait for transactions to end and close all connections."""
        own: int = getattr(self._local, "depth", 0)
        with self._change:
            self._forking += 1
            ended = self._change.wait_for(lambda: self._users <= own, _PATIENCE_SECONDS)
        self._cut_short = not ended or own > 0
        if not self._cut_short:
            for engine in list(self._engines):
                engine.dispose()

    def after_in_parent(self) -> None:
        """Let the others go on; they connect anew."""
        with self._change:
            self._forking -= 1
            self._change.notify_all()

    def after_in_child(self) -> None:
        """Begin anew: the other threads are not here."""
        self.spoilt = self.spoilt or self._cut_short
        self._local = threading.local()
        self._change = threading.Condition()
        self._users = 0
        self._forking = 0


forks = Forks()
"""Those of this process."""

around_fork(forks.before, forks.after_in_parent, forks.after_in_child)
