"""`stepscope verify`: is everything there, and is it what was stored?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from ...storage.read import Reader
from ...storage.verify import verify
from ..views.words import count, one_of
from . import output
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    add_command(commands, "verify", "read everything in the store, and say what is damaged or lost", run)


def run(options: argparse.Namespace) -> int:
    """Verify the store; return 1 when something is wrong."""
    with Reader.open(options.store) as reader:
        found = verify(reader)
    if options.json:
        output.print_json({"store": reader.location.display, "ok": found.ok, **asdict(found)})
        return int(not found.ok)
    for fault in found.faults:
        print(fault)
    looked = f"{one_of(found.runs, 'run')}, {count(found.series)} series, {one_of(found.points, 'point')}"
    looked += f", {one_of(found.records, 'record')}, {one_of(found.blobs, 'blob')}"
    looked += f", {one_of(found.journals, 'journal')}"
    verdict = one_of(len(found.faults), "fault") if found.faults else "all sound"
    print(f"{reader.location.display}: {looked}: {verdict}")
    return int(not found.ok)
