"""`stepscope export`: runs of the store, written for another tool."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...storage.read import Reader
from ...trackers import exports
from ...trackers.transfer import Exported
from .options import add_store_option

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = commands.add_parser("export", description="Write runs for another tool.")
    targets = parser.add_subparsers(title="targets", metavar="TARGET", required=True)
    _add_tensorboard(targets)
    _add_visdom(targets)
    _add_dataset(targets, "csv", "CSV", export_csv)
    _add_dataset(targets, "parquet", "Parquet", export_parquet)


def _add_tensorboard(targets: Commands) -> None:
    text = "write event files that TensorBoard reads"
    parser = targets.add_parser("tensorboard", help=text, description=f"{text[0].upper()}{text[1:]}.")
    _add_common(parser)
    parser.add_argument("--to", required=True, metavar="DIR", help="folder to write into")
    parser.set_defaults(run=export_tensorboard)


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
    parser.set_defaults(run=export_visdom)


def _add_dataset(targets: Commands, word: str, name: str, run: Callable[[argparse.Namespace], None]) -> None:
    text = f"write {name} files, in folders by project and run"
    parser = targets.add_parser(word, help=text, description=f"{text[0].upper()}{text[1:]}.")
    _add_common(parser)
    parser.add_argument("--to", required=True, metavar="DIR", help="folder to write into")
    parser.set_defaults(run=run)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="id of a run, the beginning of one, or a name that only one has",
    )
    add_store_option(parser)


def export_tensorboard(options: argparse.Namespace) -> None:
    """Write event files, one folder for each run."""
    with Reader.open(options.store) as reader:
        _report(exports.export_tensorboard(reader, options.runs, options.to, _show_progress))


def export_visdom(options: argparse.Namespace) -> None:
    """Fill a server, or write environment files."""
    with Reader.open(options.store) as reader:
        _report(
            exports.export_visdom(
                reader,
                options.runs,
                server=options.server,
                folder=options.to,
                env=options.env,
                progress=_show_progress,
            )
        )


def export_csv(options: argparse.Namespace) -> None:
    """Write CSV files, in folders by project and run."""
    with Reader.open(options.store) as reader:
        _report(exports.export_csv(reader, options.runs, options.to, _show_progress))


def export_parquet(options: argparse.Namespace) -> None:
    """Write Parquet files, in folders by project and run."""
    with Reader.open(options.store) as reader:
        _report(exports.export_parquet(reader, options.runs, options.to, _show_progress))


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} values", end="" if done < total else "\n", file=sys.stderr, flush=True)


def _report(done: Exported) -> None:
    for kind, reason in done.declined.items():
        print(f"Left out: {kind} ({reason})", file=sys.stderr)
    values = done.points + done.records
    print(f"Exported {done.runs} run{'s' if done.runs > 1 else ''} with {values} values to:")
    for place in done.places:
        print(f"  {place}")
