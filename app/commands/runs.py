"""`stepscope runs`: a list of the runs in a store."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...storage.model import LastValues, Run
from ...storage.name_rules import Naming
from ...storage.query import Store
from ...storage.read import Reader
from ..analysis.metric_groups import last_values
from ..views.words import NOTHING, duration, number, one_of
from . import output
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands

_METRIC_COLUMNS = 3


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = add_command(commands, "runs", "list the runs, the newest first", run)
    parser.add_argument("--project", metavar="NAME", help="only the runs of this project")
    text = """only runs for which this is true, such as 'lr < 0.01 and val/loss.min < 0.3'"""
    parser.add_argument("--filter", metavar="EXPRESSION", help=text)
    parser.add_argument("--all", action="store_true", help="archived runs, too")


def run(options: argparse.Namespace) -> None:
    """Print the runs of a store."""
    with Reader.open(options.store) as reader:
        found = _chosen(reader, options)
        values = reader.last_values([run.run_id for run in found])
        naming = reader.naming()
        hint = "" if found else _hint(reader, options.project)
    if options.json:
        output.print_json({"store": reader.location.display, "runs": _described(found, values)})
    elif found:
        output.print_table(_columns(found, values, naming, archived=options.all))
    else:
        print(f"{one_of(0, 'run')} in {reader.location.display}{hint}")


def _hint(reader: Reader, project: str | None) -> str:
    """Say of a project without runs, archived ones among them, what may have been meant."""
    if project is None or reader.runs(project=project, archived=True):
        return ""
    return f": there is no project {project!r}.{reader.near_projects(project)}"


def _chosen(reader: Reader, options: argparse.Namespace) -> list[Run]:
    project, archived = options.project, options.all
    if options.filter is None:
        return reader.runs(project=project, archived=archived)
    fitting = Store(reader).runs(project=project, filter=options.filter, archived=archived)
    return reader.runs(run_ids=[run.id for run in fitting])


def described(run: Run) -> dict[str, Any]:
    """Return the facts of a run for JSON."""
    facts = asdict(run)
    del facts["environment"]
    return {**facts, "duration": run.duration}


def _described(runs: Sequence[Run], values: LastValues) -> list[dict[str, Any]]:
    return [{**described(run), "last_values": values.of(place)} for place, run in enumerate(runs)]


def _columns(
    runs: Sequence[Run], values: LastValues, naming: Naming, *, archived: bool
) -> dict[str, list[str]]:
    columns = {
        "id": [run.run_id for run in runs],
        "name": [run.name for run in runs],
        "project": [run.project for run in runs],
        "state": [run.state.value for run in runs],
        "started": [output.moment(run.created_at) for run in runs],
        "duration": [duration(run.duration) for run in runs],
    }
    if archived:
        columns["archived"] = [output.moment(run.archived_at) for run in runs]
    metrics = last_values(values, _METRIC_COLUMNS, naming)
    return columns | {
        name: [NOTHING if value is None else number(value) for value in column]
        for name, column in metrics.items()
    }
