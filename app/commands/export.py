"""`stepscope export`: runs of the store, written for another tool."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ...storage.read import Reader
from ...trackers import exports
from ...trackers.transfer import Exported, Progress
from ..views.words import count, one_of
from .choice import add_names_or_choice, check_choice, named_or_chosen
from .interrupt import stopped_by_ctrl_c
from .options import add_store_option
from .progress import ProgressBar

if TYPE_CHECKING:
    from .options import Commands

Folder: TypeAlias = Callable[[Reader, Sequence[str], str, Progress], Exported]
"""Writes runs into a folder."""
Export: TypeAlias = Callable[[Reader, Sequence[str], argparse.Namespace, Progress], Exported]

_FLOAT32 = "TensorBoard keeps numbers as float32: about 7 digits of them."


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = commands.add_parser("export", description="Write runs for another tool.")
    targets = parser.add_subparsers(title="targets", metavar="TARGET", required=True)
    _add_tensorboard(targets)
    _add_visdom(targets)
    _add_dataset(targets, "csv", "CSV", exports.export_csv)
    _add_dataset(targets, "parquet", "Parquet", exports.export_parquet)


def _add_tensorboard(targets: Commands) -> None:
    text = "write event files that TensorBoard reads"
    parser = targets.add_parser("tensorboard", help=text, description=f"{text[0].upper()}{text[1:]}.")
    _add_common(parser)
    _add_folder(parser)
    text = "go on writing what is new until all runs have ended, or Ctrl-C"
    parser.add_argument("--follow", action="store_true", help=text)
    parser.set_defaults(run=run, export=_to_tensorboard, note=_FLOAT32)


def _add_visdom(targets: Commands) -> None:
    text = "fill a running Visdom server, or write its environment files"
    parser = targets.add_parser("visdom", help=text, description=f"{text[0].upper()}{text[1:]}.")
    _add_common(parser)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--server", metavar="URL", help="address of a running Visdom server")
    place.add_argument("--to", metavar="DIR", help="folder to write environment files into")
    parser.add_argument(
        "--env",
        metavar="NAME",
        help="environment, instead of the project's; {project}, {run} and {id} stand for those of each run",
    )
    parser.set_defaults(run=run, export=_to_visdom)


def _add_dataset(targets: Commands, word: str, name: str, export: Folder) -> None:
    text = f"write {name} files, in folders by project and run"
    parser = targets.add_parser(word, help=text, description=f"{text[0].upper()}{text[1:]}.")
    _add_common(parser)
    _add_folder(parser)
    parser.set_defaults(run=run, export=_to_folder(export))


def _add_common(parser: argparse.ArgumentParser) -> None:
    add_names_or_choice(parser)
    add_store_option(parser)
    parser.set_defaults(note="")


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", required=True, metavar="DIR", help="folder to write into")


def run(options: argparse.Namespace) -> None:
    """Write the runs that were chosen."""
    check_choice(options)
    export: Export = options.export
    with Reader.open(options.store) as reader:
        chosen = [run.run_id for run in named_or_chosen(reader, options)]
        with ProgressBar() as bar:
            done = export(reader, chosen, options, lambda done, total: _show(bar, done, total))
    _report(done)
    if options.note:
        print(options.note)


def _to_folder(write: Folder) -> Export:
    return lambda reader, runs, options, progress: write(reader, runs, options.to, progress)


def _to_tensorboard(
    reader: Reader, runs: Sequence[str], options: argparse.Namespace, progress: Progress
) -> Exported:
    if not options.follow:
        return exports.export_tensorboard(reader, runs, options.to, progress)
    with stopped_by_ctrl_c() as stop:
        return exports.follow_tensorboard(reader, runs, options.to, stop, lambda done: progress(done, 0))


def _to_visdom(
    reader: Reader, runs: Sequence[str], options: argparse.Namespace, progress: Progress
) -> Exported:
    return exports.export_visdom(
        reader, runs, server=options.server, folder=options.to, env=options.env, progress=progress
    )


def _show(bar: ProgressBar, done: int, total: int) -> None:
    of_all = f" of {count(total)}" if total else ""
    bar.show(f"{count(done)}{of_all} values", done, total)


def _report(done: Exported) -> None:
    for kind, reason in done.declined.items():
        print(f"Left out: {kind} ({reason})", file=sys.stderr)
    print(f"Exported {one_of(done.runs, 'run')} with {one_of(done.points + done.records, 'value')} to:")
    for place in done.places:
        print(f"  {place}")
