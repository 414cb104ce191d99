"""The live mirror: a run is shown on a running Visdom server while it trains.

A process of its own reads the store, as an export does, and sends what is new (mirror_child.py). The
training's process only starts it and tells it of the end: nothing lies on the way of a log call, and neither
encoding nor a slow server takes Python's lock from the training.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from ..storage.errors import BadInput
from ..storage.location import StoreLocation
from .guard import Guard
from .run import Run
from .settings import MIRROR_VARIABLE

_FINISH_SECONDS = 3.0
"""How long finish() waits until the server has everything."""
_SCHEMES = {"visdom": "http", "visdom+https": "https"}


@dataclass(frozen=True, slots=True)
class MirrorPlace:
    """Where a run is shown."""

    server: str
    """The URL of the server."""
    env: str | None
    """The environment, as trackers/sinks/visdom/run.py takes it; None for the project's."""


def mirror_place(address: str | None, guard: Guard) -> MirrorPlace | None:
    """Read what `init` was given as its mirror, or else STEPSCOPE_MIRROR; None for no mirror.

    A mistake in it is said, and raised if strict.
    """
    given = os.environ.get(MIRROR_VARIABLE) or None if address is None else address
    with guard("reading the mirror's address"):
        return None if given is None else place_of(given)
    return None


def place_of(address: str) -> MirrorPlace:
    """Read an address such as "visdom://localhost:8097/env", "visdom://host" or "visdom+https://host/base/env".

    What follows the last "/" is the environment; nothing there means the project's.

    Raises:
        BadInput: it is none.
    """
    parts = host = None
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        parts = urlsplit(address)
        host = parts.hostname if parts.port != 0 else None
    if parts is None or parts.scheme not in _SCHEMES or not host:
        raise BadInput(
            f"mirror takes the address of a Visdom server, such as visdom://localhost:8097/env, but got "
            f"{address!r}. For https, begin it with visdom+https."
        )
    base, _, env = parts.path.rpartition("/")
    return MirrorPlace(f"{_SCHEMES[parts.scheme]}://{parts.netloc}{base}", unquote(env) or None)


def start_mirror(place: MirrorPlace | None, run: Run, location: StoreLocation) -> None:
    """Show a run from now on. Among several ranks, that of rank 0 shows what all of them log."""
    if place is not None and not run.rank:
        with run.guard("starting the mirror"):
            mirror = _Mirror(place, run, location)
            run.on_finish(mirror.end)
            run.on_closed(mirror.wait)


class _Mirror:
    """The child, and what ties it to this process."""

    def __init__(self, place: MirrorPlace, run: Run, location: StoreLocation) -> None:
        """Start the child. Raises OSError when that cannot be."""
        self._guard = run.guard
        self._pid = os.getpid()
        self._is_over = False
        # -P keeps the training's folder off the child's path: a user's own queue.py would be imported there.
        # Its errors come as messages; standard error may be a pipe that somebody reads to its end.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "stepscope.trackers.mirror_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        # By its input and not as arguments, which others can read: there may be passwords in it.
        order = {"store": location.url, "run": run.id, "server": place.server, "env": place.env}
        self._tell(json.dumps(order))
        self._listener = threading.Thread(target=self._listen, name="stepscope-mirror", daemon=True)
        self._listener.start()

    def end(self) -> None:
        """Tell the child that nothing comes any more but how the run ended."""
        self._is_over = True
        self._tell("end")

    def wait(self) -> None:
        """Wait a moment until the server has everything."""
        if os.getpid() != self._pid or not self._is_over:
            return
        self._listener.join(_FINISH_SECONDS)
        if self._listener.is_alive():
            self._guard.say(
                "mirror late",
                f"Visdom did not take everything within {_FINISH_SECONDS:g} seconds. "
                f"What is missing there, `stepscope export visdom` sends.",
            )

    def _tell(self, line: str) -> None:
        stdin: Any = self._process.stdin
        with contextlib.suppress(OSError):  # it has ended, of which the listener tells
            stdin.write(f"{line}\n")
            stdin.flush()

    def _listen(self) -> None:
        """Say what the child says, until it ends."""
        answers: Any = self._process.stdout
        with answers:
            for line in answers:
                self._guard.say(**json.loads(line))
        code = self._process.wait()
        stdin: Any = self._process.stdin
        with contextlib.suppress(OSError):  # a line that it did not read any more
            stdin.close()
        if not self._is_over:
            again = "The run itself goes on, and is stored; `stepscope export visdom` shows it there."
            self._guard.say("mirror ended", f"the mirror to Visdom ended with exit code {code}. {again}")
