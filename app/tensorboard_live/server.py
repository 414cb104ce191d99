"""TensorBoard over a store on a port of its own, without the dashboard."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib import util

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from ...storage.errors import MissingExtra
from ...storage.location import locate
from .. import store_keeper
from ..access.check import Access, AccessCheck
from ..access.entrance import Entrance
from ..serving import nothing_yet, run_app
from .mount import PACKAGES, TensorBoardMount

PRIVATE = Entrance(command="tensorboard")


def serve(
    store: str | None, port: int, announce: Callable[[str, str], None], *, entrance: Entrance = PRIVATE
) -> None:
    """Run TensorBoard until Ctrl-C or SIGTERM.

    Args:
        store: path or URL; None stands for STEPSCOPE_STORE or the default.
        port: where to listen; 0 takes any free port.
        announce: called with a sentence for people and the address, once it answers there.
        entrance: on which address, and who may come in.

    Raises:
        MissingExtra: TensorBoard is not installed.
        PortTaken: another program listens there.
        AccessRefused, BadInput: see Entrance.access and Entrance.listen.
        StoreError: the store is there but cannot be read. One that is not there yet may come.
    """
    if any(util.find_spec(package) is None for package in PACKAGES):
        raise MissingExtra("stepscope tensorboard", "tensorboard")
    location = locate(store)
    with entrance.listen(port) as listener:
        port = listener.getsockname()[1]
        app = build_app(location.url, entrance.access(port))
        address = f"{entrance.address(port)}/"
        told = (
            f"{nothing_yet(location.url)}TensorBoard shows {location.display} on {address} (Ctrl-C stops it)"
        )
        run_app(app, listener, lambda: announce(told, address), lambda: None)


def build_app(store: str, access: Access) -> Starlette:
    """Put TensorBoard at the root, behind the same checks as the dashboard."""
    # It stores what killed runs left behind, too: nobody else may be there to do so.
    keeper = store_keeper.StoreKeeper(store)
    tensorboard = TensorBoardMount(store)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        with store_keeper.serving(keeper), tensorboard:
            yield

    return Starlette(
        routes=[Mount("/", app=tensorboard)],
        middleware=[Middleware(AccessCheck, access=access)],
        lifespan=lifespan,
    )
