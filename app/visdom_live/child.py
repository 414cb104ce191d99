"""The Visdom server, as a process of its own: `python -m stepscope.app.visdom_live.child`.

Visdom offers no way to stop a server that runs inside another program, so the dashboard runs it as a child.
The two share one pipe each way: the child writes its port once it listens, and ends when its standard input
does, which the operating system sees to even when the dashboard is killed. The environments that Visdom
keeps lie in a temporary folder that ends with the child.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
from functools import partial
from typing import IO, Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import StaticFileHandler
from visdom.server import app as visdom_app  # pyright: ignore[reportUnknownVariableType]
from visdom.server.handlers import web_handlers  # pyright: ignore[reportUnknownVariableType]
from visdom.utils import server_utils

BASE_URL = "/visdom"
HOST = "127.0.0.1"
MAX_BODY_BYTES = 1 << 30
"""The largest message from a client: Visdom's own limit."""


def main() -> None:
    """Serve until standard input ends."""
    # Ctrl-C reaches every process of a terminal; the dashboard decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger().setLevel(logging.WARNING)
    answer = _keep_stdout_for_the_port()
    # Visdom stores its environments where it is told to; the rest of the folder is its own business.
    with tempfile.TemporaryDirectory(prefix="stepscope-visdom-", ignore_cleanup_errors=True) as folder:
        asyncio.run(_serve(folder, answer))


async def _serve(folder: str, answer: IO[str]) -> None:
    sockets = bind_sockets(0, HOST)
    port: int = sockets[0].getsockname()[1]
    server = HTTPServer(_application(port, folder), max_buffer_size=MAX_BODY_BYTES)
    server.add_sockets(sockets)
    with answer:
        print(port, file=answer, flush=True)
    await _end_of_stdin()
    server.stop()


class _StaticFiles(StaticFileHandler):
    """Makes the address of the user's style sheet, which Visdom's page takes for a file of the folder above.

    tornado refuses that since 6.6, so that the whole page would be an error.
    """

    @classmethod
    def make_static_url(cls, settings: dict[str, Any], path: str, include_version: bool = True) -> str:
        return super().make_static_url(settings, path, include_version and not path.startswith(".."))


def _application(port: int, folder: str) -> Any:
    # Visdom always asks tornado for its debug mode, part of which is a watcher that restarts the process
    # when a module changes on disk; a setting that is already there stays.
    visdom: Any = visdom_app
    handlers: Any = web_handlers
    # Its page of comparisons would list the environments in the user's own ~/.visdom, or fail without that.
    handlers.gather_envs = partial(_environments, folder)
    visdom.tornado_settings.update(autoreload=False, static_handler_class=_StaticFiles)
    return visdom.Application(port=port, base_url=BASE_URL, env_path=folder)


def _environments(folder: str, state: Any, env_path: str | None = None) -> list[str]:  # noqa: ARG001
    known: Any = server_utils
    return known.gather_envs(state, env_path=folder)


async def _end_of_stdin() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def _keep_stdout_for_the_port() -> IO[str]:
    """Return what was standard output, and send what Visdom prints to standard error from now on."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answer


if __name__ == "__main__":
    main()
