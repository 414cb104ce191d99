"""`stepscope compare`: what runs differ in, and what each of them reached."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...storage.errors import BadInput
from ...storage.model import Run
from ...storage.name_rules import Naming
from ...storage.read import Reader
from .. import report
from ..comparison import tables
from ..comparison.compare import Comparison, Parted, axes, partings, repeated, spreads
from ..comparison.curves import Axis
from ..comparison.facts import Fact
from ..comparison.metrics import MetricRow, arrivals, default_target, leading
from ..comparison.reading import StoreSource, distinct_names, read
from ..comparison.words import in_short
from ..views.figures import run_colours
from . import output
from .options import add_command, add_run_argument

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    text = "compare runs: what differs, what each reached, and where their curves part"
    parser = add_command(commands, "compare", text, run)
    add_run_argument(parser, many=True)
    parser.add_argument("--to", metavar="FILE.html", help="write a report that needs no server")
    parser.add_argument(
        "--metric", metavar="NAME", help="the metric that is looked at first, such as loss/val"
    )
    parser.add_argument(
        "--value", metavar="NUMBER", type=float, help="a value of it: how long until each had it"
    )


def run(options: argparse.Namespace) -> None:
    """Print the comparison, or write the report."""
    with Reader.open(options.store) as reader:
        chosen = _chosen(reader, options.runs)
        material = read(StoreSource(reader), chosen, distinct_names(chosen))
        colours = run_colours([one.run_id for one in reversed(reader.runs(archived=True))])
        naming = reader.naming()
        store = reader.location.display
    found = material.comparison
    row = _row(found, naming, options.metric)
    target: float | None = options.value
    if target is not None and not math.isfinite(target):
        raise BadInput(f"--value takes a number such as 0.9, but got {target}.")
    if target is None and row is not None:
        target = default_target(row)
    axis = Axis.EPOCH if Axis.EPOCH in axes(found) else Axis.STEP
    shown = report.Shown(store, colours, axis, row, target, repeated(found))
    if options.to is not None:
        Path(options.to).write_text(report.document(found, shown), encoding="utf-8")
    if options.json:
        output.print_json(_described(found, shown) | ({"report": options.to} if options.to else {}))
    elif options.to is not None:
        print(f"Wrote {options.to}")
    else:
        _print(found, shown)


def _chosen(reader: Reader, named: Sequence[str]) -> list[Run]:
    chosen = {run.run_id: run for run in (reader.find_run(text) for text in named)}
    if len(chosen) < 2:
        only = next(iter(chosen.values()))
        raise BadInput(
            f"a comparison needs two runs or more, but got run {only.name!r} ({only.run_id}) alone. "
            "Name another one; `stepscope runs` lists them."
        )
    return list(chosen.values())


def _row(found: Comparison, naming: Naming, named: str | None) -> MetricRow | None:
    if named is None:
        return leading(found.metrics)
    meant = naming.parse(named, {})
    for row in found.metrics:
        if row.key == (meant.metric, meant.split) or row.name == named:
            return row
    known = ", ".join(repr(row.name) for row in found.metrics[:10])
    raise BadInput(f"none of the runs has logged a metric {named!r}. Among theirs: {known}.")


def _print(found: Comparison, shown: report.Shown) -> None:
    parted = partings(found, shown.axis)
    for sentence in in_short(found, shown.row, shown.target, parted):
        print(output.visible(sentence))
    sheets = [tables.metrics(found, found.metrics), tables.costs(found, found.costs)]
    if shown.row is not None and shown.target is not None:
        sheets.append(tables.times_to(found, shown.row, shown.target))
    sheets += [tables.groups(spreads(found, shown.groups)), tables.partings(found, parted)]
    sheets += [tables.models(found, parity).differing for parity in found.graphs]
    sheets += [tables.facts(found, title, facts).differing for title, facts in found.facts.items()]
    for sheet in sheets:
        if sheet.rows:
            print(f"\n{output.visible(sheet.title)}")
            output.print_table(sheet.columns)
    for names, code in tables.codes(found):
        print(f"\ncode of {output.visible(names)}\n{output.visible(code.said)}")
    for trouble in found.troubles:
        print(f"\n{output.visible(trouble)}")


def _described(found: Comparison, shown: report.Shown) -> dict[str, Any]:
    row, target = shown.row, shown.target
    when = () if row is None or target is None else arrivals(row, target)
    return {
        "store": shown.store,
        "runs": [
            {"run_id": one.run.run_id, "name": one.run.name, "framework": one.run.framework}
            for one in found.runs
        ],
        "metrics": [_metric(one) for one in found.metrics],
        "time_to": None
        if row is None
        else {
            "metric": row.key[0],
            "split": row.key[1],
            "value": target,
            "reached": [None if one is None else asdict(one) for one in when],
        },
        "costs": [{"name": one.name, "unit": one.unit, "values": one.values} for one in found.costs],
        "partings": [_parting(found, one) for one in partings(found, shown.axis)],
        "models": [
            {
                "run_id": found.runs[one.run].run.run_id,
                "same": one.alignment.same,
                "differing": len(one.alignment.differing),
            }
            for one in found.graphs
        ],
        "differences": {title.lower(): _differing(facts) for title, facts in found.facts.items()},
        "code": [asdict(one) for one in found.code],
        "troubles": found.troubles,
    }


def _metric(row: MetricRow) -> dict[str, Any]:
    return {
        "metric": row.key[0],
        "split": row.key[1],
        "higher_is_better": row.higher_is_better,
        "last": row.last,
        "best": [None if one is None else asdict(one) for one in row.best],
    }


def _parting(found: Comparison, one: Parted) -> dict[str, Any]:
    return {
        "run_id": found.runs[one.run].run.run_id,
        "metric": one.row.key[0],
        "split": one.row.key[1],
        "axis": one.axis.value,
        **asdict(one.parting),
    }


def _differing(facts: Sequence[Fact]) -> dict[str, Sequence[str]]:
    return {fact.name: fact.values for fact in facts if fact.differs}
