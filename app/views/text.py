"""Logged text as Markdown that cannot reach out of the page."""

from __future__ import annotations

from ...storage.kinds.text import TextData
from .words import count, valid

LONGEST = 20_000
"""Characters that the page shows of one text."""

# A word joiner, which nobody sees: without it, Markdown takes the two for the beginning of an image.
_NO_IMAGE = "!\u2060["


def figure(data: TextData) -> str:
    """Return Markdown for the page.

    HTML in it is shown as text, since Streamlit renders none unless told to. Images become links: a
    browser would load them from wherever a log names, which tells that place who looks at what. In code
    as well: where code begins and ends is told by more rules than are worth repeating here.
    """
    text = valid(data.text)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}\n\n… {count(len(text) - LONGEST)} more characters are not shown."
    return text.replace("![", _NO_IMAGE)
