"""Which runs a command is about: by name, by project, by a filter, or all of them."""

from __future__ import annotations

import argparse

from ...storage.errors import RunNotFound
from ...storage.model import Run
from ...storage.query import Store
from ...storage.read import Reader


def add_choice_options(parser: argparse.ArgumentParser) -> None:
    """Let the command be about runs of a project, or such that fit a filter."""
    parser.add_argument("--project", metavar="NAME", help="only the runs of this project")
    text = """only runs for which this is true, such as 'lr < 0.01 and val/loss.min < 0.3'"""
    parser.add_argument("--filter", metavar="EXPRESSION", help=text)


def chosen_runs(reader: Reader, options: argparse.Namespace) -> list[Run]:
    """Return the runs that fit, the newest first; archived ones with --all. Raises BadInput for a filter."""
    project, archived = options.project, options.all
    if options.filter is None:
        return reader.runs(project=project, archived=archived)
    fitting = Store(reader).runs(project=project, filter=options.filter, archived=archived)
    return reader.runs(run_ids=[run.id for run in fitting])


def add_names_or_choice(parser: argparse.ArgumentParser) -> None:
    """Let the command be about runs that are named, or else such that fit, or all."""
    text = "id of a run, the beginning of one, or a name that only one has"
    parser.add_argument("runs", nargs="*", metavar="RUN", help=text)
    add_choice_options(parser)
    parser.add_argument("--all", action="store_true", help="all runs of the store, archived ones, too")
    parser.set_defaults(refuse=parser.error)


def check_choice(options: argparse.Namespace) -> None:
    """Refuse, as wrong usage, what says nothing of the runs, or two things at once."""
    by_choice = options.all or options.project is not None or options.filter is not None
    if options.runs and by_choice:
        options.refuse("expected either RUN or one of --all, --project and --filter, but got both")
    if not options.runs and not by_choice:
        options.refuse("the following arguments are required: RUN, or --all, --project or --filter")


def named_or_chosen(reader: Reader, options: argparse.Namespace) -> list[Run]:
    """Return the runs that were named, or else those that fit.

    Raises:
        RunNotFound: no run, or several, fit one of the names; or none is there that fits.
        BadInput: the filter is none.
    """
    if options.runs:
        return [reader.find_run(text) for text in options.runs]
    found = chosen_runs(reader, options)
    if not found:
        near = no_such_project(reader, options.project)
        raise RunNotFound(f"there is no run in {reader.location.display} that fits{near or '.'}")
    return found


def no_such_project(reader: Reader, project: str | None) -> str:
    """Say of a project without runs, archived ones among them, what may have been meant."""
    if project is None or reader.runs(project=project, archived=True):
        return ""
    return f": there is no project {project!r}.{reader.near_projects(project)}"
