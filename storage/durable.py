"""What was committed, on the disk for good: needed before the journal that it came from is removed.

SQLite's commits in WAL mode outlive the process at once, but the machine's end only when the log was
synchronised, which SQLite does at checkpoints alone (synchronous=NORMAL: a commit costs no wait). A journal
that went first would take with it what the log loses. So whoever removes a part of a journal calls `sync`:
once for many commits, and never on the training's thread.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from .errors import StoreError
from .location import StoreLocation
from .os_files import after_fork_in_child


class _Unsynced:
    """Files that this process wrote beside the database, and that the disk may not have yet."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.paths: set[Path] = set()


_unsynced = _Unsynced()
after_fork_in_child(_unsynced.__init__)


def written(path: Path) -> None:
    """Remember a file for the next `sync`."""
    _unsynced.paths.add(path)


def sync(location: StoreLocation) -> None:
    """Wait until the disk has all that this process committed to the store.

    PostgreSQL does so at each commit.

    Raises:
        StoreError: the disk refused; what was committed may be lost if the machine stops.
    """
    if location.path is None:
        return
    try:
        # Whoever comes second waits for the first one, who took the paths of both.
        with _unsynced.lock:
            while _unsynced.paths:
                path = next(iter(_unsynced.paths))
                _sync_file(path)
                _unsynced.paths.discard(path)
            # SQLite's locks lie on the database and its shared memory: closing the log frees none.
            # Where there is no log, whoever closed the store last has put all of it into the database.
            _sync_file(location.path.with_name(location.path.name + "-wal"))
    except OSError as error:
        raise StoreError(
            f"the disk did not confirm what was written to {location.display}: {error.strerror}. "
            f"The journal is kept until it does."
        ) from error


def _sync_file(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        _sync(os.open(path, os.O_RDWR))
        if os.name == "posix":
            # The name, too, for a file that is new.
            _sync(os.open(path.parent, os.O_RDONLY))


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
