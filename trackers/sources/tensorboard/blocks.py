"""An event file as blocks of sound records, with what is damaged between them passed over and told.

A file may still be growing. What is not whole at its end, or damaged with nothing sound after it, may be
about to be written: it is never passed over, and reading begins there again next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .files import BLOCK, Files
from .frames import HEAD, SMALLEST, Frames, Records, is_whole, next_head

LARGEST = 1 << 30
"""Bytes of a record that is read: it lies in memory more than once."""


@dataclass(slots=True)
class Block:
    """Some records that follow each other."""

    position: int
    """Where in the file `data` begin."""
    data: bytes
    records: Records
    problems: list[str] = field(default_factory=list[str])
    """What lies after them and cannot be read."""
    next: int = 0
    """Where in the file the next block begins."""


class Blocks:
    """Reads one event file from a position on."""

    def __init__(self, files: Files, path: str) -> None:
        """Take a file; it is opened when it is read."""
        self._files, self._path = files, path
        self._frames = Frames()

    def read(self, position: int) -> Iterator[Block]:
        """Yield blocks up to the end that the file has by now; the last one may hold a problem alone.

        Raises OSError.
        """
        with self._files.open(self._path) as file:
            while (block := self._block(file, position)) is not None:
                yield block
                if block.next == position:
                    return
                position = block.next

    def _block(self, file: Any, position: int) -> Block | None:
        """Return the records at a position; None at the end of the file."""
        file.seek(position)
        data = _read(file, BLOCK)
        records = self._frames.split(data)
        if not len(records.start) and records.needed > len(data) and records.needed <= LARGEST:
            data += _read(file, records.needed - len(data))
            records = self._frames.split(data)
        if not data:
            return None
        block = Block(position, data, records, next=position + records.end)
        if records.needed == 0 or records.needed > LARGEST:
            self._pass_over(file, block)
        elif not len(records.start):
            block.problems.append(self._unfinished(block))
        return block

    def _pass_over(self, file: Any, block: Block) -> None:
        """Look for the next sound record after the damage that follows a block."""
        damage = block.next
        at = damage + 1
        data = block.data[block.records.end + 1 :]
        while data:
            found = next_head(data, 0, lambda place, size, at=at: self._is_record(file, at + place, size))
            if found is not None:
                block.next = at + found
                passed = block.next - damage
                block.problems.append(
                    f"{self._place} is damaged at byte {damage:,}: {passed:,} bytes were passed over."
                )
                return
            at, data = self._further(file, at, data)
        # Nothing sound follows: the end may not be written yet. The next block, which begins here and
        # has no records, tells it.
        if len(block.records.start):
            return
        kind = "zeros" if _only_zeros(self._files, self._path, damage) else "bytes that are no records"
        block.problems.append(
            f"{self._place} cannot be read from byte {damage:,} on: up to its end, there are {kind} "
            f"({self._files.size(self._path) - damage:,} bytes)."
        )

    def _is_record(self, file: Any, position: int, size: int) -> bool:
        """Whether a sound record of so many bytes lies in the file, which may be larger than a block."""
        if size > LARGEST:
            return False
        file.seek(position)
        return is_whole(_read(file, size), 0)

    def _further(self, file: Any, at: int, data: bytes) -> tuple[int, bytes]:
        """Return the next bytes to look through: those in which a record may have begun, and more."""
        file.seek(at + len(data))
        more = _read(file, BLOCK)
        if not more:
            return at, b""
        # Records that begin before these last bytes were looked for.
        kept = min(len(data), SMALLEST - 1)
        return at + len(data) - kept, data[len(data) - kept :] + more

    def _unfinished(self, block: Block) -> str:
        have, needed = len(block.data), block.records.needed
        what = "the head of a record" if needed == HEAD else f"a record of {needed:,} bytes"
        return (
            f"{self._place} ends at byte {block.position + have:,} in the midst of {what}, which begins at "
            f"byte {block.position:,}: what came before it was read."
        )

    @property
    def _place(self) -> str:
        return self._path or self._files.name


def _read(file: Any, most: int) -> bytes:
    """Return so many bytes, or all that there are: a raw file may give fewer at once."""
    parts: list[bytes] = []
    while most > 0 and (part := file.read(most)):
        parts.append(part)
        most -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _only_zeros(files: Files, path: str, position: int) -> bool:
    with files.open(path) as file:
        file.seek(position)
        while data := file.read(BLOCK):
            if np.frombuffer(data, np.uint8).any():
                return False
    return True
