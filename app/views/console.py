"""Console output as a page shows it: progress bars as bars, what was printed behind one on its own line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...storage.console import ConsoleLine
from .words import valid

LONGEST_LINE = 4000
"""Characters of a line that are shown."""

_TQDM = re.compile(
    r"(?P<bar>.*?(?P<percent>\d{1,3})%\|[^|]*\| *[\d.]+[kMGT]?/[\d.]+[kMGT]? *"
    r"\[(?:[^\[\]]|\[[^\[\]]*\])*\])(?P<rest>.*)"
)
_KERAS = re.compile(r"(?P<bar>\s*(?P<done>\d+)/(?P<total>\d+) [\u2501=>.\x20]{5,}.*)(?P<rest>)")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page."""

    number: int
    """Of the line in the output, from 1 on."""
    stream: str
    """ "stdout" or "stderr"; "" where something is left out."""
    text: str
    share: float | None = None
    """What of the work is done where the line is a progress bar, 0 to 1."""


def rows(lines: Sequence[ConsoleLine], *, find: str = "", stream: str | None = None) -> list[Row]:
    """Return the lines of a process, those that hold a text, or come from one stream.

    Progress bars of tqdm and Keras are told apart. A bar does not end its line, so that what a program says
    while one is drawn is glued to it: here it gets a line of its own.
    """
    found = _split(lines)
    wanted = find.casefold()
    return [
        row for row in found if wanted in row.text.casefold() and (stream is None or row.stream == stream)
    ]


def text_of(lines: Iterable[ConsoleLine]) -> str:
    """Return all lines as a file has them."""
    return "".join(f"{valid(line.text)}\n" for line in lines)


def _split(lines: Sequence[ConsoleLine]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        text = valid(line.text[:LONGEST_LINE])
        bar = _TQDM.fullmatch(text) or _KERAS.fullmatch(text)
        if bar is None:
            yield Row(number, line.stream, text)
            continue
        yield Row(number, line.stream, bar["bar"], _share(bar))
        if bar["rest"].strip():
            yield Row(number, line.stream, bar["rest"].lstrip())


def _share(bar: re.Match[str]) -> float:
    known = bar.groupdict()
    if "percent" in known:
        return min(int(known["percent"]) / 100, 1.0)
    return min(int(known["done"]) / max(int(known["total"]), 1), 1.0)
