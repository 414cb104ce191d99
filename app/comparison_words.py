"""What a comparison comes down to, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import comparison_tables as tables
from .comparison import Comparison, Parted
from .comparison_costs import words
from .comparison_metrics import Arrival, MetricRow, arrivals
from .views.words import TIMES, count, duration, number, one_of, short_count

_TOLD_COSTS = ("Throughput, median", "Peak memory of a GPU", "Peak memory of the process")


def headline(found: Comparison) -> str:
    """Return what is compared: "torch and keras"; of many runs, the baseline and how many others."""
    names = [one.name for one in found.runs]
    return " and ".join(names) if len(names) <= 2 else f"{names[0]} and {len(names) - 1} other runs"


def in_short(
    found: Comparison, row: MetricRow | None, target: float | None, parted: Sequence[Parted]
) -> list[str]:
    """Return what a reader should know first, a sentence each.

    Args:
        found: the comparison.
        row: the metric that is looked at first.
        target: a value of it.
        parted: where the curves part.
    """
    return [
        *([_reached(found, row)] if row else []),
        *([_took(found, row, target)] if row and target is not None else []),
        *_parted(found, row, parted),
        *_spent(found),
        *_models(found),
        *_setting(found),
    ]


def _setting(found: Comparison) -> Iterator[str]:
    titles = {"Config": "config", "Environment": "machine and settings", "Packages": "packages"}
    told, same = list[str](), list[str]()
    for title, words_of_it in titles.items():
        many = sum(fact.differs for fact in found.facts[title])
        if many:
            told.append(f"{count(many)} of {words_of_it}")
        elif found.facts[title]:
            same.append(words_of_it)
    code = [one.same for one in found.code]
    (same if all(code) else told).append("code")
    parts = [
        f"Different: {', '.join(told)}." if told else "",
        f"The same: {', '.join(same)}." if same else "",
    ]
    yield " ".join(part for part in parts if part)


def _reached(found: Comparison, row: MetricRow) -> str:
    parts = [
        f"{one.name} {number(value)}"
        for one, value in zip(found.runs, row.last, strict=True)
        if value is not None
    ]
    return f"Final {row.name}: {', '.join(parts)}."


def _took(found: Comparison, row: MetricRow, target: float) -> str:
    when = arrivals(row, target)
    parts = [
        f"{run.name} {_when(one)}"
        for run, one, cell in zip(found.runs, when, row.cells, strict=True)
        if cell is not None
    ]
    return f"Time to {row.name} {'≥' if row.higher_is_better else '≤'} {number(target)}: {', '.join(parts)}."


def _when(one: Arrival | None) -> str:
    return f"after {duration(max(0.0, one.seconds))} (step {count(one.step)})" if one else "never"


def _parted(found: Comparison, row: MetricRow | None, parted: Sequence[Parted]) -> Iterator[str]:
    for one in parted:
        if row is None or one.row.key != row.key or one.parting.reason:
            continue
        base, other = found.runs[0].name, found.runs[one.run].name
        if one.parting.at is None:
            yield f"The curves of {row.name} of {base} and {other} never part by more than their noise."
            continue
        end = ", and are the same again at the end" if one.parting.meet else ""
        at = tables.place(one.parting.at, one.axis)
        yield f"The curves of {row.name} of {base} and {other} part at {at}{end}."


def _spent(found: Comparison) -> Iterator[str]:
    base = found.runs[0].name
    for cost in found.costs:
        first = cost.values[0]
        if cost.name not in _TOLD_COSTS or not first:
            continue
        others = [
            f"{run.name} {words(value, cost.unit)} ({value / first:.2f}\u00a0{TIMES})"
            for run, value in zip(found.runs[1:], cost.values[1:], strict=True)
            if value is not None
        ]
        if others:
            yield f"{cost.name}: {base} {words(first, cost.unit)}, {', '.join(others)}."


def _models(found: Comparison) -> Iterator[str]:
    for parity in found.graphs:
        one, two = found.runs[0], found.runs[parity.run]
        if parity.alignment.same and one.graph:
            size = short_count(one.graph.parameters)
            yield f"The models of {one.name} and {two.name} are the same layer by layer, {size} parameters."
        elif parity.alignment.differing:
            many = one_of(len(parity.alignment.differing), "layer")
            yield f"The models of {one.name} and {two.name} differ in {many}."
