r"""What a program prints, kept with its run.

`write` of the stream objects is what is listened to: the objects stay who they are, so that nothing that a
person sees, or a library asks (isatty, encoding ...), changes. What C libraries write to the file descriptor
past Python is not kept: standing in between there would cost the last lines of a crash.

A line that begins anew with "\r", as progress bars draw it, is kept in its last state.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from ..storage.console_ring import STDERR, STDOUT, ConsoleRing, Output
from ..storage.model import Context

ESCAPE = re.compile(
    r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))|[\x00-\x08\x0b\x0c\x0e-\x1a]"
)
"""Colours, titles, movements of the cursor, and characters that stand for nothing."""
_MOST_CHARACTERS = 4096


class Console:
    """Keeps what is printed from now on, for one run."""

    def __init__(self, folder: Path, context: Context, wake: Callable[[], None]) -> None:
        """Keep it in a journal's folder; `wake` asks for it to be taken soon. Raises OSError."""
        self._ring = ConsoleRing(folder, context)
        self._wake = wake
        self._lock = threading.RLock()
        self._busy = False
        self._stream = STDOUT
        self._line = ""
        """What was printed since the last line feed: a print comes in pieces, a progress bar again."""
        self._again = False
        self._pid = os.getpid()
        self.stopped = False
        streams = {
            id(stream): (stream, mark) for stream, mark in ((sys.stderr, STDERR), (sys.stdout, STDOUT))
        }
        self._taps = [_listen(stream, mark, self) for stream, mark in streams.values()]

    def take(self, stream: bytes, text: str) -> None:
        """Keep a text; whatever goes wrong, nobody hears of it."""
        if self.stopped or os.getpid() != self._pid or not text:
            return
        full = False
        with self._lock:
            goes_on = stream == self._stream and not self._again
            if goes_on and 0 < len(self._line) < _MOST_CHARACTERS and text.isprintable():
                # Most pieces of a print.
                self._line += text
                return
            # What a signal handler prints in the midst of this is left out.
            if self._busy:
                return
            self._busy = True
            try:
                self._keep(stream, text)
            except Exception:  # a disk that is full: there is nowhere to say so but here
                self.stopped = True
            finally:
                self._busy = False
            full = not self.stopped and self._ring.is_full
        if full:
            self._wake()

    def untaken(self) -> Output | None:
        """Return what the journal is to take."""
        with self._lock:
            self._spill(whole=True)
            return self._ring.untaken(whole=self.stopped)

    def taken(self, output: Output) -> None:
        """Note that the journal has it. Raises OSError."""
        with self._lock:
            self._ring.take(output.end)

    def stop(self) -> None:
        """Keep nothing more; the rest can be taken."""
        for tap in self._taps:
            if tap is not None:
                tap.remove(self)
        self.stopped = True

    def close(self) -> None:
        """Close the file, whose content was taken."""
        with self._lock:
            self._ring.close()

    def _keep(self, stream: bytes, text: str) -> None:
        text = ESCAPE.sub("", text).replace("\r\n", "\n")
        for number, part in enumerate(text.split("\r")):
            self._again = self._again or number > 0
            if not part:
                continue
            if self._again and not part.startswith("\n"):
                self._line = ""
                self._ring.begin_line_again()
            self._again = False
            if stream != self._stream:
                self._spill(whole=True)
                self._stream = stream
            self._line += part
            if "\n" in part or len(self._line) > _MOST_CHARACTERS:
                self._spill(whole=len(self._line) > _MOST_CHARACTERS)

    def _spill(self, *, whole: bool) -> None:
        """Put lines into the file, what is not a line yet too if `whole`. Raises OSError."""
        lines, feed, rest = self._line.rpartition("\n")
        self._line = "" if whole else rest
        if feed:
            self._ring.append(self._stream, lines + feed)
        if whole and rest:
            self._ring.append(self._stream, rest)


class _Tap:
    """Listens to one stream for all runs of the process."""

    def __init__(self, stream: Any, mark: bytes) -> None:
        self._stream = stream
        self._mark = mark
        self._attributes: dict[str, Any] = cast("dict[str, Any]", vars(stream))
        self._own: Any = self._attributes.get("write")
        self._write = stream.write
        self._hook = self._print
        self._listeners: tuple[Console, ...] = ()

    def add(self, console: Console) -> None:
        if not self._listeners:
            self._stream.write = self._hook
        self._listeners = (*self._listeners, console)

    def remove(self, console: Console) -> None:
        self._listeners = tuple(one for one in self._listeners if one is not console)
        if self._listeners:
            return
        _taps.pop(id(self._stream), None)
        if self._attributes.get("write") is not self._hook:
            return  # somebody else listens on top: what is printed goes on through this one
        if self._own is None:
            del self._stream.write
        else:
            self._stream.write = self._own

    def _print(self, text: str, /, *rest: Any) -> Any:
        written = self._write(text, *rest)
        for console in self._listeners:
            if isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                console.take(self._mark, text)
        return written


_taps: dict[int, _Tap] = {}
"""By the id of the stream, which a tap keeps alive."""


def _listen(stream: Any, mark: bytes, console: Console) -> _Tap | None:
    """Listen to a stream; None where that cannot be done."""
    tap = _taps.get(id(stream))
    try:
        if tap is None:
            tap = _taps[id(stream)] = _Tap(stream, mark)
        tap.add(console)
    except (AttributeError, TypeError):  # one without attributes of its own, or no stream at all
        _taps.pop(id(stream), None)
        return None
    return tap
