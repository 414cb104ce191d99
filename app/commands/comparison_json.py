"""A comparison as JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ...storage.model import Run
from ...storage.nested import flatten
from .. import report
from ..comparison.compare import Comparison, Parted, partings
from ..comparison.facts import Fact
from ..comparison.metrics import MetricRow
from ..comparison.programs import Program
from ..comparison.splits import SplitRow
from ..comparison.targets import arrivals
from ..graphs.alignment import Pair


def described(found: Comparison, shown: report.Shown) -> dict[str, Any]:
    """Return a comparison as `stepscope compare --json` prints it (docs/guide/commands.md)."""
    row, target = shown.row, shown.target
    when = () if row is None or target is None else arrivals(row, target)
    return {
        "store": shown.store,
        "runs": [
            {"run_id": one.run.run_id, "name": one.run.name, "framework": one.run.framework}
            for one in found.runs
        ],
        "metrics": [_metric(one) for one in found.metrics],
        "splits": [_split(one) for one in found.splits],
        "summary": {
            fact.name: [_of_summary(one.run, fact.name) for one in found.runs] for fact in found.summary
        },
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
                "layers": [_layers(pair) for pair in one.alignment.rows],
                "notes": one.alignment.notes,
            }
            for one in found.graphs
        ],
        "programs": [_program(one.program) for one in found.runs],
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


def _split(row: SplitRow) -> dict[str, Any]:
    return {
        "metric": row.metric,
        "higher_is_better": row.higher_is_better,
        **{
            split: [None if one is None else asdict(one) for one in cells]
            for split, cells in row.splits.items()
        },
    }


def _of_summary(run: Run, name: str) -> Any:
    return flatten(run.summary).get(name)


def _layers(pair: Pair) -> dict[str, Any]:
    sides = {
        side: unit
        and {"path": unit.path, "type": unit.type, "shape": unit.shape, "parameters": unit.parameters}
        for side, unit in (("baseline", pair.a), ("run", pair.b))
    }
    return {**sides, "matters": pair.matters, "differs": pair.differs, "note": pair.note}


def _program(program: Program | None) -> dict[str, Any] | None:
    return program and asdict(program)


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
