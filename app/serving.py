"""Running an ASGI application until it is asked to stop: the dashboard, or TensorBoard alone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn

from ..storage.errors import StoreNotFound
from ..storage.read import Reader

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SHUTDOWN_SECONDS = 3
"""How long requests that are under way may take once the server is asked to stop."""


def run_app(
    app: ASGIApp, listener: socket.socket, on_start: Callable[[], None], on_stop: Callable[[], None]
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        app: with a lifespan.
        listener: a socket that listens.
        on_start: called once the server answers.
        on_stop: called when it is to stop, before it waits for open connections.
    """
    # uvicorn writes the types of an application in its own way.
    untyped: Any = app
    config = uvicorn.Config(
        untyped,
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        # On this machine, or through a tunnel that compresses itself, it only takes time.
        ws_per_message_deflate=False,
    )
    _Server(config, on_start, on_stop).run(sockets=[listener])


def nothing_yet(store: str) -> str:
    """Return what to say first of a store that is not there yet; "" for one that is.

    Raises:
        StoreError: the store is there but cannot be read.
    """
    try:
        Reader.open(store).close()
    except StoreNotFound as error:
        return f"Nothing is logged yet: {error}\n"
    return ""


class _Server(uvicorn.Server):
    """Says that it answers, once it does, and that it is to stop, before it waits for open connections."""

    def __init__(
        self, config: uvicorn.Config, on_start: Callable[[], None], on_stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets=sockets)
