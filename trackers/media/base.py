"""What every wrapped value is.

Building one never fails and copies nothing; it is looked at, and copied, when it is logged.
"""

from __future__ import annotations

from ...storage.errors import BadInput
from ..raw import Payload


class Loggable:
    """Base of the wrapped values."""

    kind: str

    def payload(self) -> Payload:
        """Return what the journal takes. Raises BadInput."""
        raise BadInput(f"{type(self).__name__} cannot be logged: wrap Image, Audio, Text ...")


def as_caption(caption: object) -> str | None:
    """Return a caption as text; None stays None."""
    return None if caption is None else str(caption)
