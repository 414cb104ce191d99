"""`stepscope compare`: what runs differ in, and what each of them reached."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...storage.errors import BadInput
from ...storage.model import Run
from ...storage.name_rules import Naming
from ...storage.read import Reader
from .. import report
from ..comparison import result_tables, tables
from ..comparison.compare import Comparison, axes, partings
from ..comparison.curves import Axis
from ..comparison.metrics import MetricRow
from ..comparison.reading import StoreSource, distinct_names, read
from ..comparison.repeats import repeated, spreads
from ..comparison.targets import default_target, leading
from ..comparison.words import in_short
from ..views.figures import run_colours
from . import output
from .comparison_json import described
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
        output.print_json(described(found, shown) | ({"report": options.to} if options.to else {}))
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
    sheets = [*result_tables.results(found), tables.costs(found, found.costs)]
    if shown.row is not None and shown.target is not None:
        sheets.append(result_tables.times_to(found, shown.row, shown.target))
    sheets += [result_tables.groups(spreads(found, shown.groups)), tables.partings(found, parted)]
    sheets += [tables.models(found, parity).differing for parity in found.graphs]
    sheets.append(tables.programs(found))
    sheets += [tables.facts(found, title, facts).differing for title, facts in found.facts.items()]
    for sheet in sheets:
        if sheet.rows:
            print(f"\n{output.visible(sheet.title)}")
            output.print_table(sheet.columns)
            if sheet.note:
                print(f"({output.visible(sheet.note)})")
    for names, code in tables.codes(found):
        print(f"\ncode of {output.visible(names)}\n{output.visible(code.said)}")
    for trouble in found.troubles:
        print(f"\n{output.visible(trouble)}")
