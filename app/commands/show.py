"""`stepscope show`: everything about one run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...storage.events import Alert, alerts_of
from ...storage.maintain import RunSize, size_of
from ...storage.model import Attempt, Run, Series
from ...storage.nested import flatten
from ...storage.read import Reader
from ..views.words import NOTHING, count, duration, host, not_stored, number, one_of
from . import output
from .options import add_command, add_run_argument
from .runs import described

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    parser = add_command(commands, "show", "show everything about one run", run)
    add_run_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Print one run."""
    with Reader.open(options.store) as reader:
        found = reader.run(reader.find_run(options.named).run_id)
        environment = reader.environment(found.run_id)
        series, attempts = reader.series(found.run_id), reader.attempts(found.run_id)
        size, alerts = size_of(reader, found.run_id), alerts_of(reader, [found.run_id])
    if not options.json:
        _print(found, alerts, environment, series, attempts, size)
        return
    output.print_json(
        {
            "store": reader.location.display,
            "run": {**described(found), "environment": environment},
            "alerts": [asdict(alert) for alert in alerts],
            "attempts": [asdict(attempt) for attempt in attempts],
            "series": [{**asdict(one), "label": one.label} for one in series],
            "size": {**asdict(size), "total_bytes": size.total_bytes},
        }
    )


def _print(
    run: Run,
    alerts: Sequence[Alert],
    environment: Mapping[str, Any],
    series: Sequence[Series],
    attempts: Sequence[Attempt],
    size: RunSize,
) -> None:
    _print_facts("", _facts(run))
    if run.dropped:
        print(f"\n{output.visible(not_stored(run.dropped))}")
    if alerts:
        print("\nalerts")
        output.print_table(_alerts(alerts))
    if run.error:
        print(f"\nerror\n{_indented(run.error)}")
    if run.notes:
        print(f"\nnotes\n{_indented(run.notes)}")
    _print_facts("config", {key: _value(value) for key, value in flatten(run.config).items()})
    _print_facts("summary", {key: _value(value) for key, value in flatten(run.summary).items()})
    if len(attempts) > 1:
        print("\nattempts")
        output.print_table(_attempts(attempts))
    print(f"\n{one_of(len(series), 'series') if len(series) == 1 else f'{count(len(series))} series'}")
    if series:
        output.print_table(_series(series))
    _print_facts("size", _size(size))
    _print_facts("environment", {key: _value(value) for key, value in _shown(environment).items()})


def _facts(run: Run) -> dict[str, str | None]:
    return {
        "id": run.run_id,
        "name": run.name,
        "project": run.project,
        "group": run.group,
        "tags": ", ".join(run.tags),
        "state": run.state.value,
        "started": output.moment(run.created_at),
        "ended": None if run.finished_at is None else output.moment(run.finished_at),
        "archived": None if run.archived_at is None else output.moment(run.archived_at),
        "duration": duration(run.duration),
        "host": host(run.host, run.pid),
        "framework": run.framework,
    }


def _alerts(alerts: Sequence[Alert]) -> dict[str, list[str]]:
    return {
        "level": [one.level for one in alerts],
        "step": [count(one.step) for one in alerts],
        "alert": [one.title for one in alerts],
        "text": [one.text for one in alerts],
    }


def _attempts(attempts: Sequence[Attempt]) -> dict[str, list[str]]:
    return {
        "attempt": [str(one.attempt) for one in attempts],
        "started": [output.moment(one.started_at) for one in attempts],
        "first step": [NOTHING if one.first_step is None else count(one.first_step) for one in attempts],
        "host": [one.host for one in attempts],
        "process": [str(one.pid or NOTHING) for one in attempts],
    }


def _series(series: Sequence[Series]) -> dict[str, list[str]]:
    odd = [one.nan_count + one.posinf_count + one.neginf_count for one in series]
    columns = {
        "series": [one.label for one in series],
        "kind": [one.kind for one in series],
        "count": [count(one.count) for one in series],
        "last step": [NOTHING if one.last_step is None else count(one.last_step) for one in series],
        "last": [number(one.last_value) for one in series],
        "min": [number(one.min_value) for one in series],
        "max": [number(one.max_value) for one in series],
    }
    return columns | ({"NaN or infinite": [count(many) for many in odd]} if any(odd) else {})


def _size(size: RunSize) -> dict[str, str | None]:
    files = f"{one_of(size.files, 'file')}, {output.size(size.file_bytes)}" if size.files else None
    return {
        "database": output.size(size.database_bytes),
        "files": files,
        "journals": output.size(size.journal_bytes) if size.journals else None,
    }


def _shown(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the environment without what fills pages: the list of packages, the diff and the program."""
    flat = flatten({key: value for key, value in environment.items() if key != "packages"})
    return {key: value for key, value in flat.items() if key not in ("git.diff", "program.text")}


def _print_facts(title: str, facts: Mapping[str, str | None]) -> None:
    given = {output.short(key): value for key, value in facts.items() if value}
    if not given:
        return
    if title:
        print(f"\n{title}")
    width = max(map(len, given))
    for key, value in given.items():
        print(f"{key.ljust(width)}  {output.visible(value)}")


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _indented(text: str) -> str:
    return "\n".join(f"  {output.visible(line)}" for line in text.rstrip().splitlines())
