"""What runs measured, found by the names that people give it: as it was logged, or as it is understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from .model import LastValues, SeriesName, label_of, without_rank_0
from .name_rules import Naming
from .names import MetricName

_GRANULARITIES = ("epoch", None, "batch")
"""Which of several series of one metric stands for it: the surest first."""


class RunMetrics:
    """The last, least and greatest values of the scalars of some runs. Columns are made when asked for."""

    def __init__(self, values: LastValues, naming: Naming | None = None) -> None:
        """Take what was read of some runs, and how the store's names are understood."""
        self.values = values
        self._naming = naming or Naming()
        self._columns: dict[tuple[str, str], list[float | None]] = {}

    def of(self, place: int, name: str, which: str = "last") -> float | None:
        """Return a value of the run at that place in `values.run_ids`; None when it has none."""
        return self.column(name, which)[place]

    def column(self, name: str, which: str = "last") -> list[float | None]:
        """Return a value of each run, in the order of `values.run_ids`.

        Args:
            name: a label as in `LastValues.of`; or a name that is understood as what was logged is:
                "val/loss" finds `val_loss` of Keras. Without a split, what was measured in training fits.
            which: "last", "min" or "max"; extremes are of finite values.
        """
        key = (name, which)
        if key not in self._columns:
            self._columns[key] = self._column(name, which)
        return self._columns[key]

    @cached_property
    def names(self) -> list[str]:
        """All names under which something was logged, and those they are understood as; sorted."""
        return sorted({one.name for one in self.values.names} | set(filter(None, self.understood)))

    @cached_property
    def understood(self) -> list[str | None]:
        """How each of `values.names` is understood, as "validation/loss"; None for another rank or part."""
        return [None if one is None else _written(one) for one in self._understood]

    def _column(self, name: str, which: str) -> list[float | None]:
        values = self.values
        source = {"last": values.value, "min": values.min, "max": values.max}[which]
        found: list[float | None] = [None] * len(values.run_ids)
        for place in self._fitting(name):
            chosen = self._order[self._starts[place] : self._starts[place + 1]]
            for run, value in zip(values.run[chosen].tolist(), source[chosen].tolist(), strict=True):
                if which == "last" or value == value:
                    found[run] = value
        return found

    def _fitting(self, name: str) -> list[int]:
        """Return which of the names fit; the best one comes last, so that its values stay."""
        wanted = self._naming.parse(name)
        ranks = {place: self._rank(place, name, wanted) for place in range(len(self.values.names))}
        fits = [place for place, rank in ranks.items() if rank is not None]
        return sorted(fits, key=lambda place: ranks[place] or 0, reverse=True)

    def _rank(self, place: int, name: str, wanted: MetricName) -> int | None:
        one, found = self.values.names[place], self._understood[place]
        if name in (one.label, label_of(one.name, without_rank_0(one.context))):
            return 0
        if found is None or found.metric != wanted.metric:
            return None
        if found.split != wanted.split and (wanted.split, found.split) != (None, "train"):
            return None
        if wanted.granularity not in (None, found.granularity):
            return None
        return 1 + 3 * (found.split != wanted.split) + _GRANULARITIES.index(found.granularity)

    @cached_property
    def _understood(self) -> Sequence[MetricName | None]:
        return [_parsed(one, self._naming) for one in self.values.names]

    @cached_property
    def _order(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.argsort(self.values.name, kind="stable")

    @cached_property
    def _starts(self) -> list[int]:
        names = self.values.name[self._order]
        return np.searchsorted(names, np.arange(len(self.values.names) + 1)).tolist()


def _parsed(one: SeriesName, naming: Naming) -> MetricName | None:
    """Return how a name is understood; None for what another rank or part measured."""
    others: Mapping[str, object] = without_rank_0(one.context)
    return None if set(others) - {"split"} else naming.parse(one.name, one.context)


def _written(name: MetricName) -> str:
    return f"{name.split}/{name.metric}" if name.split else name.metric
