"""Where a run failed, out of the traceback that was kept of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$', re.M)
_LIBRARY = re.compile(r"[/\\](site-packages|dist-packages|lib[/\\]python3[^/\\]*)[/\\]|^<")


@dataclass(frozen=True, slots=True)
class Failure:
    """What happened, and where in the user's own code."""

    what: str
    """Type and message of the exception."""
    place: str
    """ "train.py, line 12, in step"; "" when it is not known."""


def read(error: str) -> Failure:
    """Return what a traceback says; of chained exceptions, the last one counts.

    The place is the innermost one that is not in a library: a shape that does not fit is noticed deep in a
    framework, but made in the user's own code.
    """
    frames = list(_FRAME.finditer(error))
    if not frames:
        return Failure(error.strip(), "")
    last = error.rfind("\nTraceback (most recent call last)")
    frames = [frame for frame in frames if frame.start() > last] or frames
    own = [frame for frame in frames if not _LIBRARY.search(frame["file"])]
    return Failure(_message(error[frames[-1].end() :]), _words((own or frames)[-1]))


def _message(rest: str) -> str:
    # Below a frame stands its line of code, with marks under it, both indented.
    lines = rest.strip("\n").split("\n")
    while lines and lines[0].startswith("    "):
        lines.pop(0)
    return "\n".join(lines).strip()


def _words(frame: re.Match[str]) -> str:
    function = frame["function"]
    where = f", in {function}" if function and function != "<module>" else ""
    return f"{frame['file']}, line {frame['line']}{where}"
