"""Starts and ends the Visdom child (see child.py, which is what runs in it)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import IO, Self

from ...storage.errors import StepscopeError
from ..child_process import end, first_line

START_SECONDS = 60.0
"""How long Visdom may take to listen: it imports scipy, which can be slow on a cold disk."""


class VisdomUnavailable(StepscopeError):
    """Visdom cannot be shown."""


@dataclass(frozen=True, slots=True)
class VisdomProcess:
    """The child, and what ties it to this process."""

    process: subprocess.Popen[str]
    lifeline: IO[str]
    """The child ends when this closes, so also when this process is killed."""
    origin: str
    """The child's scheme, host and port."""

    @classmethod
    def start(cls) -> Self:
        """Start the child and wait until it listens.

        Raises:
            VisdomUnavailable: it ended, or did not listen in time.
        """
        # -P keeps the folder that the dashboard was started in off the child's path: a user's own
        # tornado.py there would be imported instead.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "stepscope.app.visdom_live.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None  # noqa: S101 - both are pipes, as asked for above
        assert process.stdout is not None  # noqa: S101
        with process.stdout as answer:
            port = first_line(answer, START_SECONDS).strip()
        child = cls(process, process.stdin, f"http://127.0.0.1:{port}")
        if not port.isdecimal():
            child.stop()
            raise VisdomUnavailable(
                f"Visdom's server should have named its port within {START_SECONDS:g} s, but ended with exit "
                f"code {process.returncode}. What it printed is in the terminal of `stepscope ui`."
            )
        return child

    def runs(self) -> bool:
        """Return whether the child is still there."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask the child to end; end it by force when it does not."""
        end(self.process)
