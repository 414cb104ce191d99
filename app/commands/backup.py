"""`stepscope backup`: a copy of the store, made while others log into it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ...storage.backup import backup_store
from ...storage.location import locate
from ...storage.maintain import recover_if_possible
from ..views.words import one_of
from . import output
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    text = "copy the store with its files, also while others log into it"
    parser = add_command(commands, "backup", text, run)
    parser.add_argument(
        "target",
        nargs="?",
        type=Path,
        metavar="DEST",
        help="a new file, or a folder to put one into (default: beside the store)",
    )


def run(options: argparse.Namespace) -> None:
    """Copy the store."""
    location = locate(options.store)
    recover_if_possible(location)
    made = backup_store(location, options.target)
    if options.json:
        output.print_json(
            {
                "store": location.display,
                "backup": str(made.path),
                "database_bytes": made.database_bytes,
                "files": made.files,
                "file_bytes": made.file_bytes,
            }
        )
        return
    files = f" and {one_of(made.files, 'file')} of {output.size(made.file_bytes)}" if made.files else ""
    print(f"Copied {output.size(made.database_bytes)}{files} to {made.path}")
