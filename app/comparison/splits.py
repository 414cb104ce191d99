"""What each run reached on the data that it trained on, and on other data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .metrics import Best, Key, MetricRow, higher_is_better

_ORDER = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class Reached:
    """One metric of one run on one split."""

    final: float | None
    """It may be no number."""
    best: Best | None = None
    """None where a single value is known."""
    told: bool = False
    """Whether the final value is the one in the run's summary, and no logged one."""


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One metric of all runs, by split."""

    metric: str
    higher_is_better: bool
    splits: Mapping[str, tuple[Reached | None, ...]]
    """Train, validation, test, others -> one for each run; None where it does not know the metric there."""


def in_order(splits: Iterable[str]) -> list[str]:
    """Return splits, each once: train, validation, test and then others."""
    return sorted(set(splits), key=lambda one: (_ORDER.get(one, 3), one))


def split_rows(rows: Sequence[MetricRow], told: Sequence[Mapping[Key, float]]) -> tuple[SplitRow, ...]:
    """Return the metrics that are known by split.

    The final value is the one of the summary, which is measured over all data when the training is over,
    where all runs that have the metric have it there; else what a run logged last, or, of a run that did not
    log it, the one of its summary.

    Args:
        rows: the metrics that the runs logged.
        told: of each run, metric and split -> the number in its summary.
    """
    logged = {row.key: row for row in rows if row.key[1] is not None}
    metrics = {row.key[0]: row.higher_is_better for row in logged.values()}
    said = {key for each in told for key in each}
    known = in_order(split for _, split in (*logged, *said) if split is not None)
    found = dict.fromkeys([*metrics, *sorted(metric for metric, _ in said)])
    made: list[SplitRow] = []
    for metric in found:
        splits = {
            split: _reached(logged.get((metric, split)), (metric, split), told)
            for split in known
            if (metric, split) in logged or (metric, split) in said
        }
        made.append(SplitRow(metric, metrics.get(metric, higher_is_better(metric)), splits))
    return tuple(made)


def _reached(
    row: MetricRow | None, key: Key, told: Sequence[Mapping[Key, float]]
) -> tuple[Reached | None, ...]:
    many = len(told)
    cells, last, best = (row.cells, row.last, row.best) if row else ((None,) * many,) * 3
    having = [at for at in range(many) if cells[at] or key in told[at]]
    by_summary = all(key in told[at] for at in having)
    found: list[Reached | None] = [None] * many
    for at in having:
        cell, summary = cells[at], told[at].get(key)
        use = summary is not None and (by_summary or cell is None)
        course = best[at] if cell and cell.member.series.count > 1 else None
        found[at] = Reached(summary if use else last[at], course, told=use)
    return tuple(found)
