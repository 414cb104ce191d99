"""The dashboard's own Visdom server: started at first use, filled from runs, stopped with the dashboard."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from urllib.request import Request, urlopen

from ...storage.errors import MissingExtra, StepscopeError
from ...storage.read import Reader
from ...trackers.exports import export_visdom
from .assets import missing_assets, static_folder
from .process import VisdomProcess, VisdomUnavailable

BASE_URL = "/visdom"
ENVIRONMENT = "main"
"""The one that Visdom's page shows when it is opened."""
CLOSE_SECONDS = 30
AGAIN_SECONDS = 3.0
"""How long windows stay as they are while a run trains: to fill them takes a while."""

_log = logging.getLogger(__name__)


class VisdomServer:
    """Starts the child when it is first needed, and again should it have ended. Thread-safe."""

    def __init__(self, store: str | None) -> None:
        """Take the store whose runs `fill` shows."""
        self._store = store
        self._lock = threading.Lock()
        self._filling = threading.Lock()
        self._child: VisdomProcess | None = None
        self._shown: tuple[str, ...] = ()
        self._filled_at = 0.0
        self._is_due = False
        self._stopped = threading.Event()

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
            self._shown = ()
            _close_windows(server)
            export_visdom(reader, run_ids, server=server, env=ENVIRONMENT)
            self._shown, self._filled_at = tuple(run_ids), time.monotonic()

    def fill_again(self, run_ids: Sequence[str]) -> None:
        """Bring the windows of these runs up to date in the background, soon; they stay where they are.

        Nothing happens when other runs are shown by then.
        """
        with self._lock:
            if self._is_due:
                return
            self._is_due = True
        threading.Thread(target=self._update, args=(tuple(run_ids),), name="visdom-fill", daemon=True).start()

    def _update(self, run_ids: tuple[str, ...]) -> None:
        self._stopped.wait(max(0.0, self._filled_at + AGAIN_SECONDS - time.monotonic()))
        with self._filling:
            # From here on, what is new is for the next one.
            self._is_due = False
            if self._shown != run_ids or self._stopped.is_set():
                return
            try:
                with Reader.open(self._store) as reader:
                    export_visdom(reader, run_ids, server=self.origin() + BASE_URL, env=ENVIRONMENT)
            except StepscopeError as error:
                # A later one may do better; a viewer who chooses other runs is told.
                _log.info("Visdom was not brought up to date: %s", error)
            self._filled_at = time.monotonic()

    def stop(self) -> None:
        """End the child, if there is one."""
        self._stopped.set()
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
