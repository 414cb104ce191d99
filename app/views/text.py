"""Logged text as Markdown that cannot reach out of the page."""

from __future__ import annotations

import re

from ...storage.kinds.text import TextData
from .words import count, valid

LONGEST = 20_000
"""Characters that the page shows of one text."""

# A fenced block, an inline code span, or the beginning of an image.
_CODE_OR_IMAGE = re.compile(
    r"(^ {0,3}(?P<fence>`{3,}|~{3,}).*?(?:^ {0,3}(?P=fence)|\Z)|(?P<tick>`+)[^`].*?(?P=tick))|!\[",
    re.M | re.S,
)


def figure(data: TextData) -> str:
    """Return Markdown for the page.

    HTML in it is shown as text, since Streamlit renders none unless told to. Images become links: a
    browser would load them from wherever a log names, which tells that place who looks at what.
    """
    text = valid(data.text)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}\n\n… {count(len(text) - LONGEST)} more characters are not shown."
    return _CODE_OR_IMAGE.sub(lambda found: found[1] or "[", text)
