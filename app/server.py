"""One ASGI application on one port: Streamlit's pages, TensorBoard and Visdom, and what they share."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from ..storage.location import STORE_VARIABLE, locate
from . import jobs, store_keeper, warm_up
from .access.check import Access, AccessCheck
from .access.check import serving as serving_access
from .access.entrance import Entrance
from .routing import browser_files, changes
from .routing.downloads import downloads
from .routing.hints import Hints
from .routing.media_files import media_files
from .routing.mounts import mount, moved
from .serving import nothing_yet, run_app
from .streamlit_settings import apply_settings
from .tensorboard_live.mount import TensorBoardMount
from .visdom_live import server as visdom_server
from .visdom_live.proxy import VisdomProxy

MAIN_SCRIPT = Path(__file__).with_name("main.py")
PRIVATE = Entrance()


def serve(
    store: str | None, port: int, announce: Callable[[str, str], None], *, entrance: Entrance = PRIVATE
) -> None:
    """Run the dashboard until Ctrl-C or SIGTERM.

    Args:
        store: path or URL; None stands for STEPSCOPE_STORE or the default.
        port: where to listen; 0 takes any free port.
        announce: called with a sentence for people and the address, once it answers there.
        entrance: on which address, and who may come in.

    Raises:
        PortTaken: another program listens there.
        AccessRefused, BadInput, MissingExtra: see Entrance.access and Entrance.listen.
        StoreError: the store is there but cannot be read. One that is not there yet may come.
    """
    location = locate(store)
    # Streamlit runs the pages in this process, but hands them no arguments.
    os.environ[STORE_VARIABLE] = location.url
    with entrance.listen(port) as listener:
        port = listener.getsockname()[1]
        access = entrance.access(port)
        address = entrance.address(port)
        told = f"{nothing_yet(location.url)}Stepscope shows {location.display} on {address} (Ctrl-C stops it)"
        apply_settings(port)
        news = changes.Changes()

        def begin() -> None:
            announce(told, address)
            warm_up.begin()

        run_app(build_app(location.url, access, news), listener, begin, news.stop)


def build_app(store: str, access: Access, news: changes.Changes) -> st.App:
    """Put the pages and the two mounts together. TensorBoard and Visdom start when first asked for."""
    keeper = store_keeper.StoreKeeper(store)
    visdom = visdom_server.VisdomServer(store)
    tensorboard = TensorBoardMount(store)
    work = jobs.Jobs()

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncGenerator[None]:
        with (
            store_keeper.serving(keeper),
            visdom_server.serving(visdom),
            tensorboard,
            jobs.serving(work),
            serving_access(access),
        ):
            yield

    return st.App(
        MAIN_SCRIPT,
        lifespan=lifespan,
        routes=[
            browser_files.route(),
            news.route(),
            downloads(store),
            media_files(store),
            jobs.results(work),
            # Streamlit knows its first page under / only.
            moved("/runs", "/"),
            *mount("/tensorboard", tensorboard),
            *mount(visdom_server.BASE_URL, VisdomProxy(visdom)),
        ],
        middleware=[Middleware(AccessCheck, access=access), Middleware(Hints)],
    )
