"""TensorBoard under /tensorboard, loaded when it is first asked for."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from importlib import util
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, cast

from starlette.websockets import WebSocketClose

from ...storage.errors import MissingExtra
from ..routing.mounts import notice

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

PACKAGES = ("tensorboard", "a2wsgi")


class TensorBoardMount:
    """ASGI application: TensorBoard over the store, or a page that says how to install it."""

    def __init__(self, store: str | None) -> None:
        """Take the store whose runs TensorBoard shows. Nothing is imported yet."""
        self._store = store
        self._lock = threading.Lock()
        self._app: ASGIApp | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under the mount."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        if any(util.find_spec(package) is None for package in PACKAGES):
            await _not_installed()(scope, receive, send)
            return
        app = await asyncio.to_thread(self._loaded)
        # With the mount's prefix gone, TensorBoard finds itself at the root, as it expects: all that its
        # front end asks for is relative.
        path = scope["path"].removeprefix(scope["root_path"]) or "/"
        await app({**scope, "path": path, "root_path": ""}, receive, send)

    def __enter__(self) -> Self:
        """Return the mount."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the temporary folder."""
        if self._folder is not None:
            self._folder.cleanup()

    def _loaded(self) -> ASGIApp:
        with self._lock:
            if self._app is None:
                # The projector reads files from the log directory and refuses to be without one.
                self._folder = tempfile.TemporaryDirectory(prefix="stepscope-tensorboard-")
                self._app = load_tensorboard(self._store, self._folder.name)
            return self._app


def load_tensorboard(store: str | None, log_folder: str) -> ASGIApp:
    """Import TensorBoard and return it as an ASGI application over the store.

    Args:
        store: the store whose runs it shows.
        log_folder: an empty folder; TensorBoard needs one to start.
    """
    # TensorBoard imports all of TensorFlow (half a gigabyte) when it lists its plugins, unless a module of
    # this name is there; with it, the same plugins are active.
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))
    from a2wsgi import WSGIMiddleware  # noqa: PLC0415 - extras, needed from here on only
    from tensorboard import default, program  # noqa: PLC0415
    from tensorboard.backend import application  # noqa: PLC0415

    # It reads dumps of tfdbg, which no store has, and imports TensorFlow as soon as its tab is opened.
    from tensorboard.plugins.debugger_v2.debugger_v2_plugin import DebuggerV2Plugin  # noqa: PLC0415

    from .metrics import StoreMetrics  # noqa: PLC0415
    from .projector import StoreProjector  # noqa: PLC0415
    from .provider import StoreDataProvider  # noqa: PLC0415

    ours = {plugin.__base__: plugin for plugin in (StoreMetrics, StoreProjector)}
    given: list[Any] = default.get_plugins()
    plugins = [ours.get(plugin, plugin) for plugin in given if plugin is not DebuggerV2Plugin]
    board: Any = program.TensorBoard(plugins=plugins)
    board.configure(("",), logdir=log_folder, window_title="Stepscope")
    untyped: Any = application
    wsgi = untyped.TensorBoardWSGIApp(
        board.flags, board.plugin_loaders, StoreDataProvider(store), board.assets_zip_provider
    )
    # a2wsgi writes ASGI's types in its own, stricter way.
    return cast("ASGIApp", WSGIMiddleware(wsgi))


def _not_installed() -> Response:
    return notice("TensorBoard is not installed", str(MissingExtra("The TensorBoard page", "tensorboard")))
