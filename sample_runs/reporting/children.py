"""A program that runs as a child: how long it took, and how much memory, and what it said at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

Used: TypeAlias = tuple[float, float, float, float]
"""When it was started (seconds since the epoch), wall seconds, processor seconds, peak memory in MiB."""
_GRACE_SECONDS = 10.0
_TAIL_LINES = 8
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
"""What the system counts the peak memory of a process in."""


class Stopped(Exception):
    """Ctrl-C came while a child ran."""

    def __init__(self, used: Used) -> None:
        """Say what the child used until it was stopped."""
        super().__init__("stopped")
        self.used = used


class Child:
    """One program with all processes that it starts."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        """Start it; what it prints goes into files in a folder, which must stay until it was read."""
        self._printed = folder / "stderr"
        self._began, self._tick = time.time(), time.perf_counter()
        with (folder / "stdout").open("wb") as out, self._printed.open("wb") as err:
            # A session of its own: Ctrl-C reaches it through `wait`, once, with all that it has started.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        self.code = 0
        """The exit status, once it has ended; negative for a signal."""

    def wait(self) -> Used:
        """Wait for its end.

        Raises:
            Stopped: Ctrl-C came; the child has ended then.
        """
        try:
            return self._wait()
        except KeyboardInterrupt:
            self._signal(signal.SIGINT)
            raise Stopped(self._wait_a_while()) from None

    def tail(self) -> str:
        """Return the last lines that it wrote to standard error."""
        lines = self._printed.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").splitlines()
        return "\n".join([line for line in lines if line.strip()][-_TAIL_LINES:])

    def _wait(self, flags: int = 0) -> Used:
        pid, status, used = os.wait4(self._process.pid, flags)
        took = time.perf_counter() - self._tick
        if pid:
            self.code = self._process.returncode = os.waitstatus_to_exitcode(status)
        return self._began, took, used.ru_utime + used.ru_stime, used.ru_maxrss * _MAXRSS_BYTES / 2**20

    def _wait_a_while(self) -> Used:
        end = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < end:
            used = self._wait(os.WNOHANG)
            if self._process.returncode is not None:
                return used
            time.sleep(0.05)
        self._signal(signal.SIGKILL)
        return self._wait()

    def _signal(self, number: int) -> None:
        os.killpg(self._process.pid, number)
