"""Takes apart the HTML of Visdom's text panes: sounds, films, pictures and tables lie in them too.

Nothing of it is ever run or loaded: what is not one of these is text.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import unquote_to_bytes

PartKind = Literal["head", "text", "table", "audio", "video", "image"]

_MEDIA = {"audio": "audio", "video": "video", "img": "image"}
_BLOCKS = frozenset({"p", "div", "br", "pre", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul"})
_UNSEEN = frozenset({"script", "style", "title", "template"})
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)((?:;[\w=.+-]+)*?)(;base64)?,", re.ASCII)


@dataclass(slots=True)
class HtmlPart:
    """One piece of a text pane."""

    kind: PartKind
    text: str = ""
    """Of a head or a text: what a reader sees."""
    exact: bool = False
    """Whether it is a text with its own blanks and lines."""
    media_type: str = ""
    data: bytes = b""
    """Of a sound, a film or a picture: the file."""
    rows: list[list[str]] = field(default_factory=list[list[str]])
    """Of a table."""
    has_head: bool = False
    """Whether the first row of a table names its columns."""


def parts_of(html: str) -> list[HtmlPart]:
    """Return the pieces of a text pane, in their order; texts are stripped, and empty ones left out."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    parser.end_text()
    return parser.parts


def data_of(uri: str) -> tuple[str, bytes] | None:
    """Return the media type and the bytes of a data URI; None when it is none, or damaged."""
    match = _DATA_URI.match(uri)
    if match is None:
        return None
    body = uri[match.end() :]
    try:
        data = base64.b64decode(body, validate=True) if match[3] else unquote_to_bytes(body)
    except (binascii.Error, ValueError):
        return None
    return match[1].lower(), data


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[HtmlPart] = []
        self._text: list[str] = []
        self._table: HtmlPart | None = None
        self._within: list[str] = []
        self._media = ""
        """The sound or film that is open: what it says to old browsers is not text."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _MEDIA or (tag == "source" and self._media):
            self._file(_MEDIA.get(tag, self._media), dict(attrs).get("src") or "")
            self._media = tag if tag in ("audio", "video") else self._media
        elif tag in _UNSEEN:
            self._within.append(tag)
        elif tag == "table":
            self.end_text()
            self._table = HtmlPart("table")
        elif self._table is not None:
            self._cell(tag)
        elif tag in ("h1", "h2", "h3", "h4") or tag == "pre":
            self.end_text()
        elif tag in _BLOCKS:
            self._text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._media:
            self._media = ""
        elif self._within and tag == self._within[-1]:
            self._within.pop()
        elif tag == "table" and self._table is not None:
            self._table.rows = [[cell.strip() for cell in row] for row in self._table.rows if row]
            self.parts.append(self._table)
            self._table = None
        elif tag == "pre" and self._table is None:
            self.parts.append(HtmlPart("text", "".join(self._text), exact=True))
            self._text.clear()
        elif tag in ("h1", "h2", "h3", "h4"):
            self.end_text("head")
        elif tag in _BLOCKS:
            self._text.append("\n")

    def handle_data(self, data: str) -> None:
        if self._media or self._within:
            return
        if self._table is None:
            self._text.append(data)
        elif self._table.rows and self._table.rows[-1]:
            self._table.rows[-1][-1] += data

    def end_text(self, kind: PartKind = "text") -> None:
        text = "".join(self._text).strip("\n")
        self._text.clear()
        if text.strip():
            self.parts.append(HtmlPart(kind, text))

    def _file(self, kind: str, source: str) -> None:
        found = data_of(source)
        if found is None:
            return
        self.end_text()
        media_type, data = found
        if kind == "image" and media_type == "image/gif":
            kind = "video"
        self.parts.append(HtmlPart(kind, media_type=media_type, data=data))  # pyright: ignore[reportArgumentType]

    def _cell(self, tag: str) -> None:
        table = self._table
        if table is None:
            return
        if tag == "tr":
            table.rows.append([])
        elif tag in ("td", "th"):
            if not table.rows:
                table.rows.append([])
            table.has_head = table.has_head or (tag == "th" and len(table.rows) == 1)
            table.rows[-1].append("")
