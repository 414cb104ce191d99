"""A page of HTML as users wrap it."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from .text import Text


class Html(Text):
    """A piece of HTML, kept and shown as its source: what a run logs is not let into the dashboard's page."""

    def __init__(self, data: str | Path | IO[str], inject: Any = None) -> None:  # noqa: ARG002 - of pages
        """Wrap HTML: a text, the path of an `.html` file, or an open file."""
        super().__init__(f"```html\n{_source(data)}\n```")


def _source(data: Any) -> str:
    if hasattr(data, "read"):
        return str(data.read())
    text = str(data)
    return Path(text).read_text() if isinstance(data, Path) or text.endswith(".html") else text
