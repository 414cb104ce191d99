"""`stepscope upgrade`: bring a store that an older Stepscope wrote up to date."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ...storage.errors import StoreTooOld
from ...storage.location import locate
from ...storage.read import Reader
from ...storage.write import Writer
from . import output
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    add_command(commands, "upgrade", "bring an older store up to date, after a backup", run)


def run(options: argparse.Namespace) -> None:
    """Migrate the store's schema. A store that is not there is not made."""
    location = locate(options.store)
    older = _is_older(location.url)
    before = _backups(location.path)
    Writer.open(location.url).close()
    made = sorted(_backups(location.path) - before)
    if options.json:
        backup = str(made[0]) if made else None
        output.print_json({"store": location.display, "upgraded": older, "backup": backup})
        return
    print(f"{location.display} {'was brought' if older else 'is'} up to date")
    for path in made:
        print(f"As it was, it lies in {path}")


def _is_older(url: str) -> bool:
    try:
        Reader.open(url).close()
    except StoreTooOld:
        return True
    return False


def _backups(path: Path | None) -> set[Path]:
    return set() if path is None else set(path.parent.glob(f"{path.name}.backup-*"))
