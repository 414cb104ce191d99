"""Finds the windows of an environment in Visdom's JSON, without reading all of it into memory.

Visdom writes an environment as one object, {"jsons": {window: pane, ...}, "reload": {...}}, in place: a file
may be cut off or damaged. Where each window begins and ends is found by its brackets; whatever is whole
is read, window by window.
"""

from __future__ import annotations

import json
import mmap
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

Json: TypeAlias = dict[str, Any]
Buffer: TypeAlias = "mmap.mmap | bytes"

# Possessive: the end of a file within a string must not send the search back through a picture of 100 MB.
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_STRING + rb'|[{}\[\]:]|"', re.DOTALL)
_OPENS, _CLOSES = (b"{", b"["), (b"}", b"]")
_LONGEST_KEY = 1 << 16
_PANE = re.compile(rb"(" + _STRING + rb')\s*:\s*(?=\{\s*"command"\s*:\s*"window")', re.DOTALL)


def as_dict(value: Any) -> Json:
    """Return an object of JSON; an empty one for anything else."""
    return cast("Json", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return an array of JSON; an empty one for anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Window:
    """Where a window stands in the file."""

    win: str
    start: int
    end: int
    """Bytes of its value, a JSON object."""


@dataclass(slots=True)
class Windows:
    """The windows of one environment."""

    found: list[Window] = field(default_factory=list[Window])
    problems: list[str] = field(default_factory=list[str])


def open_buffer(path: Path) -> Buffer:
    """Return a file's bytes, which are read when they are looked at. Raises OSError."""
    with path.open("rb") as file:
        # An empty file cannot be mapped.
        if not file.seek(0, 2):
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def windows_of(buffer: Buffer, place: str, *, bare: bool = False) -> Windows:
    """Return the windows of an environment.

    Args:
        buffer: JSON text.
        place: names the file in sentences about what is damaged.
        bare: it is the windows alone, as a server answers them, without the object around.
    """
    head = bytes(buffer[:64]).strip()
    if not head:
        return Windows(problems=[f"{place} is empty: nothing was ever written, or the disk was full."])
    if head == b"null":
        return Windows(
            problems=[
                f'{place} holds "null": Visdom saved an environment that it had never opened. It is lost.'
            ]
        )
    if not head.startswith(b"{"):
        return Windows(
            problems=[f"expected {place} to be an environment of Visdom, but it begins with {head[:20]!r}."]
        )
    return _scan(buffer, place, 1 if bare else 2)


def pane_of(buffer: Buffer, window: Window) -> Json:
    """Return a window. Raises ValueError when it is damaged."""
    found: Any = json.loads(bytes(buffer[window.start : window.end]))
    if not isinstance(found, dict):
        raise ValueError(f"it is a {type(found).__name__}")
    return cast("Json", found)


def salvaged(buffer: Buffer, damaged: Window) -> list[Window]:
    """Return windows that a damaged one has swallowed: a bracket or a quote of it may be gone."""
    return [one for one in _panes(buffer, damaged.start, damaged.end) if one.win != damaged.win]


def _scan(buffer: Buffer, place: str, depth: int) -> Windows:
    """Return the objects that lie `depth` objects deep; of a whole environment, those of "jsons"."""
    windows = Windows()
    keys, level, start, last, seen = [b""] * 3, 0, 0, b"", depth == 1
    for token in _TOKEN.finditer(buffer):
        text = _brief(token)
        if text in _OPENS:
            level += 1
            if level == depth + 1:
                start = token.start()
        elif text in _CLOSES:
            if level == depth + 1 and (depth == 1 or keys[1] == b'"jsons"'):
                windows.found.append(Window(_text(keys[depth]), start, token.end()))
            level -= 1
            if level == 0:
                if bytes(buffer[token.end() : token.end() + 64]).strip():
                    break
                if not seen:
                    windows.problems.append(
                        f'expected {place} to be an environment of Visdom, but it has no "jsons".'
                    )
                return windows
        elif text == b":" and level <= depth:
            keys[level] = last
            seen = seen or last == b'"jsons"'
        elif text == b'"':
            break
        last = text
    _salvage(buffer, windows, place)
    return windows


def _salvage(buffer: Buffer, windows: Windows, place: str) -> None:
    """Add what is whole beyond the damage, and say so."""
    whole = windows.found[-1].end if windows.found else 0
    known = {window.win for window in windows.found}
    windows.found += [one for one in _panes(buffer, whole, len(buffer)) if one.win not in known]
    windows.problems.append(
        f"{place} is damaged or cut off after {whole:,} of its {len(buffer):,} bytes. "
        f"What is whole was read; windows: {len(windows.found)}."
    )


def _panes(buffer: Buffer, start: int, end: int) -> list[Window]:
    """Return the windows in a stretch that are whole, whatever is around them."""
    found: list[Window] = []
    while match := _PANE.search(buffer, start, end):
        start = match.end()
        closed = _end_of_object(buffer, start, end)
        if closed is not None:
            found.append(Window(_text(match[1]), start, closed))
            start = closed
    return found


def _end_of_object(buffer: Buffer, start: int, end: int) -> int | None:
    level = 0
    for token in _TOKEN.finditer(buffer, start, end):
        text = _brief(token)
        level += (text in _OPENS) - (text in _CLOSES)
        if level == 0:
            return token.end()
        if text == b'"':
            return None
    return None


def _brief(token: re.Match[bytes]) -> bytes:
    """Return a token, but for a string that is too long to be a key."""
    return token[0] if token.end() - token.start() < _LONGEST_KEY else b""


def _text(key: bytes) -> str:
    """Return the id of a window; of a damaged one, what is there of it."""
    try:
        return str(json.loads(key or b'""'))
    except ValueError:
        return key.decode("utf-8", "replace").strip('"')
