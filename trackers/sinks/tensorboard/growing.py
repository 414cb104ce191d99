"""An event file that grows while readers read it, and goes on where a killed process left it."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..files import cannot_write
from .records import FOOTER_BYTES, HEADER_BYTES, length_of


class GrowingFile:
    """Takes records; readers see them with `flush`, those of a new file with the first one all at once."""

    def __init__(self, path: Path, size: int | None) -> None:
        """Open the file.

        Args:
            path: where it is; the folders above are made.
            size: what is known to be whole of the file that is there; None to begin a new one.

        Raises:
            ExportRefused: the folder cannot be written to.
        """
        self.path = path
        self._hidden: Path | None = None
        self.has_more = False
        """Whether records follow the size that was given: a process was killed before it could note them."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if size is None:
                self._hidden = path.with_name(f".{secrets.token_hex(8)}.part")
                self._stream: BinaryIO = self._hidden.open("wb")
            else:
                self._stream = path.open("r+b")
                self._stream.truncate(_whole_records(self._stream, size))
                self.has_more = self._stream.seek(0, os.SEEK_END) > size
        except OSError as error:
            raise cannot_write(path, error) from error

    @property
    def size(self) -> int:
        """How many bytes were written."""
        return self._stream.tell()

    def write(self, data: bytes) -> None:
        """Append records. Raises ExportRefused."""
        try:
            self._stream.write(data)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def flush(self) -> None:
        """Let readers see what was written. Raises ExportRefused."""
        try:
            self._stream.flush()
            if self._hidden is not None:
                # Not moved while it is empty or torn; the open file stays the same one.
                self._hidden.replace(self.path)
                self._hidden = None
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Close the file; one that nobody has seen is removed. Never raises."""
        with suppress(OSError):
            self._stream.close()
        if self._hidden is not None:
            with suppress(OSError):
                self._hidden.unlink(missing_ok=True)


def _whole_records(stream: BinaryIO, size: int) -> int:
    """Return where the last whole record ends, given where one ended before. No reader is past a torn one."""
    end = stream.seek(0, os.SEEK_END)
    while True:
        stream.seek(size)
        length = length_of(stream.read(HEADER_BYTES))
        after = end + 1 if length is None else size + HEADER_BYTES + length + FOOTER_BYTES
        if after > end:
            return size
        size = after
