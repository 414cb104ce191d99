"""Which numbers belong on one chart, and which charts belong together. Pure: no Streamlit, no store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...storage.model import Context, LastValues, Run, Series, without_rank_0
from ...storage.name_rules import Naming
from ...storage.names import MetricName
from ...storage.sections import ABOUT_TRAINING as ABOUT_TRAINING
from ...storage.sections import LAST as LAST
from ...storage.sections import order_of
from ...storage.sections import section_of as section_of
from ...storage.sections import sections as sections

SETTINGS = frozenset({"learning_rate", "epoch"})
"""What is set and not measured: there is no noise in it to smooth away."""
_COUNTER = re.compile(
    r"(?:^|[_/])(?:epoch|global_step|(?:samples|examples|images|tokens)(?:_seen|_processed|_total)?)$"
    # As hooks name them that have a name.
    r"|^(?:epoch|samples)/[^/]+$"
)


@dataclass(frozen=True, slots=True)
class Member:
    """One series that belongs on a chart."""

    run: Run
    series: Series
    name: MetricName

    def words(self, run_name: str) -> str:
        """Return what tells its line from the others on the chart: run, split, granularity, rank ..."""
        return self.words_with(run_name, *_told(self.series.context, "split"))

    def words_across(self, run_name: str, ranks: str) -> str:
        """Return the same for a line that stands for several ranks, with words for them."""
        return self.words_with(run_name, *_told(self.series.context, "split", "rank"), ranks)

    def words_with(self, run_name: str, *others: str) -> str:
        """Return what tells a line from the others, with some other words at the end."""
        each = f"per {self.name.granularity}" if self.name.granularity else None
        parts = [run_name, self.name.split, self.name.source, each, *others]
        return " · ".join(part for part in parts if part)


def _told(context: Context, *others: str) -> list[str]:
    return [f"{key} {value}" for key, value in context.items() if key not in others]


def by_rank(members: Iterable[Member]) -> list[list[Member]]:
    """Group what several ranks of a run logged of one series; rank 0 is the first in its group."""
    groups: dict[Any, list[Member]] = {}
    for one in members:
        context = {key: value for key, value in one.series.context.items() if key != "rank"}
        key = (one.run.run_id, one.series.name, tuple(sorted(context.items())))
        ranked = "rank" in one.series.context
        groups.setdefault((key, ranked), []).append(one)
    return [sorted(group, key=_rank) for group in groups.values()]


def _rank(member: Member) -> tuple[int, str]:
    rank = member.series.context.get("rank", 0)
    return (rank, "") if isinstance(rank, int) else (1 << 62, rank)


def by_metric(
    runs: Sequence[Run], series: Iterable[Series], naming: Naming | None = None
) -> dict[str, list[Member]]:
    """Return metric -> the series of one chart, those of the oldest run first.

    Args:
        runs: newest first.
        series: scalars of these runs.
        naming: how the store's names are understood; None for the rules that everybody has.
    """
    naming = naming or Naming()
    age = {run.run_id: (place, run) for place, run in enumerate(reversed(runs))}
    metrics: dict[str, list[Member]] = {}
    for one in sorted(series, key=lambda one: (age[one.run_id][0], len(one.context))):
        name = naming.parse(one.name, one.context)
        metrics.setdefault(name.metric, []).append(Member(age[one.run_id][1], one, name))
    return metrics


def fitting(metrics: Mapping[str, list[Member]], wanted: str) -> dict[str, list[Member]]:
    """Return the metrics that a regular expression finds, in the metric or in a name as it was logged.

    Without a capital letter, both cases fit. Text that is no expression finds all (see `fault_of`): half of
    one, while it is typed, should not empty the page.
    """
    flags = re.NOFLAG if any(letter.isupper() for letter in wanted) else re.IGNORECASE
    pattern = re.compile("" if fault_of(wanted) else wanted, flags)
    return {
        metric: members
        for metric, members in metrics.items()
        if pattern.search(metric) or any(pattern.search(one.series.name) for one in members)
    }


def fault_of(wanted: str) -> str:
    """Return what is wrong with a regular expression and where, as a sentence; "" when it is one."""
    try:
        re.compile(wanted)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        return f"No regular expression: {error.msg}{where}. All are shown."
    return ""


def is_counter(metric: str) -> bool:
    """Return whether a metric counts how far the training is: epochs, samples, tokens ..."""
    return bool(_COUNTER.search(metric))


def last_values(found: LastValues, most: int, naming: Naming | None = None) -> dict[str, list[float | None]]:
    """Return the last values of the metrics that most runs have; of batch and epoch, the epoch's.

    What says how a run went on rather than how it ended is left out: the machine, the learning rate ...

    Args:
        found: of each metric, one value is returned for each of its run_ids, None where there is none.
        most: how many metrics.
        naming: how the store's names are understood; None for the rules that everybody has.
    """
    naming = naming or Naming()
    names = [naming.parse(one.name, one.context) for one in found.names]
    order = np.argsort(found.name, kind="stable")
    starts = np.searchsorted(found.name[order], np.arange(len(names) + 1)).tolist()
    values: dict[str, dict[int, float]] = {}
    # The epoch's come last, so that they stay.
    for place in sorted(range(len(names)), key=lambda place: names[place].granularity == "epoch"):
        name, context = names[place], found.names[place].context
        others = set(without_rank_0(context)) - {"split"}
        if name.metric.partition("/")[0] in {*ABOUT_TRAINING, *LAST} or others:
            continue
        column = f"{name.metric} \u00b7 {name.split}" if name.split else name.metric
        chosen = order[starts[place] : starts[place + 1]]
        pairs = zip(found.run[chosen].tolist(), found.value[chosen].tolist(), strict=True)
        values.setdefault(column, {}).update(pairs)
    often = sorted(values, key=lambda column: (-len(values[column]), order_of(column)))[:most]
    return {
        column: [values[column].get(run) for run in range(len(found.run_ids))] for column in sorted(often)
    }
