"""`stepscope ui`: the dashboard on a port of this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .options import add_store_option

if TYPE_CHECKING:
    from .options import Commands

DEFAULT_PORT = 8501


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = commands.add_parser("ui", description="Open the dashboard.")
    add_store_option(parser)
    parser.add_argument(
        "--port",
        type=port_number,
        default=DEFAULT_PORT,
        metavar="PORT",
        help=f"port of 127.0.0.1 to listen on (default: {DEFAULT_PORT}; 0 takes any free one)",
    )
    parser.add_argument("--open", action="store_true", help="open a browser at the dashboard")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    from ..server import serve  # noqa: PLC0415 - brings Streamlit, which takes a second

    serve(options.store, options.port, open_browser=options.open)


def port_number(text: str) -> int:
    """Return the port that the text names.

    Raises:
        argparse.ArgumentTypeError: it is not a whole number from 0 to 65535.
    """
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, but got {text!r}")
    return int(text)
