"""Processes that the dashboard or a notebook starts: what they say first, and how they end.

Each holds the other end of a pipe as its standard input, its lifeline: when that closes, it ends. The
operating system sees to it, also when whoever started it is killed.
"""

from __future__ import annotations

import select
import subprocess
import time
from contextlib import suppress
from typing import IO

STOP_SECONDS = 3.0


def first_line(pipe: IO[str], seconds: float) -> str:
    """Return the first line, or nothing when none comes in time or the pipe ends."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        readable, _, _ = select.select([pipe], [], [], 0.2)
        if readable:
            return pipe.readline()
    return ""


def end(process: subprocess.Popen[str]) -> None:
    """Close a process's lifeline and wait; end it by force when it does not go."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
