"""Options that several subcommands have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage]


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Let the command name its store."""
    parser.add_argument(
        "--store",
        metavar="STORE",
        help="path or URL of the store (default: STEPSCOPE_STORE, or ./stepscope.db)",
    )
