"""`stepscope runs`: a list of the runs in a store."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...storage.model import LastValues, Run
from ...storage.name_rules import Naming
from ...storage.read import Reader
from ..analysis.metric_groups import last_values
from ..views.words import NOTHING, duration, number, one_of
from . import output
from .choice import add_choice_options, chosen_runs, no_such_project
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands

_METRIC_COLUMNS = 3


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = add_command(commands, "runs", "list the runs, the newest first", run)
    add_choice_options(parser)
    parser.add_argument("--all", action="store_true", help="archived runs, too")


def run(options: argparse.Namespace) -> None:
    """Print the runs of a store."""
    with Reader.open(options.store) as reader:
        found = chosen_runs(reader, options)
        values = reader.last_values([run.run_id for run in found])
        naming = reader.naming()
        hint = "" if found else no_such_project(reader, options.project)
    if options.json:
        output.print_json({"store": reader.location.display, "runs": _described(found, values)})
    elif found:
        output.print_table(_columns(found, values, naming, archived=options.all))
    else:
        print(f"{one_of(0, 'run')} in {reader.location.display}{hint}")


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
