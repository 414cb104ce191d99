"""The dashboard's own Visdom server: started at first use, filled from runs, stopped with the dashboard."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from urllib.request import Request, urlopen

from ..storage.errors import MissingExtra
from ..storage.read import Reader
from ..trackers.transfer import export_visdom
from .visdom_assets import missing_assets, static_folder
from .visdom_process import VisdomProcess, VisdomUnavailable

BASE_URL = "/visdom"
ENVIRONMENT = "main"
"""The one that Visdom's page shows when it is opened."""
CLOSE_SECONDS = 30


class VisdomServer:
    """Starts the child when it is first needed, and again should it have ended. Thread-safe."""

    def __init__(self, store: str | None) -> None:
        """Take the store whose runs `fill` shows."""
        self._store = store
        self._lock = threading.Lock()
        self._filling = threading.Lock()
        self._child: VisdomProcess | None = None

    def problem(self) -> str | None:
        """Return in a sentence why Visdom cannot be shown, None when it can."""
        static = static_folder()
        if static is None:
            return str(MissingExtra("The Visdom page", "visdom"))
        missing = missing_assets(static)
        if not missing:
            return None
        return (
            f"Visdom is installed, but {len(missing)} of the scripts and styles of its page are not: "
            f"{', '.join(missing[:3])}{' ...' if missing[3:] else ''}. Run `visdom` once while the internet "
            "can be reached: it downloads them. Or, in a clone and with npm: python tools/visdom_assets.py"
        )

    def origin(self) -> str:
        """Return the child's own scheme, host and port; start the child if need be.

        Raises:
            VisdomUnavailable: there is a `problem`, or the child did not start.
        """
        with self._lock:
            if self._child is None or not self._child.runs():
                problem = self.problem()
                if problem is not None:
                    raise VisdomUnavailable(problem)
                self._child = VisdomProcess.start()
            return self._child.origin

    def fill(self, run_ids: Sequence[str]) -> None:
        """Show these runs, and no others, in the environment that Visdom opens with.

        Raises:
            VisdomUnavailable: see `origin`.
            StepscopeError: the runs cannot be read.
        """
        server = self.origin() + BASE_URL
        with self._filling, Reader.open(self._store) as reader:
            _close_windows(server)
            export_visdom(reader, run_ids, server=server, env=ENVIRONMENT)

    def stop(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.stop()


def _close_windows(server: str) -> None:
    # The export leaves windows of other runs where they are, as it should on a server of the user's own.
    body = json.dumps({"win": None, "eid": ENVIRONMENT}).encode()
    request = Request(f"{server}/close", body, {"Content-Type": "application/json"})  # noqa: S310 - the child
    try:
        urlopen(request, timeout=CLOSE_SECONDS).close()  # noqa: S310
    except OSError as error:
        raise VisdomUnavailable(f"Visdom's server does not answer: {error}. Try again.") from error


# Streamlit runs the pages in this process, but hands them nothing.
_current: VisdomServer | None = None


@contextmanager
def serving(server: VisdomServer) -> Generator[None]:
    """Let the pages find the server for as long as the dashboard runs, and stop it then."""
    global _current
    _current = server
    try:
        yield
    finally:
        _current = None
        server.stop()


def current() -> VisdomServer:
    """Return the running dashboard's Visdom server, for its pages.

    Raises:
        VisdomUnavailable: no dashboard runs in this process.
    """
    if _current is None:
        raise VisdomUnavailable("Visdom is served by the dashboard only. Start it with: stepscope ui")
    return _current
