"""The times of trackio: ISO 8601 texts, UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(1024)
def seconds(text: str) -> float:
    """Return seconds since the epoch. Raises ValueError when it is no time."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def seconds_or_zero(text: str) -> float:
    """Return seconds since the epoch, 0 when the text is no time."""
    try:
        return seconds(text)
    except ValueError:
        return 0.0
