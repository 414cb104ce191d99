"""What a run's processes printed, put together from the pieces that are stored and what still waits."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .console_ring import STDERR, STDOUT, read_ring
from .errors import StoreDamaged
from .events import events_of
from .journal_read import JournalReader
from .kinds.event import CONSOLE
from .maintain import journals_of
from .model import Context, words_of
from .read import Reader

_MARKS = {STDOUT.decode(): "stdout", STDERR.decode(): "stderr"}
_TOKENS = re.compile("[\n\x01\x02]|[^\n\x01\x02]+")
"""Marks, line feeds, and all that lies between them."""


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """Something that was printed: a line, or the part of one that is of one stream."""

    stream: str
    """ "stdout" or "stderr"; "" where something is left out."""
    text: str
    """Without the line feed."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What one process printed."""

    attempt: int
    context: Context
    """Such as its rank."""
    lines: tuple[ConsoleLine, ...]
    left_out: int
    """Bytes between its beginning and its end that were too much to be kept."""

    @property
    def title(self) -> str:
        """What tells it from the output of others: `attempt 0, rank=1`."""
        return ", ".join(word for word in (f"attempt {self.attempt}", words_of(self.context)) if word)


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    text: str


def console_of(reader: Reader, run_id: str) -> list[Printed]:
    """Return what the processes of a run printed, oldest attempt first.

    What a process on this machine printed just now is there, too.

    Raises:
        StoreError: it cannot be read.
    """
    found: dict[tuple[int, str], list[_Piece]] = {}
    contexts: dict[tuple[int, str], Context] = {}
    for attempt, context, piece in (*_stored(reader, run_id), *_waiting(reader, run_id)):
        key = (attempt, words_of(context))
        contexts[key] = context
        found.setdefault(key, []).append(piece)
    return [_joined(key[0], contexts[key], found[key]) for key in sorted(found)]


def _stored(reader: Reader, run_id: str) -> Iterator[tuple[int, Context, _Piece]]:
    for event in events_of(reader, [run_id], CONSOLE):
        start = int(event.facts.get("at", 0))
        end = int(event.facts.get("end", start))
        yield event.attempt, event.context, _Piece(start, end, event.text)


def _waiting(reader: Reader, run_id: str) -> Iterator[tuple[int, Context, _Piece]]:
    for folder in journals_of(reader.location, run_id):
        # It may be removed just now, since all of it is stored.
        with contextlib.suppress(StoreDamaged, OSError):
            found = read_ring(folder)
            if found is not None:
                output, context = found
                text = output.data.decode("utf-8", "replace")
                yield JournalReader(folder).info().attempt, context, _Piece(output.start, output.end, text)


def _joined(attempt: int, context: Context, pieces: list[_Piece]) -> Printed:
    lines: list[ConsoleLine] = []
    left_out = at = 0
    for piece in sorted(pieces, key=lambda one: (one.start, one.end)):
        if piece.end <= at:
            continue  # stored twice: a kill came in between
        if piece.start > at:
            left_out += piece.start - at
            lines.append(ConsoleLine("", f"... {piece.start - at:,} bytes are left out ..."))
        lines += _lines(piece.text)
        at = piece.end
    return Printed(attempt, context, tuple(lines), left_out)


def _lines(text: str) -> Iterator[ConsoleLine]:
    """Yield the lines of a piece, in which a mark stands before the text of each stream."""
    stream, line = "stdout", ""
    for part in _TOKENS.findall(text):
        if part in _MARKS:
            if _MARKS[part] != stream and line:
                yield ConsoleLine(stream, line)
                line = ""
            stream = _MARKS[part]
        elif part == "\n":
            yield ConsoleLine(stream, line)
            line = ""
        else:
            line += part
    if line:
        yield ConsoleLine(stream, line)
