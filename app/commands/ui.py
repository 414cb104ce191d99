"""`stepscope ui`: the dashboard on a port of this machine, for its own users or for others who log in."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from ...storage.errors import BadInput
from .options import add_store_option

if TYPE_CHECKING:
    from .options import Commands

DEFAULT_PORT = 8501
LOCAL = "127.0.0.1"
PASSWORD_VARIABLE = "STEPSCOPE_PASSWORD"  # noqa: S105 - its name, not its value


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = commands.add_parser("ui", description="Open the dashboard.")
    add_store_option(parser)
    parser.add_argument(
        "--port",
        type=port_number,
        default=DEFAULT_PORT,
        metavar="PORT",
        help=f"port to listen on (default: {DEFAULT_PORT}; 0 takes any free one)",
    )
    parser.add_argument(
        "--host",
        default=LOCAL,
        metavar="ADDRESS",
        help=f"address to listen on (default: {LOCAL}, which other machines cannot reach; 0.0.0.0 is all)",
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name under which viewers reach it, such as that of a reverse proxy; repeatable",
    )
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help=f"whose first line is the password that viewers need (or set {PASSWORD_VARIABLE})",
    )
    parser.add_argument(
        "--oidc",
        action="store_true",
        help="viewers log in at the provider that .streamlit/secrets.toml names",
    )
    parser.add_argument("--open", action="store_true", help="open a browser at the dashboard")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    password = read_password(options)
    from ..access.entrance import Entrance  # noqa: PLC0415 - bring Starlette and Streamlit, which take a second
    from ..server import serve  # noqa: PLC0415

    entrance = Entrance(options.host, tuple(options.name), password, options.oidc)
    serve(options.store, options.port, _announce_and_open if options.open else _announce, entrance=entrance)


def _announce(sentence: str, _address: str) -> None:
    print(sentence, flush=True)


def _announce_and_open(sentence: str, address: str) -> None:
    _announce(sentence, address)
    # A browser of the terminal would otherwise hold up the server that it asks.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def read_password(options: argparse.Namespace) -> str | None:
    """Return the password that viewers need: of the file, of the environment, or asked for; None for none.

    Raises:
        BadInput: the file cannot be read, or the two that were typed differ.
    """
    # Not left for the processes that the dashboard starts to inherit.
    given = os.environ.pop(PASSWORD_VARIABLE, None)
    if options.password_file is not None:
        return _first_line(Path(options.password_file))
    others = options.host not in (LOCAL, "localhost", "::1") or options.name
    if given is not None or options.oidc or not others or not sys.stdin.isatty():
        return given
    password = getpass("Password for the dashboard's viewers: ")
    if getpass("Once more: ") != password:
        raise BadInput("expected the same password twice, but the two differ. Start again.")
    return password


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"expected a text file with the password at {file}, but got: {error}") from None


def port_number(text: str) -> int:
    """Return the port that the text names.

    Raises:
        argparse.ArgumentTypeError: it is not a whole number from 0 to 65535.
    """
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, but got {text!r}")
    return int(text)
