"""What the commands that serve share: where they listen, who may come in, and what they say of it."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from collections.abc import Callable
from getpass import getpass
from pathlib import Path

from ...storage.errors import BadInput

LOCAL = "127.0.0.1"
PASSWORD_VARIABLE = "STEPSCOPE_PASSWORD"  # noqa: S105 - its name, not its value


def add_serving_options(parser: argparse.ArgumentParser, port: int) -> None:
    """Let the command name its address and its password.

    Args:
        parser: of the command.
        port: where it listens by default.
    """
    parser.add_argument(
        "--port",
        type=port_number,
        default=port,
        metavar="PORT",
        help=f"port to listen on (default: {port}; 0 takes any free one)",
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


def add_open_option(parser: argparse.ArgumentParser) -> None:
    """Let the command open a browser."""
    parser.add_argument("--open", action="store_true", help="open a browser at the dashboard")


def announcer(options: argparse.Namespace) -> Callable[[str, str], None]:
    """Return what tells where the server answers, and opens a browser there if that is wanted."""
    return _say_and_open if options.open else say


def say(sentence: str, _address: str) -> None:
    """Print where the server answers."""
    print(sentence, flush=True)


def _say_and_open(sentence: str, address: str) -> None:
    say(sentence, address)
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
    password = getpass("Password for its viewers: ")
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
