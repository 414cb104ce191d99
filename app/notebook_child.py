"""The dashboard's server for a notebook, as a process of its own: `python -m stepscope.app.notebook_child`.

The store's URL comes as one line of JSON on standard input; the answer is one line on standard output:
{"address": URL} or {"error": SENTENCE}. The process ends when standard input does, or its parent: a kernel
that is killed may leave forked workers behind, which hold the pipe open.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from typing import IO, Any

from ..storage.errors import StepscopeError
from .server import serve

LOOK_SECONDS = 1.0


def main() -> None:
    """Serve until the notebook's kernel ends."""
    # What interrupts a cell is not meant for the server.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernel = os.getppid()
    store = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(kernel,), daemon=True).start()
    answer = _keep_stdout_for_the_answer()
    try:
        serve(store, 0, lambda _, address: _tell(answer, {"address": address}))
    except StepscopeError as error:
        _tell(answer, {"error": str(error)})
        sys.exit(1)


def _tell(answer: IO[str], message: dict[str, Any]) -> None:
    print(json.dumps(message), file=answer, flush=True)


def _keep_stdout_for_the_answer() -> IO[str]:
    """Return what was standard output; nobody reads what else is printed there."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answer


def _end_with(kernel: int) -> None:
    while os.getppid() == kernel:
        if select.select([sys.stdin], [], [], LOOK_SECONDS)[0] and not sys.stdin.read(1):
            break
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
