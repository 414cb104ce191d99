"""What several subcommands share: how they are described, and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage]

Run: TypeAlias = Callable[[argparse.Namespace], int | None]
"""What a subcommand does; it returns the exit code when that is not 0."""


def add_command(commands: Commands, name: str, text: str, run: Run) -> argparse.ArgumentParser:
    """Add a subcommand that names its store and can print JSON.

    Args:
        commands: what the subcommand is added to.
        name: the word on the command line.
        text: what it does, as a phrase that begins with a verb.
        run: called with what was given.
    """
    parser = commands.add_parser(name, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(run=run)
    add_store_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of words")
    return parser


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Let the command name its store."""
    parser.add_argument(
        "--store",
        metavar="STORE",
        help="path or URL of the store (default: STEPSCOPE_STORE, or ./stepscope.db)",
    )


def add_run_argument(parser: argparse.ArgumentParser, *, many: bool = False) -> None:
    """Let the command name one run, or some of them."""
    text = "id of a run, the beginning of one, or a name that only one has"
    if many:
        parser.add_argument("runs", nargs="+", metavar="RUN", help=text)
    else:
        parser.add_argument("named", metavar="RUN", help=text)
