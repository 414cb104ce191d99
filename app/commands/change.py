"""`stepscope rename`, `archive`, `restore` and `rm`: what is done to runs that are there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from ...storage import maintain
from ...storage.drain import recover_orphans
from ...storage.errors import BadInput
from ...storage.model import Run
from ...storage.read import Reader
from ...storage.write import Writer
from ..views.words import one_of
from . import output
from .options import add_command, add_run_argument

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe the subcommands to argparse."""
    parser = add_command(commands, "rename", "give a run another name", rename)
    add_run_argument(parser)
    parser.add_argument("name", metavar="NAME", help="the new name")
    parser = add_command(commands, "archive", "hide runs from lists, without deleting anything", archive)
    add_run_argument(parser, many=True)
    parser = add_command(commands, "restore", "show archived runs in lists again", restore)
    add_run_argument(parser, many=True)
    parser = add_command(commands, "rm", "delete runs with everything that belongs to them", remove)
    add_run_argument(parser, many=True)
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    parser.add_argument("--force", action="store_true", help="delete runs, too, that are still running")


def rename(options: argparse.Namespace) -> None:
    """Give a run another name."""
    with _found(options, [options.named]) as (writer, (run,)):
        maintain.rename_run(writer, run.run_id, options.name)
    said = {"run_id": run.run_id, "name": options.name, "old_name": run.name}
    _say(options, said, f"{run.run_id} is now called {output.short(options.name)}")


def archive(options: argparse.Namespace) -> None:
    """Hide runs from lists."""
    _each(options, maintain.archive_run, "is archived")


def restore(options: argparse.Namespace) -> None:
    """Show archived runs again."""
    _each(options, maintain.restore_run, "is back in the lists")


def remove(options: argparse.Namespace) -> int:
    """Delete runs, after a question."""
    with _found(options, options.runs) as (writer, runs):
        recover_orphans(writer)  # so that a run whose process was killed a moment ago does not count as alive
        if not options.yes and not _agreed(runs):
            print("Nothing was deleted", file=sys.stderr)
            return 1
        freed = {run.run_id: maintain.delete_run(writer, run.run_id, force=options.force) for run in runs}
    if options.json:
        deleted = [{"run_id": run.run_id, "name": run.name, **asdict(freed[run.run_id])} for run in runs]
        output.print_json({"deleted": deleted})
        return 0
    for run in runs:
        size, name = freed[run.run_id], output.short(run.name)
        files = f" and {one_of(size.files, 'file')} of {output.size(size.file_bytes)}" if size.files else ""
        print(f"{run.run_id} ({name}) is deleted: {output.size(size.database_bytes)} in the database{files}")
    if writer.location.path is not None:
        print("The database takes up the space again; stepscope compact gives it back to the disk.")
    return 0


def _each(options: argparse.Namespace, change: Callable[[Writer, str], None], done: str) -> None:
    with _found(options, options.runs) as (writer, runs):
        for run in runs:
            change(writer, run.run_id)
    said = {"runs": [{"run_id": run.run_id, "name": run.name} for run in runs]}
    _say(options, said, "\n".join(f"{run.run_id} ({output.short(run.name)}) {done}" for run in runs))


@contextmanager
def _found(options: argparse.Namespace, names: list[str]) -> Generator[tuple[Writer, list[Run]]]:
    """Find the runs that are meant, each once, and open the store for writing."""
    # First: a writer would make a store that is not there, or migrate an older one.
    with Reader.open(options.store) as reader:
        runs = {run.run_id: run for run in map(reader.find_run, names)}
    with Writer.open(options.store) as writer:
        yield writer, list(runs.values())


def _agreed(runs: list[Run]) -> bool:
    if not sys.stdin.isatty():
        raise BadInput("rm asks before it deletes, but nobody can answer here. Pass --yes to delete at once.")
    for run in runs:
        project, name = output.short(run.project), output.short(run.name)
        print(
            f"{run.run_id}  {project}: {name}, {run.state}, {output.moment(run.created_at)}",
            file=sys.stderr,
        )
    print(f"Delete {one_of(len(runs), 'run')} for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(options: argparse.Namespace, facts: Mapping[str, object], words: str) -> None:
    if options.json:
        output.print_json(facts)
    else:
        print(words)
