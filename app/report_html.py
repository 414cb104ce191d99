"""Tables and texts of a report as HTML, everything that was logged escaped. Pure text."""

from __future__ import annotations

from html import escape

from .comparison.sheets import BEST, Sheet
from .views.words import LONGEST_NAME, brief, valid

LONGEST_WORD = 24


def section(sheet: Sheet) -> str:
    """Return a table below its title."""
    return f"<h3>{safe(sheet.title)}</h3>{table(sheet, 'Nothing is known.')}"


def table(sheet: Sheet, nothing: str) -> str:
    """Return a table with its note; `nothing` where it has no rows."""
    if not sheet.rows:
        return f'<p class="note">{safe(nothing)}</p>'
    head = "".join(cell(brief(word, LONGEST_NAME), "th") for word in sheet.head)
    rows = "".join(
        f"<tr{'' if row.differs else ' class=same'}>{''.join(map(cell, row.cells))}</tr>"
        for row in sheet.rows
    )
    note = f'<p class="note">{safe(sheet.note)}</p>' if sheet.note else ""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}'


def cell(text: str, tag: str = "td") -> str:
    """Return a cell: a short one stays on a line, a word too long for a column may be broken."""
    kinds = ["best"] if BEST in text else []
    if max(map(len, text.split()), default=0) > LONGEST_WORD:
        kinds.append("long")
    elif len(text) <= LONGEST_WORD and tag == "td":
        kinds.append("short")
    elif len(text) > 2 * LONGEST_WORD:
        kinds.append("text")
    told = f' class="{" ".join(kinds)}"' if kinds else ""
    scope = ' scope="col"' if tag == "th" else ""
    return f"<{tag}{scope}{told}>{safe(text)}</{tag}>"


def diff(text: str) -> str:
    """Return the lines of a unified diff in the colours of their signs."""
    kinds = {"+": "p", "-": "m", "@": "h"}
    return "\n".join(
        f'<span class="{kinds[line[0]]}">{safe(line)}</span>' if line[:1] in kinds else safe(line)
        for line in text.splitlines()
    )


def safe(text: str) -> str:
    """Return a logged text such that HTML shows it literally."""
    return escape(valid(text))
