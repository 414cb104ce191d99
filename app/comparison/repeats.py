"""Runs that are repetitions of each other, as with other seeds: their median and spread. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .compare import Comparison
from .metrics import MetricRow


@dataclass(frozen=True, slots=True)
class Spread:
    """One metric of several runs that are repetitions of each other."""

    row: MetricRow
    group: str
    values: tuple[float, ...]
    """The final values, ascending."""

    @property
    def median(self) -> float:
        """The median of the final values."""
        return median(self.values)


def spreads(found: Comparison, groups: Mapping[str, Sequence[str]]) -> tuple[Spread, ...]:
    """Return the final values of each group of at least two runs, for metrics that at least two of it have.

    Args:
        found: a comparison.
        groups: name -> run_ids; the runs of a group are taken for repetitions of each other.
    """
    place_of = {one.run.run_id: place for place, one in enumerate(found.runs)}
    made: list[Spread] = []
    for row in found.metrics:
        last = found.finals(row)
        for group, run_ids in groups.items():
            values = [last[place_of[run_id]] for run_id in run_ids if run_id in place_of]
            known = sorted(value for value in values if value is not None and value == value)
            if len(known) > 1:
                made.append(Spread(row, group, tuple(known)))
    return tuple(made)


def repeated(found: Comparison) -> dict[str, list[str]]:
    """Return name -> run_ids of runs that share their name: one training, repeated with other seeds."""
    named: dict[str, list[str]] = {}
    for one in found.runs:
        named.setdefault(one.run.name, []).append(one.run.run_id)
    return {name: run_ids for name, run_ids in named.items() if len(run_ids) > 1}
