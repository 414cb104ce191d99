"""`stepscope import`: runs of another program, brought into the store."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict
from threading import Event
from typing import TYPE_CHECKING

from ...storage.errors import BadInput
from ...trackers.imports import LOOK_SECONDS, Imported, import_runs
from ...trackers.sources.base import Source
from ...trackers.sources.registry import SOURCES, open_source
from ..views.words import count, one_of
from . import output
from .interrupt import stopped_by_ctrl_c
from .options import add_store_option
from .progress import ProgressBar

if TYPE_CHECKING:
    from .options import Commands

_SHOWN_PROBLEMS = 20


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = commands.add_parser("import", description="Bring the runs of another program into the store.")
    kinds = parser.add_subparsers(title="from", metavar="WHAT", required=True, dest="what")
    for name, entry in SOURCES.items():
        text = f"the runs that {entry.title} has written"
        one = kinds.add_parser(name, help=text, description=f"Import {text}.")
        one.set_defaults(run=run)
        add_store_option(one)
        one.add_argument("place", metavar="PLACE", help=entry.place)
        one.add_argument("--project", metavar="NAME", help="where new runs go (default: as the source says)")
        text = "go on looking for new runs and new values, until Ctrl-C"
        one.add_argument("--follow", action="store_true", help=text)
        one.add_argument("--json", action="store_true", help="print JSON instead of words")


def run(options: argparse.Namespace) -> int:
    """Import what is there, or follow it."""
    with ProgressBar() as bar, stopped_by_ctrl_c() as stop:
        watcher = _Watcher(bar, follow=options.follow)
        source = _opened(options, stop, bar)
        done = import_runs(
            source,
            options.store,
            project=options.project,
            follow=options.follow,
            stop=stop,
            progress=watcher.show,
        )
    if options.json:
        output.print_json(asdict(done))
    else:
        watcher.tell_problems(done)
        _report(done, source.name, options)
    if stop.is_set() and not options.follow:
        return 130
    return int(done.refused == done.runs and bool(done.problems))


def _opened(options: argparse.Namespace, stop: Event, bar: ProgressBar) -> Source:
    """Return the source. Whoever follows may have begun before there is anything: its place is waited for."""
    told = ""
    while True:
        try:
            return open_source(options.what, options.place)
        except BadInput as error:
            if not options.follow:
                raise
            if str(error) != told:
                told = str(error)
                bar.say(f"Note: {_sentence(told)} It is waited for.")
            if stop.wait(LOOK_SECONDS):
                raise


class _Watcher:
    """Shows how far the import is; while it follows, problems are told as they come."""

    def __init__(self, bar: ProgressBar, *, follow: bool) -> None:
        self._bar = bar
        self._follow = follow
        self._told = 0

    def show(self, done: Imported) -> None:
        values = done.points + done.records
        # Whoever follows has all there is by then, and waits.
        total = done.total if done.done < done.total or not self._follow else 0
        self._bar.show(f"{one_of(done.runs, 'run')}, {count(values)} values", done.done, total)
        if self._follow:
            self.tell_problems(done)

    def tell_problems(self, done: Imported) -> None:
        """Say what was left out since the last time."""
        sentences = list(done.problems.items())
        for sentence, times in sentences[self._told :][:_SHOWN_PROBLEMS]:
            self._bar.say(f"Note: {_sentence(sentence)}" + (f" ({times} times)" if times > 1 else ""))
        left = len(sentences) - self._told - _SHOWN_PROBLEMS
        if left > 0:
            self._bar.say(f"... and {count(left)} problems more; --json lists them all.")
        self._told = len(sentences)


def _sentence(text: str) -> str:
    return output.visible(" ".join(text.split()))


def _report(done: Imported, source: str, options: argparse.Namespace) -> None:
    parts = {"new": done.new, "changed": done.grown, "left out": done.refused}
    parts["as before"] = done.runs - sum(parts.values())
    told = ", ".join(f"{count(number)} {word}" for word, number in parts.items() if number)
    print(f"{source}: {one_of(done.runs, 'run')} in {options.place}{told and ': '}{told}.")
    values = f"{one_of(done.points, 'point')} and {one_of(done.records, 'other value')}"
    print(f"Imported {values if done.points or done.records else 'no new values'} into {done.store}.")
    print(
        f"Look at it: stepscope ui{'' if options.store is None else f' --store {shlex.quote(options.store)}'}"
    )
