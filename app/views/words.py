"""Numbers, times and logged strings as people read them. Pure text, no Streamlit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

TIMES = "\u00d7"
NOTHING = "\u2013"
LONGEST = 1000
"""Characters of a logged string that a sentence shows."""
LONGEST_NAME = 80
"""The same for names, of which many stand beside each other."""
LONGEST_CAPTION = 200

_MOST_REASONS = 5
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&^=])")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def plain(text: str, most: int = LONGEST) -> str:
    """Return a logged string such that Streamlit's Markdown shows it literally, on one line.

    Args:
        text: any string.
        most: how many characters are shown.
    """
    return _MARKDOWN.sub(r"\\\1", brief(text, most))


def brief(text: str, most: int = LONGEST) -> str:
    """Return a logged string on one line, cut to `most` characters, the last of them an ellipsis then."""
    # A thousand blanks between two words are no reason to read all of a long text.
    line = " ".join(valid(text[: 10 * most]).split())
    return line if len(line) <= most and len(text) <= 10 * most else f"{line[: most - 1]}…"


def valid(text: str) -> str:
    """Return text that a page can be sent: half of a surrogate pair, which UTF-8 has not, becomes "?"."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def duration(seconds: float) -> str:
    """Return seconds as people say them, in at most two units: "1 h 12 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    rest, parts = round(seconds), list[str]()
    for size, unit in _UNITS:
        if rest >= size and len(parts) < 2:
            parts.append(f"{rest // size} {unit}")
            rest %= size
        elif parts:
            break
    return " ".join(parts)


def host(name: str, pid: int) -> str | None:
    """Return where a run was logged; None where that is not known, as of many that were imported."""
    return ", ".join(filter(None, [name, f"process {pid}" if pid else ""])) or None


def ago(then: float, now: float) -> str:
    """Return how long ago a time was: "3 min ago"; both are seconds since the epoch."""
    passed = now - then
    return (
        "just now" if passed < 5 else f"{duration(passed).split(' ')[0]} {duration(passed).split(' ')[1]} ago"
    )


def number(value: float | None) -> str:
    """Return a number with five significant digits; a dash when there is none."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    return f"{value:.5g}"


def count(amount: int) -> str:
    """Return an exact count with thousands apart: "1,234,567"."""
    return f"{amount:,}"


def short_count(amount: int) -> str:
    """Return a count in three or four characters: "1.2 k", "18 M"."""
    size = float(amount)
    for unit in ("", " k", " M", " G"):
        if size < 999.5:
            return f"{size:.3g}{unit}"
        size /= 1000
    return f"{size:.3g} T"


def shape(sizes: Sequence[int | None] | None) -> str:
    """Return a tensor's sizes with times signs between, "?" where one varies; "" when it is not known."""
    if sizes is None:
        return ""
    return f" {TIMES} ".join("?" if size is None else str(size) for size in sizes) or "scalar"


def one_of(amount: int, word: str) -> str:
    """Return a count with its noun: "1 run", "3 runs"."""
    return f"{count(amount)} {word}" if amount == 1 else f"{count(amount)} {word}s"


def not_stored(dropped: Mapping[str, int]) -> str:
    """Return in one sentence what a run lost and why, the costliest reasons first.

    Args:
        dropped: reason -> how many values (see Run.dropped); not empty.
    """
    ranked = sorted(dropped.items(), key=lambda item: -item[1])
    parts = [f"{count(many)} because of \u201c{reason}\u201d" for reason, many in ranked[:_MOST_REASONS]]
    if ranked[_MOST_REASONS:]:
        parts.append(f"{count(sum(many for _, many in ranked[_MOST_REASONS:]))} for other reasons")
    values = "1 value was" if sum(dropped.values()) == 1 else f"{count(sum(dropped.values()))} values were"
    return f"{values} not stored: {', '.join(parts)}."
