"""The few file operations that differ between operating systems."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

# Windows would translate line ends in files that are opened without it.
_BINARY = getattr(os, "O_BINARY", 0)


def open_to_read(path: Path) -> int:
    """Return a descriptor of an existing file. Raises OSError."""
    return os.open(path, os.O_RDONLY | _BINARY)


def open_to_write(path: Path) -> int:
    """Return a descriptor of an existing file, to be written to. Raises OSError."""
    return os.open(path, os.O_WRONLY | _BINARY)


def create_to_write(path: Path) -> int:
    """Return a descriptor of a new file of the user's own, to be written and mapped. Raises OSError."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Return up to `size` bytes from `offset` on."""
    if sys.platform == "win32":
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)
    return os.pread(descriptor, size, offset)


if sys.platform == "win32":

    def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> int:
        """Write bytes from `offset` on; return how many were. Raises OSError."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)

else:
    write_at = os.pwrite


def write_all_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` from `offset` on. Raises OSError, when some of it may have been written."""
    left = memoryview(data)
    while len(left):
        written = write_at(descriptor, left, offset)
        left, offset = left[written:], offset + written


def acquire_lock(folder: Path) -> int:
    """Own a journal's folder: return the descriptor whose closing gives it up.

    flock and not lockf: any other open and close of the file would free the latter.

    Raises:
        BlockingIOError, PermissionError: a living process owns it.
        OSError: the folder is gone or refuses.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - only there

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - not on Windows

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def after_fork_in_child(call: Callable[[], None]) -> None:
    """Call something in every forked child; nothing forks on Windows."""
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=call)


def around_fork(
    before: Callable[[], None], after_in_parent: Callable[[], None], after_in_child: Callable[[], None]
) -> None:
    """Call something around every fork; nothing forks on Windows."""
    if sys.platform != "win32":
        os.register_at_fork(before=before, after_in_parent=after_in_parent, after_in_child=after_in_child)
