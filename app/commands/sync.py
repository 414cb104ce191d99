"""`stepscope sync`: runs from one store into another."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...storage.errors import RunNotFound
from ...storage.location import locate
from ...storage.maintain import recover_if_possible
from ...storage.model import Run
from ...storage.read import Reader
from ...storage.sync import Outcome, Synced, check_places, sync_run
from ...storage.write import Writer
from ..views.words import count, one_of
from . import output

if TYPE_CHECKING:
    from .options import Commands

_WORDS = {
    Outcome.COPIED: "copied",
    Outcome.UPDATED: "brought up to date",
    Outcome.EQUAL: "is there already",
    Outcome.NEWER_THERE: "left as it is: the destination has all of it and more",
    Outcome.CONFLICT: "left as it is: both stores have what the other one has not. "
    "Delete it in one of them with stepscope rm",
}


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    text = "Copy runs into another store, or bring their copies there up to date."
    parser = commands.add_parser("sync", description=text)
    parser.add_argument("source", metavar="SRC", help="path or URL of the store to read")
    parser.add_argument(
        "destination", metavar="DST", help="path or URL of the store to write, made if need be"
    )
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="id of a run, the beginning of one, or its name (default: all)"
    )
    parser.add_argument("--project", metavar="NAME", help="only the runs of this project")
    parser.add_argument("--json", action="store_true", help="print JSON instead of words")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Copy runs; return 1 when one could not be."""
    source, destination = locate(options.source), locate(options.destination)
    check_places(source, destination)
    recover_if_possible(source)
    done: list[Synced] = []
    with Reader.open(source.url) as reader:
        chosen = _chosen(reader, options.runs, options.project)
        if not chosen:
            raise RunNotFound(_nothing(reader, options.project))
        with Writer.open(destination.url) as writer:
            for one in chosen:
                done.append(sync_run(reader, writer, one))
                if not options.json:
                    _print(done[-1])
    if options.json:
        runs = [_described(one) for one in done]
        output.print_json({"source": source.display, "destination": destination.display, "runs": runs})
    else:
        written = sum(one.source is not None for one in done)
        print(f"{one_of(len(done), 'run')}, {count(written)} of them written to {destination.display}")
    return int(any(one.outcome is Outcome.CONFLICT for one in done))


def _chosen(reader: Reader, names: Sequence[str], project: str | None) -> list[Run]:
    """Return the runs that are meant, the oldest first: a sync that is interrupted leaves the newest out."""
    if not names:
        return reader.runs(project=project, archived=True)[::-1]
    found = {run.run_id: run for run in map(reader.find_run, names)}
    return [run for run in found.values() if project in (None, run.project)]


def _nothing(reader: Reader, project: str | None) -> str:
    of_it = "" if project is None else f" of project {project!r}"
    near = "" if project is None else reader.near_projects(project)
    return f"there is nothing to copy: no run{of_it} is chosen in {reader.location.display}.{near}"


def _print(done: Synced) -> None:
    print(f"{done.run.run_id} ({output.short(done.run.name)}) {_WORDS[done.outcome]}", end="")
    if done.source is not None:
        held = f"{one_of(done.source.points, 'point')}, {one_of(done.source.records, 'record')}"
        held += f", {one_of(done.source.blobs, 'blob')}"
        print(f": {held}; the checksums of both stores agree ({done.source.checksum[:16]})", end="")
    if done.old_name is not None:
        print(f"; its name there was {done.old_name!r}", end="")
    print("; it still runs, and what was stored until now is there" if done.alive else "")


def _described(done: Synced) -> dict[str, Any]:
    return {
        "run_id": done.run.run_id,
        "name": done.run.name,
        "project": done.run.project,
        "outcome": done.outcome.value,
        "alive": done.alive,
        "old_name": done.old_name,
        "source": None if done.source is None else asdict(done.source),
        "destination": None if done.destination is None else asdict(done.destination),
    }
