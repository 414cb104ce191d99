"""What the writer's thread adds to a journal by itself.

Numbers of hooks that wait for more of them, values that a device had still to give, what the program printed,
alerts that are due, and what was dropped.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..storage.journal import Journal
from ..storage.journal_read import SeriesDefinition
from ..storage.kinds.event import ALERTS, CONSOLE
from ..storage.lanes import JournalFull
from .console import Console
from .delivery import Later
from .device import PendingValues
from .guard import Guard
from .raw import Payload
from .rules import Rules
from .values import from_array

Context: TypeAlias = Mapping[str, str | int]
_TURN_SECONDS = 0.5


class Turns(Protocol):
    """What these values ask of the recorder whose journal they go to."""

    context: dict[str, str | int]

    @property
    def rows(self) -> Collection[object]:
        """What hooks gave to be appended with the next of its kind."""
        ...

    def append_rows(self) -> None:
        """Append those, in a turn."""
        ...

    def turn(self, timeout: float = -1) -> AbstractContextManager[None]:
        """Hold the lock. Raises Later when it was not to be had in time."""
        ...

    def append_to(
        self, journal: Journal, name: str, value: float | Payload, step: int, now: float, context: Context
    ) -> None:
        """Append a value, in a turn. Raises BadInput, JournalFull."""
        ...


class LateValues:
    """What the writer's thread of one recorder adds."""

    def __init__(self, recorder: Turns, guard: Guard) -> None:
        """Begin with nothing."""
        self.pending = PendingValues()
        """Device values that were logged and are not yet copied."""
        self.console: Console | None = None
        self.rules: Rules | None = None
        """What looks at the numbers that were stored."""
        self._recorder, self._guard = recorder, guard

    def after_fork(self) -> None:
        """Forget what is the parent's."""
        self.pending, self.console = PendingValues(), None

    def append(self, journal: Journal, *, wait: bool) -> bool:
        """Append what waits: numbers of hooks, device values that are ready, and what was dropped.

        Returns:
            False when the journal had no room to say what was dropped: call again later.

        Raises:
            Later: a log call was under way all the time.
        """
        if self._recorder.rows:
            with self._recorder.turn(_TURN_SECONDS):
                self._recorder.append_rows()
        ready = self.pending.take_ready(wait=wait)
        for index, late in enumerate(ready):
            try:
                value = late.snapshot.read()
                if not isinstance(value, Payload):
                    value = from_array(late.name, value, histogram=late.snapshot.histogram)
                with self._recorder.turn(_TURN_SECONDS):
                    self._recorder.append_to(journal, late.name, value, late.step, late.time, late.context)
            except Later:
                self.pending.put_back(ready[index:])
                raise
            except Exception as error:
                self._guard.note(error, f"reading {late.name!r} from its device")
            self.pending.done()
            journal.tell_under_way(self.pending.under_way)
        return self._append_console(journal) and self._append_drops(journal)

    def _append_console(self, journal: Journal) -> bool:
        console = self.console
        output = None if console is None else console.untaken()
        if console is None or output is None:
            return True
        printed = Payload("event", output.data, {"at": output.start, "end": output.end})
        try:
            with self._recorder.turn(_TURN_SECONDS):
                self._recorder.append_to(journal, CONSOLE, printed, 0, time.time(), self._recorder.context)
        except JournalFull:
            return False
        console.taken(output)
        return True

    def look_at(self, slots: NDArray[np.void], definitions: Mapping[int, SeriesDefinition]) -> None:
        """Let the rules look at numbers that were stored."""
        if self.rules is not None:
            with self._guard("looking for alerts"):
                self.rules.look_at(slots, definitions)

    def append_alerts(self, journal: Journal) -> bool:
        """Append the alerts that are due; return whether there were any.

        Raises:
            Later: a log call was under way all the time.
        """
        rules = self.rules
        if rules is None:
            return False
        due = rules.take_due()
        for index, one in enumerate(due):
            try:
                with self._recorder.turn(_TURN_SECONDS):
                    alert = rules.alerts.make(one.title, one.text, one.level)
                    if alert is not None:
                        said = with_context(alert, one.context)
                        self._recorder.append_to(journal, ALERTS, said, one.step, one.time, {})
            except Later:
                rules.put_back(due[index:])
                raise
            except Exception as error:
                self._guard.note(error, "alerting")
        return bool(due)

    def _append_drops(self, journal: Journal) -> bool:
        drops = self._guard.take_drops()
        if not drops:
            return True
        try:
            with self._recorder.turn(_TURN_SECONDS):
                journal.append_drops(time.time(), drops)
        except (JournalFull, Later) as error:
            for reason, count in drops.items():
                self._guard.drop(reason, count)
            if isinstance(error, Later):
                raise
            return False
        return True


def with_context(event: Payload, context: Context) -> Payload:
    """Return an event that tells of its context, such as the rank."""
    return replace(event, facts={**event.facts, "context": dict(context)}) if context else event
