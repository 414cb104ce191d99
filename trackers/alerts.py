"""Alerts: what a run wants people to notice."""

from __future__ import annotations

import itertools
import logging

from ..storage.errors import BadInput
from .guard import Guard, logger
from .raw import Payload
from .tracked_dict import text_of

LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
MOST_ALERTS = 1000
"""Alerts that one process gives a run; the rest is counted."""
_TITLE_CHARACTERS = 200
_TEXT_CHARACTERS = 10_000


class Alerts:
    """Makes the alerts of one process, says each in the log, and counts them."""

    def __init__(self, guard: Guard) -> None:
        """Count what is too many with `guard`."""
        self._guard = guard
        self._numbers = itertools.count(1)

    def make(self, title: object, text: object, level: object) -> Payload | None:
        """Return what the journal takes; None when there were too many.

        Raises:
            BadInput: there is no such level, or no title.
        """
        if not isinstance(level, str) or level not in LEVELS:
            raise BadInput(f'an alert has the level "info", "warning" or "error", but got {level!r:.80}.')
        head = " ".join(text_of(title).split())[:_TITLE_CHARACTERS]
        if not head:
            raise BadInput(f"an alert needs a title of a few words, but got {title!r:.80}.")
        # Without a lock, which a fork might find held.
        if next(self._numbers) > MOST_ALERTS:
            self._too_many()
            return None
        body = text_of(text)[:_TEXT_CHARACTERS]
        logger.log(LEVELS[level], "stepscope: %s%s", head, f": {body}" if body else "")
        return Payload("event", body.encode("utf-8", "replace"), {"title": head, "level": level})

    def _too_many(self) -> None:
        self._guard.drop("too many alerts")
        self._guard.say(
            "alerts",
            f"a run keeps {MOST_ALERTS} alerts of a process. Further ones are counted, and not kept.",
        )
