"""The one policy of "never break training".

Public entry points run under a guard: an error is said once, what was lost is counted, and the
training goes on. With STEPSCOPE_STRICT=1 the error is raised instead.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from types import TracebackType

from ..storage.errors import StepscopeError
from .tracked_dict import text_of

logger = logging.getLogger("stepscope")

MOST_REASONS = 100
"""Reasons of drops that are told apart; a mistake in a loop must not make a table of its own."""
_OTHER_REASONS = "other reasons"
_MOST_ALIKE = 10
"""Messages that differ in names and numbers alone: so many are said, the rest is counted only."""
_MOST_CHARACTERS = 1000
"""Of the text of an error; some print the whole tensor that they did not like."""
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|-?\d+")


class Guard:
    """Keeps the tracker's errors away from the training loop, and counts what they cost."""

    def __init__(self, *, strict: bool) -> None:
        """Raise what comes up if strict, else say it once."""
        self.strict = strict
        self._said: set[str] = set()
        self._alike: Counter[str] = Counter()
        self._reasons: set[str] = set()
        self._drops: Counter[str] = Counter()
        self._lock = threading.RLock()  # a signal handler may log while its own thread counts

    def __call__(self, doing: str) -> _Guarded:
        """Return a context whose errors do not leave it; `doing` completes "while ..."."""
        return _Guarded(self, doing)

    def handle(self, error: Exception, doing: str, *, lost: int = 1) -> None:
        """Count what was lost and say the error once; raise it if strict."""
        if self.strict:
            self._count(error, doing, lost)
            raise error
        self.note(error, doing, lost=lost)

    def note(self, error: Exception, doing: str, *, lost: int = 1) -> None:
        """Count what was lost and say the error once, on a thread that has nobody to raise it to."""
        self._count(error, doing, lost)
        # The beginning of a message tells errors apart, its rest often holds a value that changes.
        kind, text = type(error).__name__, _shortened(text_of(error))
        key = f"{kind}: {text[:24]}"
        if key not in self._said:
            alike = f"{kind}: {_VALUES.sub('', text)[:40]}"
            self.say(key, f"while {doing}: {text}", alike=alike)

    def drop(self, reason: str, count: int = 1) -> None:
        """Count values that are not stored."""
        with self._lock:
            if reason not in self._reasons and len(self._reasons) >= MOST_REASONS:
                reason = _OTHER_REASONS
            self._reasons.add(reason)
            self._drops[reason] += count

    def take_drops(self) -> dict[str, int]:
        """Return what was counted since the last call."""
        with self._lock:
            drops, self._drops = self._drops, Counter()
        return dict(drops)

    def say(self, key: str, message: str, *, alike: str = "") -> None:
        """Tell the user something, once for each key; a thousand keys are enough for anybody.

        Of messages that are `alike`, only the first few are said.
        """
        with self._lock:
            if key in self._said or len(self._said) >= 1000 or self._alike[alike] >= _MOST_ALIKE:
                return
            self._said.add(key)
            if alike:
                self._alike[alike] += 1
            if self._alike[alike] == _MOST_ALIKE:
                message = f"{message.rstrip('.')}. More like this is counted, and no longer said."
        logger.warning("stepscope: %s", message)

    def after_fork(self) -> None:
        """Begin anew in a forked child: the parent stores its own counts, and its lock may be held."""
        self._drops = Counter()
        self._lock = threading.RLock()

    def _count(self, error: Exception, doing: str, lost: int) -> None:
        if not lost:
            return
        if isinstance(error, StepscopeError) and error.reason:
            # One reason, whatever the name was that met it.
            task, _, _ = doing.partition(" '")
            reason = f"{error.reason} while {task}"
        else:
            reason = f"{type(error).__name__} while {doing}"
        self.drop(reason[:200], lost)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} ..."


class _Guarded:
    """One use of a guard. A class, because it costs a tenth of a generator's context."""

    __slots__ = ("_doing", "_guard")

    def __init__(self, guard: Guard, doing: str) -> None:
        self._guard = guard
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            self._guard.handle(error, self._doing)
            return True
        return False
