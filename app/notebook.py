"""The dashboard, or TensorBoard, inside a notebook: a server of the kernel's own, in an iframe.

The server is a process (see notebook_child.py), so that it shares neither an event loop nor Python's lock
with the cells. It ends with the kernel, also when that is killed.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from html import escape

from ..storage.errors import BadInput, StepscopeError
from ..storage.location import StoreArgument, locate
from .child_process import end, first_line

START_SECONDS = 60.0
_VIEWS = {"dashboard": ("Stepscope", ""), "tensorboard": ("TensorBoard", "/tensorboard/")}
"""What a notebook can show -> its name, and where the server has it."""


class NotebookUnavailable(StepscopeError):
    """The dashboard's server did not start."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A running dashboard, or TensorBoard. A notebook shows it when it is the last line of a cell."""

    url: str
    """Where it answers, on this machine only."""
    height: int
    """Of the frame, in pixels."""
    process: subprocess.Popen[str] = field(repr=False)
    """Its server."""
    name: str = "Stepscope"
    """"Stepscope" or "TensorBoard"."""

    def stop(self) -> None:
        """End the server; it would end with the kernel in any case."""
        end(self.process)

    def _repr_html_(self) -> str:
        url = escape(self.url)
        return (
            f'<a href="{url}" target="_blank" rel="noopener">Open {self.name} in a tab</a>'
            f'<iframe src="{url}" title="{self.name}" width="100%" height="{self.height}" '
            'style="border: 1px solid rgba(128, 128, 128, .35)" allow="fullscreen"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<{self.name} on {self.url}>"


_lock = threading.Lock()
_running: dict[tuple[int, str], Dashboard] = {}
"""(process id, store) -> its dashboard: what a fork inherits is not its own."""


def notebook(store: StoreArgument = None, height: int = 800, view: str = "dashboard") -> Dashboard:
    """Show the dashboard in a notebook: put `stepscope.notebook()` on the last line of a cell.

    The first call starts a server on a free port of 127.0.0.1; later calls for the same store show the same
    one. It ends with the kernel.

    Args:
        store: a path, `sqlite:///FILE` or `postgresql+psycopg://...`; None for STEPSCOPE_STORE, or
            `stepscope.db` in the current folder. It need not be there yet.
        height: of the frame, in pixels.
        view: "dashboard", or "tensorboard" for TensorBoard over the store.

    Raises:
        BadInput: the height is no number of pixels, or there is no such view.
        NotebookUnavailable: the server did not start, for example since the store cannot be read.
    """
    if not isinstance(height, int) or isinstance(height, bool) or height < 1:
        raise BadInput(f"expected a height in pixels, such as 800, but got {height!r}")
    if view not in _VIEWS:
        raise BadInput(f"expected the view 'dashboard' or 'tensorboard', but got {view!r}")
    key = (os.getpid(), locate(store).url)
    with _lock:
        found = _running.get(key)
        if found is None or found.process.poll() is not None:
            found = _running[key] = _started(key[1], height)
            atexit.register(found.stop)
    name, path = _VIEWS[view]
    return Dashboard(f"{found.url}{path}", height, found.process, name)


def _started(store: str, height: int) -> Dashboard:
    # -P keeps the folder of the notebook off the server's path. The store's URL may have a password in it,
    # and arguments can be read by every user of the machine.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "stepscope.app.notebook_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - both are pipes, as asked for above
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(f"{json.dumps(store)}\n")
    process.stdin.flush()
    with process.stdout as answer:
        said = json.loads(first_line(answer, START_SECONDS) or "{}")
    if "address" not in said:
        end(process)
        reason = said.get("error") or f"it ended with exit code {process.returncode}"
        raise NotebookUnavailable(
            f"The dashboard did not start: {reason}. What `stepscope ui` prints in a terminal may say more."
        )
    return Dashboard(said["address"], height, process)
