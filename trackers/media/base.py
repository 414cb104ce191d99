"""What every wrapped value is.

Building one never fails and copies nothing; it is looked at, and copied, when it is logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...storage.errors import BadInput
from ..guard import logger
from ..raw import Payload

_said: set[tuple[str, str]] = set()


class Loggable:
    """Base of the wrapped values."""

    kind: str
    meaningless: ClassVar[frozenset[str]] = frozenset()
    """Arguments that scripts for other trackers pass, and that are not looked at."""

    def payload(self) -> Payload:
        """Return what the journal takes. Raises BadInput."""
        raise BadInput(f"{type(self).__name__} cannot be logged: wrap Image, Audio, Text ...")

    def _pass_over(self, others: Mapping[str, Any]) -> None:
        """Say once of each argument that it means nothing here. Raises TypeError where there is no such."""
        what = type(self).__name__
        for name in others:
            if name not in self.meaningless:
                raise TypeError(f"{what}() got an unexpected keyword argument {name!r}")
            if (what, name) not in _said:
                _said.add((what, name))
                logger.warning(
                    "stepscope: %s takes %s as other trackers do; here it means nothing.", what, name
                )


def as_caption(caption: object) -> str | None:
    """Return a caption as text, which UTF-8 can hold; None stays None."""
    return None if caption is None else str(caption).encode("utf-8", "replace").decode()
