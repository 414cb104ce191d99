"""A text as users wrap it."""

from __future__ import annotations

from ...storage.errors import BadInput
from ..raw import Payload
from .base import Loggable


class Text(Loggable):
    """A text in markdown."""

    kind = "text"

    def __init__(self, text: str) -> None:
        """Wrap `text`."""
        self.text = text

    def payload(self) -> Payload:
        """Return the text as UTF-8. Raises BadInput when it is not a string."""
        if not isinstance(self.text, str):
            raise BadInput(f"a text must be a string, but got {type(self.text).__name__}")
        return Payload(self.kind, self.text.encode("utf-8", "replace"), {})
