"""What a run printed, as other trackers kept it, turned into what Stepscope keeps of a console."""

from __future__ import annotations

from ...storage.console_ring import STDERR, STDOUT
from ...storage.journal_read import SeriesDefinition
from ...storage.kinds import EVENT, EncodedValue
from ...storage.kinds.event import CONSOLE
from ...storage.write_series import NewRecord
from ..console import ESCAPE

_DEFINITION = SeriesDefinition(CONSOLE, EVENT.name, {})
_LONGEST_LINE = 1 << 16


class Printed:
    """Gathers what is printed, and gives it back in pieces that follow one another.

    A line that begins anew with a carriage return, as progress bars draw it, is kept in its last state.
    """

    def __init__(self) -> None:
        """Begin where nothing was printed yet."""
        self.characters = 0
        """How many were printed in all."""
        self._told = 0
        self._lines: list[str] = []
        self._line = ""
        self._mark = STDOUT.decode()
        self._time = 0.0

    def pass_over(self, text: str) -> None:
        """Leave out a text that was given back before."""
        self.characters += len(text)
        self._told = self.characters

    def take(self, text: str, time: float, *, is_error: bool = False) -> None:
        """Take a text as it was printed, to stderr if `is_error`."""
        self.characters += len(text)
        mark = (STDERR if is_error else STDOUT).decode()
        if mark != self._mark and self._line:
            self._end(self._line, "")
        self._mark, self._time = mark, time
        *whole, rest = (self._line + ESCAPE.sub("", text).replace("\r\n", "\n")).split("\n")
        for line in whole:
            self._end(line, "\n")
        self._line = _last_state(rest)
        if len(self._line) > _LONGEST_LINE:
            self._end(self._line, "")

    def drain(self, step: int) -> list[NewRecord]:
        """Return the event that tells what was taken, a begun line too; none when nothing was."""
        if self._told == self.characters:
            return []
        if self._line:
            self._end(self._line, "")
        data = "".join(self._lines).encode("utf-8", "replace")
        # Counted in what the other program has, so that it is the same wherever the pieces end.
        facts = {"at": self._told, "end": self.characters}
        self._lines, self._told = [], self.characters
        return [NewRecord(_DEFINITION, step, self._time, EncodedValue(data, facts))]

    def _end(self, line: str, feed: str) -> None:
        self._lines.append(f"{self._mark}{_last_state(line).rstrip(chr(13))}{feed}")
        self._line = ""


def _last_state(line: str) -> str:
    if "\r" not in line:
        return line
    states = [state for state in line.split("\r") if state]
    # What is drawn next stands in the place of this, if it began so.
    return (states[-1] if states else "") + ("\r" if line.endswith("\r") else "")
