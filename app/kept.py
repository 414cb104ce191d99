"""Results that are kept, by reference: for what a page asks for a hundred times.

Streamlit's own caches look at each call for a quarter of a millisecond, which is more than a line of a chart
takes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The results that were asked for last. Thread-safe; two threads may make the same one at once."""

    def __init__(
        self,
        most: int,
        release: Callable[[T], object] = lambda _: None,
        size: Callable[[T], int] = lambda _: 1,
    ) -> None:
        """Keep at most so many, and call `release` with those that are let go.

        Args:
            most: how many, or how much they may be together, in the unit of `size`.
            release: called with what is let go.
            size: how much one counts.
        """
        self._most = most
        self._release = release
        self._size = size
        self._total = 0
        self._found: OrderedDict[Hashable, tuple[Hashable, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T], state: Hashable = None) -> T:
        """Return what is kept under a key; made now when there is nothing. What `make` raises is not kept.

        Args:
            key: what is asked for.
            make: makes it.
            state: of what it is made from. A result of another state is let go: nobody asks for it again,
                and a run that is watched for hours has many.
        """
        with self._lock:
            found = self._found.get(key)
            if found is not None and found[0] == state:
                self._found.move_to_end(key)
                return found[1]
        made = make()
        with self._lock:
            kept, gone = self._keep(key, state, made)
        for one in gone:
            self._release(one)
        return kept

    def has(self, key: Hashable, state: Hashable = None) -> bool:
        """Return whether a result of that state is kept; asking does not count as use."""
        with self._lock:
            found = self._found.get(key)
            return found is not None and found[0] == state

    def _keep(self, key: Hashable, state: Hashable, made: T) -> tuple[T, list[T]]:
        """Return what counts from now on, and what is let go."""
        before = self._found.pop(key, None)
        if before is not None and before[0] == state:
            self._found[key] = before
            return before[1], [made]
        self._found[key] = (state, made)
        gone = [] if before is None else [before[1]]
        self._total += self._size(made) - sum(map(self._size, gone))
        while self._total > self._most:
            _, oldest = self._found.popitem(last=False)[1]
            self._total -= self._size(oldest)
            gone.append(oldest)
        return made, gone
