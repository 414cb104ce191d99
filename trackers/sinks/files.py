"""Files that appear whole or not at all, under names that every file system takes."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...storage.errors import ExportRefused

_LONGEST_NAME = 80
_MOST_BYTES = 160
"""Of its name in UTF-8; file systems take 255, and what is written has its own beginning or end."""
_UNSAFE = re.compile(r"[^\w.+=@ -]+")


class AtomicFile:
    """A file written beside its place and moved there by `commit`, over what was there before.

    Whoever reads the folder meanwhile sees the old file or the new one. Every OSError becomes a
    ExportRefused that names the file.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, making the folders above it.

        Raises:
            ExportRefused: the folder cannot be made or written to.
        """
        self.path = path
        self._part = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._part.open("wb")
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, data: bytes) -> None:
        """Append to the file. Raises ExportRefused, for example when the disk is full."""
        try:
            self._stream.write(data)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def commit(self) -> None:
        """Close the file and move it to its place. Raises ExportRefused; then the old file is still there."""
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._part.replace(self.path)
        except OSError as error:
            self.discard()
            raise cannot_write(self.path, error) from error

    def discard(self) -> None:
        """Close and remove what was written so far. Never raises."""
        with suppress(OSError):  # a full disk fails once more when the buffer is flushed
            self._stream.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)


def folder_to_fill(folder: str | Path) -> Path:
    """Return a folder to export to; it need not be there yet.

    Raises:
        ExportRefused: there is a file of that name.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise ExportRefused(f"expected a folder to export to, but {path} is a file. Name another one.")
    return path


@contextmanager
def discarded_on_failure(file: AtomicFile) -> Generator[None]:
    """Discard a file whose beginning could not be written: nobody else knows of it yet."""
    try:
        yield
    except BaseException:
        file.discard()
        raise


def safe_name(text: str) -> str:
    """Return the text as one part of a path: no separators, no leading dot, at most 80 characters."""
    name = _UNSAFE.sub("_", text).strip(" .")[:_LONGEST_NAME]
    return name.encode()[:_MOST_BYTES].decode(errors="ignore").rstrip(" .")


def cannot_write(path: Path, error: OSError) -> ExportRefused:
    """Return the error of a file that cannot be written."""
    return ExportRefused(
        f"expected a folder to write {path} into, but got: {error.strerror or error}. "
        "Choose a folder that is on a disk with space and that this user may write to."
    )
