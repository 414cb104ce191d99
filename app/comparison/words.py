"""What a comparison comes down to, in sentences. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..views.words import TIMES, count, duration, number, one_of, short_count
from . import tables
from .compare import Comparison, Parted
from .costs import FIRST_STEP, PROCESS_PEAK, words
from .metrics import MetricRow
from .splits import SplitRow
from .targets import Arrival, arrivals

FEW_RUNS = 3
"""Of more, the first and the last are named."""
_TOLD_COSTS = (FIRST_STEP, "Throughput, median", "Peak memory of a GPU", PROCESS_PEAK)


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
        *_tested(found, row),
        *([_took(found, row, target)] if row and target is not None else []),
        *_parted(found, row, parted),
        *_spent(found),
        *_models(found),
        *_programs(found),
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
    if all(one.same for one in found.code):
        same.append("code")
    elif any(one.known and not one.same for one in found.code):
        told.append("code")
    parts = [
        f"Different: {', '.join(told)}." if told else "",
        f"The same: {', '.join(same)}." if same else "",
    ]
    if any(parts):
        yield " ".join(part for part in parts if part)


def _reached(found: Comparison, row: MetricRow) -> str:
    known = [
        (run.name, value)
        for run, value in zip(found.runs, found.finals(row), strict=True)
        if value is not None and math.isfinite(value)
    ]
    if len(found.runs) > FEW_RUNS and known:
        ranked = sorted(known, key=lambda item: item[1], reverse=row.higher_is_better)
        (best, high), (worst, low) = ranked[0], ranked[-1]
        return f"Final {row.name}: from {number(high)} of {best} to {number(low)} of {worst}."
    if not known:
        return f"No run ended with a number of {row.name}."
    return f"Final {row.name}: {', '.join(f'{name} {number(value)}' for name, value in known)}."


def _tested(found: Comparison, row: MetricRow | None) -> Iterator[str]:
    """Yield what the runs reached of the metric on test data, beside their training data."""
    for one in found.splits:
        if row is None or one.metric != row.key[0] or "test" not in one.splits or row.key[1] == "test":
            continue
        known = [
            (run.name, [_final(one, split, at) for split in ("test", "train")])
            for at, run in enumerate(found.runs)
        ]
        tested = [(name, finals) for name, finals in known if finals[0]]
        if 1 < len(tested) <= FEW_RUNS:
            told = (
                f"{name} {test}{f' ({train} on train data)' if train else ''}"
                for name, (test, train) in tested
            )
            yield f"Final {one.metric} on test data: {', '.join(told)}."


def _final(row: SplitRow, split: str, at: int) -> str:
    reached = row.splits[split][at] if split in row.splits else None
    known = reached is not None and reached.final is not None and math.isfinite(reached.final)
    return number(reached.final) if reached and known else ""


def _took(found: Comparison, row: MetricRow, target: float) -> str:
    when = [
        (run.name, one)
        for run, one, cell in zip(found.runs, arrivals(row, target), row.cells, strict=True)
        if cell is not None
    ]
    head = f"Time to {row.name} {'≥' if row.higher_is_better else '≤'} {number(target)}"
    if len(found.runs) <= FEW_RUNS:
        return f"{head}: {', '.join(f'{name} {_when(one)}' for name, one in when)}."
    ranked = sorted(
        ((one.seconds, name, one) for name, one in when if one is not None), key=lambda item: item[:2]
    )
    if not ranked:
        return f"{head}: no run reached it."
    never = len(when) - len(ranked)
    rest = f"; {one_of(never, 'run')} never" if never else ""
    (_, first, earliest), (_, last, latest) = ranked[0], ranked[-1]
    return f"{head}: first {first} {_when(earliest)}, last {last} {_when(latest)}{rest}."


def _when(one: Arrival | None) -> str:
    return f"{duration(max(0.0, one.seconds))} (step {count(one.step)})" if one else "never"


def _parted(found: Comparison, row: MetricRow | None, parted: Sequence[Parted]) -> Iterator[str]:
    here = [one for one in parted if row is not None and one.row.key == row.key and not one.parting.reason]
    if row is None or not here:
        return
    base = found.runs[0].name
    if len(here) == 1:
        names = f"The curves of {row.name} of {base} and {found.runs[here[0].run].name}"
        yield f"{names} {_where(here[0])}."
        return
    told: dict[str, list[str]] = {}
    for one in here:
        told.setdefault(_where(one), []).append(found.runs[one.run].name)
    parts = "; ".join(f"{', '.join(names)} {where}" for where, names in told.items())
    yield f"The curves of {row.name}, beside that of {base}: {parts}."


def _where(one: Parted) -> str:
    if one.parting.at is None:
        return "never part by more than their noise"
    end = ", and are the same again at the end" if one.parting.meet else ""
    return f"part at {tables.place(one.parting.at, one.axis)}{end}"


def _spent(found: Comparison) -> Iterator[str]:
    base = found.runs[0].name
    shared = any(one.process.runs_before for one in found.runs)
    for cost in found.costs:
        first = cost.values[0]
        if cost.name not in _TOLD_COSTS or not first or (shared and cost.name == PROCESS_PEAK):
            continue  # a process that had other runs in it says little of this one
        others = [
            (value / first, f"{run.name} {words(value, cost.unit)} ({value / first:.2f}\u00a0{TIMES})")
            for run, value in zip(found.runs[1:], cost.values[1:], strict=True)
            if value is not None
        ]
        if len(others) > FEW_RUNS:
            others = [min(others), max(others)]
        if others:
            told = ", ".join(dict.fromkeys(text for _, text in others))
            yield f"{cost.name}: {base} {words(first, cost.unit)}, {told}."


def _models(found: Comparison) -> Iterator[str]:
    one = found.runs[0]
    same = [found.runs[parity.run].name for parity in found.graphs if parity.alignment.same]
    if same and one.graph:
        size = f", {short_count(one.graph.parameters)} parameters" if one.graph.parameters else ""
        names = f"{one.name} and {', '.join(same)}"
        yield f"The models of {names} are the same layer by layer{size}."
    for parity in found.graphs:
        if parity.alignment.differing:
            many = one_of(len(parity.alignment.differing), "layer")
            yield f"The models of {one.name} and {found.runs[parity.run].name} differ in {many}."


def _programs(found: Comparison) -> Iterator[str]:
    """Yield how long the programs are, where there are a few and they are not all one."""
    kept = [(run.name, run.program) for run in found.runs if run.program is not None]
    if not 1 < len(kept) <= FEW_RUNS or len({(one.name, one.text) for _, one in kept}) == 1:
        return
    told = [
        f"{name} {count(one.lines.code)}, {count(one.lines.tracker)} of them Stepscope's"
        for name, one in kept
        if one.lines is not None
    ]
    if len(told) == len(kept):
        yield f"Lines of code: {'; '.join(told)}."
