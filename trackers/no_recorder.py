"""What a run has in place of a recorder when there is no store."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from .guard import Guard
from .rules import Rules
from .settings import DEFAULT_COST_BUDGET


class NoRecorder:
    """Takes the place of a recorder when there is no store: counts what it is given, keeps nothing."""

    journal = None
    in_child = False
    rank = 0
    cost_budget = DEFAULT_COST_BUDGET

    def __init__(self, guard: Guard) -> None:
        """Count with `guard`."""
        self.lock = threading.RLock()
        self.numbers: dict[str, int] = {}
        self.depth = 0
        self.rows: deque[Any] = deque()
        self.aside: list[tuple[str, Callable[[], None]]] = []
        self._guard = guard

    @contextmanager
    def turn(self, timeout: float = -1) -> Generator[None]:  # noqa: ARG002 - the signature of Recorder
        """Hold the lock."""
        with self.lock:
            yield

    def append_aside(self) -> None:
        """Nothing is put aside."""

    def append_rows(self) -> None:
        """Count the values."""
        while self.rows:
            values, _, _ = self.rows.popleft()
            self._guard.drop("the store could not be opened", len(values))

    def append(self, *_: object) -> None:
        """Count the value."""
        self._guard.drop("the store could not be opened")

    def use_rules(self, rules: Rules) -> None:
        """Nothing is stored that they could look at."""

    def keep_console(self) -> None:
        """Nothing is kept."""

    def stop_console(self) -> None:
        """Nothing is kept."""

    def change(self, change: Mapping[str, Any]) -> None:
        """Do nothing."""

    def end(self, change: Mapping[str, Any], until: float) -> None:
        """Do nothing."""

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - the signature of Recorder
        """Nothing waits."""
        return True

    def close(self, timeout: float) -> None:
        """Do nothing."""
