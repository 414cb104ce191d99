"""Ctrl-C, for commands that end what they are at and then say what they have done."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event


@contextmanager
def stopped_by_ctrl_c() -> Generator[Event]:
    """Yield what the first Ctrl-C sets; a second one ends the command at once."""
    stop = Event()

    def ask(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
