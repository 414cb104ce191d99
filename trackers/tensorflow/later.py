"""Tensors that a thread of its own reads, so that training waits for no device."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from ..guard import Guard
from .flags import is_on_host

_MOST_WAITING = 100
"""Readings that wait for a device; a queue that long is no queue any more."""


class Later:
    """Reads tensors in the order in which they came: at once where the host has them, else in a thread."""

    def __init__(self, guard: Guard, doing: str) -> None:
        """Tell what fails under `doing`."""
        self._guard, self._doing = guard, doing
        self._pool: ThreadPoolExecutor | None = None
        self._waiting = 0

    def read(self, tensors: Sequence[Any], then: Callable[..., None]) -> None:
        """Call `then` with the arrays of these eager tensors, which never change."""
        if all(map(is_on_host, tensors)):
            then(*[tensor.numpy() for tensor in tensors])
        elif self._waiting < _MOST_WAITING:
            self._waiting += 1
            self._pool = self._pool or ThreadPoolExecutor(1, "stepscope-watchdog")
            self._pool.submit(partial(self._work, tensors, then))

    def close(self) -> None:
        """Wait until all is read."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _work(self, tensors: Sequence[Any], then: Callable[..., None]) -> None:
        self._waiting -= 1
        with self._guard(self._doing):
            then(*[tensor.numpy() for tensor in tensors])
