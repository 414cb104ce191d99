"""The process of a live mirror: `python -m stepscope.trackers.mirror_child`, started by mirror.py.

Its order comes as one line of JSON on standard input: {"store": URL, "run": id, "server": URL, "env": ...}.
The line "end" says that the run ends; the child ends itself once the server has that. When standard input
closes, or the process that started it is gone, it ends soon: the operating system sees to that even when the
training is killed. Lines of JSON on standard output are what people should be told: {"key": ...,
"message": ...}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

from ..storage.errors import ExportRefused, StepscopeError
from ..storage.read import Reader
from .sinks.visdom.client import VisdomServer
from .sinks.visdom.follow import VisdomFollower

_PACE_SECONDS = 1.0
_SHARE = 4
"""How many times longer than a transmission took, the next one waits: the server has others to serve."""
_LONGEST_PAUSE = 10.0
_SERVER_SECONDS = 10.0
"""How long the server may take for one answer."""
_END_SECONDS = 30.0
"""How long after the run's end the rest may take."""
_GONE_SECONDS = 2.0
"""The same when the training's process is gone."""
_LOOK_SECONDS = 1.0
_NICE = 5


class Orders:
    """What the training's process wants. Two threads listen: a worker of it may hold the pipe open."""

    def __init__(self) -> None:
        """Begin to listen."""
        self.ending = threading.Event()
        """The run ends, or is gone."""
        self.gone = threading.Event()
        self._parent = os.getppid()
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._look, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            if line.strip() == "end":
                self.ending.set()
        self._leave()

    def _look(self) -> None:
        while os.getppid() == self._parent:
            time.sleep(_LOOK_SECONDS)
        self._leave()

    def _leave(self) -> None:
        self.gone.set()
        self.ending.set()
        time.sleep(_GONE_SECONDS)
        os._exit(0)


class Mirror:
    """Sends again and again what is new."""

    def __init__(self, store: str, run: str, server: str, env: str | None) -> None:
        """Take the words of the order."""
        self._store, self._run, self._env = store, run, env
        self._server = VisdomServer(server, _SERVER_SECONDS)
        self._reader: Reader | None = None
        self._follower: VisdomFollower | None = None
        self._failures = 0

    def serve(self, orders: Orders) -> None:
        """Send until the run has ended and the server knows it, or there is no use in it."""
        until = float("inf")
        while True:
            began = time.monotonic()
            if orders.ending.is_set():
                until = min(until, began + _END_SECONDS)
            if self._send() or (orders.ending.is_set() and (self._failures or began >= until)):
                break
            if orders.gone.is_set():
                break
            self._pause(orders, time.monotonic() - began)
        if self._follower is not None and not self._failures:
            self._follower.save()

    def _send(self) -> bool:
        """Send what is new; return whether the run has ended."""
        try:
            has_ended = self._ready().send()
        except ExportRefused as error:
            self._failures += 1
            say("mirror", f"{str(error).split(' Start one')[0]} The mirror tries again; the run goes on.")
            return False
        except StepscopeError:
            # The store is away, or does not have the run yet; the run itself tells of that.
            self._close()
            return False
        self._failures = 0
        for what, reason in self._ready().problems.items():
            say(f"mirror {what}", f"{what} cannot be shown in Visdom: {reason}.")
        return has_ended

    def _ready(self) -> VisdomFollower:
        if self._follower is None:
            self._reader = Reader.open(self._store)
            self._follower = VisdomFollower(self._reader, self._run, self._server, self._env)
        return self._follower

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = self._follower = None

    def _pause(self, orders: Orders, took: float) -> None:
        if orders.ending.is_set():
            # How the run ended comes into the store any moment.
            orders.gone.wait(0.05)
        elif self._failures:
            orders.ending.wait(min(_PACE_SECONDS * 2 ** (self._failures - 1), _LONGEST_PAUSE))
        else:
            orders.ending.wait(max(_PACE_SECONDS, _SHARE * took))


_said: set[str] = set()


def say(key: str, message: str) -> None:
    """Have people told something, once for each key."""
    if key not in _said:
        _said.add(key)
        print(json.dumps({"key": key, "message": message}), flush=True)


def main() -> None:
    """Do what the line says."""
    # Ctrl-C reaches every process of a terminal; the training decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    order = json.loads(sys.stdin.readline())
    try:
        Mirror(**order).serve(Orders())
    except ExportRefused:
        return  # the server left when everything was there, but for a copy on its disk
    except Exception as error:
        say("mirror failed", f"the mirror to Visdom failed: {error!r}.")
        raise


if __name__ == "__main__":
    main()
