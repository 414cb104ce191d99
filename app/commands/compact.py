"""`stepscope compact`: a store as small as it can be."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from ...storage.compact import compact
from ...storage.read import Reader
from ...storage.write import Writer
from ..views.words import one_of
from . import output
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    add_command(commands, "compact", "merge what lies in pieces, and give free space back to the disk", run)


def run(options: argparse.Namespace) -> None:
    """Compact the store."""
    Reader.open(options.store).close()  # a writer would make a store that is not there
    with Writer.open(options.store) as writer:
        done = compact(writer)
    if options.json:
        output.print_json({"store": writer.location.display, **asdict(done)})
        return
    before, after = output.size(done.bytes_before), output.size(done.bytes_after)
    print(f"{writer.location.display}: {before} before, {after} now")
    steps = {
        f"stored what {one_of(len(done.recovered), 'run')} had left in a journal": done.recovered,
        f"merged the pieces of {one_of(done.merged, 'journal')}": done.merged,
        f"removed {one_of(done.rows_removed, 'row')} of runs that are not there": done.rows_removed,
        f"removed {one_of(done.files_removed, 'file')} that no run names": done.files_removed,
        "gave free space inside the database back": done.shrunk,
        f"left {one_of(done.left, 'journal')} of runs that still log as they are": done.left,
    }
    for words, happened in steps.items():
        if happened:
            print(f"  {words}")
