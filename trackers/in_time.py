"""Waiting for something that may hang: a server that was stopped, a disk on a network that is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def in_time(work: Callable[[], T], seconds: float) -> T:
    """Return what `work` returns, or raise what it raises; it runs in a thread of its own.

    Raises:
        TimeoutError: it takes longer than `seconds`. It goes on, but nobody hears of it any more.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="stepscope-in-time", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer in {seconds:g} seconds")
    return results[0]
