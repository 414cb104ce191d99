"""`stepscope tensorboard`: TensorBoard over the store, without the dashboard."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .options import add_store_option
from .serving_options import add_serving_options, read_password, say

if TYPE_CHECKING:
    from .options import Commands

DEFAULT_PORT = 6006


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = commands.add_parser("tensorboard", description="Open the store in TensorBoard alone.")
    add_store_option(parser)
    add_serving_options(parser, DEFAULT_PORT)
    parser.set_defaults(run=run, oidc=False)


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    password = read_password(options)
    from ..access.entrance import Entrance  # noqa: PLC0415 - bring Starlette, which takes a moment
    from ..tensorboard_live.server import serve  # noqa: PLC0415

    entrance = Entrance(options.host, tuple(options.name), password, command="tensorboard")
    serve(options.store, options.port, say, entrance=entrance)
