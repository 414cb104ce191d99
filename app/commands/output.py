"""How subcommands print: JSON for programs, tables and sizes for people."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..views.words import LONGEST_NAME, NOTHING, brief

_LONGEST_CELL = 40
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNITS = ("kB", "MB", "GB", "TB")


def print_json(value: object) -> None:
    """Print a value as JSON that every parser takes: NaN and infinities become strings."""
    print(json.dumps(_plain(value), indent=2, default=str))


def visible(text: str) -> str:
    """Return a logged text without what would steer a terminal: clear it, or give it another title."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def short(name: str) -> str:
    """Return a logged name on one line, and not too long, for a sentence."""
    return visible(brief(name, LONGEST_NAME))


def print_table(columns: Mapping[str, Sequence[str]]) -> None:
    """Print columns of equal length under their titles; numbers lie on the right."""
    cells = {
        short(title): [visible(brief(cell, _LONGEST_CELL)) for cell in column]
        for title, column in columns.items()
    }
    width = {title: max(map(len, (title, *column))) for title, column in cells.items()}
    on_right = {title: all(_is_number(cell) for cell in column) for title, column in cells.items()}

    def line(row: Mapping[str, str]) -> str:
        parts = [
            cell.rjust(width[title]) if on_right[title] else cell.ljust(width[title])
            for title, cell in row.items()
        ]
        return "  ".join(parts).rstrip()

    print(line({title: title for title in cells}))
    for row in zip(*cells.values(), strict=True):
        print(line(dict(zip(cells, row, strict=True))))


def size(amount: int) -> str:
    """Return bytes as people say them: "812 bytes", "1.2 MB"."""
    if amount < 1000:
        return f"{amount} bytes"
    scaled, unit = amount / 1000, 0
    while scaled >= 999.5 and unit < len(_UNITS) - 1:
        scaled, unit = scaled / 1000, unit + 1
    return f"{scaled:.3g} {_UNITS[unit]}"


def moment(seconds: float | None) -> str:
    """Return a time since the epoch in this machine's time zone: "2026-03-01 14:05"."""
    return NOTHING if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _is_number(cell: str) -> bool:
    return cell == NOTHING or cell.lstrip("-").replace(",", "")[:1].isdigit() or cell in ("NaN", "∞", "-∞")


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in cast("Mapping[Any, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("Sequence[object]", value)]
    return value
