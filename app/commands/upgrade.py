"""`stepscope upgrade`: bring a store that an older Stepscope wrote up to date."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import TYPE_CHECKING

from ...storage.errors import StoreTooOld
from ...storage.location import locate
from ...storage.read import Reader
from ...storage.write import Writer
from .options import add_store_option

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    text = "bring an older store up to date, after a backup"
    parser = commands.add_parser("upgrade", help=text, description=f"{text.capitalize()}.")
    add_store_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Migrate the store's schema. A store that is not there is not made."""
    location = locate(options.store)
    with suppress(StoreTooOld):
        Reader.open(location.url).close()
    Writer.open(location.url).close()
    print(f"{location.display} is up to date")
