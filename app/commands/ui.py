"""`stepscope ui`: the dashboard on a port of this machine, for its own users or for others who log in."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .options import add_store_option
from .serving_options import add_open_option, add_serving_options, announcer, read_password

if TYPE_CHECKING:
    from .options import Commands

DEFAULT_PORT = 8501


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = commands.add_parser("ui", description="Open the dashboard.")
    add_store_option(parser)
    add_serving_options(parser, DEFAULT_PORT)
    parser.add_argument(
        "--oidc",
        action="store_true",
        help="viewers log in at the provider that .streamlit/secrets.toml names",
    )
    add_open_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    password = read_password(options)
    from ..access.entrance import Entrance  # noqa: PLC0415 - bring Starlette and Streamlit, which take a second
    from ..server import serve  # noqa: PLC0415

    entrance = Entrance(options.host, tuple(options.name), password, options.oidc)
    serve(options.store, options.port, announcer(options), entrance=entrance)
