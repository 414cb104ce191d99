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

    def __init__(self, most: int, release: Callable[[T], object] = lambda _: None) -> None:
        """Keep at most so many, and call `release` with those that are let go."""
        self._most = most
        self._release = release
        self._found: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under a key; made now when there is nothing. What `make` raises is not kept."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        made = make()
        with self._lock:
            kept = self._found.setdefault(key, made)
            gone = [] if kept is made else [made]
            while len(self._found) > self._most:
                gone.append(self._found.popitem(last=False)[1])
        for one in gone:
            self._release(one)
        return kept
