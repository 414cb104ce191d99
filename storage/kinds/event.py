"""What a run says about itself: alerts, console output, artifacts. No value that a user logs.

It is stored as every other record is, in series that begin with "system/"; exports and charts leave it out,
so it stands beside KINDS and not among them. `storage/events.py` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import StoreDamaged
from ..model import SYSTEM_PREFIX
from .base import EncodedValue, Kind, RawValue, Shape

ALERTS = SYSTEM_PREFIX + "alerts"
CONSOLE = SYSTEM_PREFIX + "console"
ARTIFACTS = SYSTEM_PREFIX + "artifacts/"
USED_ARTIFACTS = SYSTEM_PREFIX + "used_artifacts/"
IMPORT = SYSTEM_PREFIX + "import"
"""Names of series; those that end with a slash are followed by the name of the artifact."""


@dataclass(frozen=True, slots=True)
class EventData:
    """One event."""

    facts: Mapping[str, Any]
    text: str


def encode(raw: RawValue) -> EncodedValue:
    """Keep the facts and the UTF-8 text."""
    return EncodedValue(bytes(raw.data).decode("utf-8", "replace").encode(), dict(raw.meta))


def decode(meta: Mapping[str, Any], data: bytes) -> EventData:
    """Return the event."""
    try:
        return EventData(meta, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise StoreDamaged(f"an event of {len(data)} bytes is not UTF-8: {error}") from error


KIND = Kind("event", Shape.DOCUMENT, "text/plain", encode, decode)
