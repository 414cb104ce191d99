"""Which series of each run stands for a metric, so that all runs lie on one row. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ...storage.model import without_rank_0
from ..analysis.metric_groups import Member
from .metrics import Key

_PREFERRED = ("epoch", None, "batch")


def chosen_members(runs: Sequence[Sequence[Member]]) -> dict[Key, tuple[Member | None, ...]]:
    """Return row -> the series of each run that stands for it; rows that most runs have come first.

    Of several ranks, rank 0 stands for all. Of values per batch and per epoch, those that all runs have
    are taken, else each run's values per epoch. A metric without a split is that of the training, where it
    has splits elsewhere: `loss` beside `val_loss`, or beside another run's `loss/train`.

    Args:
        runs: the scalars of each run.
    """
    tables = _with_splits([_by_key(members) for members in runs])
    keys = dict.fromkeys(key for table in tables for key in table)
    found = {key: _of_one_kind([table.get(key, {}) for table in tables]) for key in keys}
    return dict(sorted(found.items(), key=lambda item: _order(item[0], item[1])))


def _by_key(members: Iterable[Member]) -> dict[Key, dict[str | None, Member]]:
    found: dict[Key, dict[str | None, Member]] = {}
    for one in members:
        if set(without_rank_0(one.series.context)) - {"split"}:
            continue
        found.setdefault((one.name.metric, one.name.split), {}).setdefault(one.name.granularity, one)
    return found


def _with_splits(
    tables: Sequence[dict[Key, dict[str | None, Member]]],
) -> list[dict[Key, dict[str | None, Member]]]:
    keys = {key for table in tables for key in table}
    split = {metric for metric, split in keys if split is not None}
    both = {
        metric for table in tables for metric, split in table if split is None and (metric, "train") in table
    }
    train = split - both
    return [
        {
            (metric, "train" if of is None and metric in train else of): kinds
            for (metric, of), kinds in table.items()
        }
        for table in tables
    ]


def _of_one_kind(choices: Sequence[Mapping[str | None, Member]]) -> tuple[Member | None, ...]:
    having = [choice for choice in choices if choice]
    shared = {kind for kind in _PREFERRED if all(kind in kinds for kinds in having)}
    wanted = [kind for kind in _PREFERRED if kind in shared] or list(_PREFERRED)
    return tuple(
        next((choice[kind] for kind in wanted if kind in choice), None) if choice else None
        for choice in choices
    )


def _order(key: Key, members: Sequence[Member | None]) -> tuple[int, int, int, str, str]:
    metric, split = key
    first = {"loss": 0, "accuracy": 1}.get(metric.partition("/")[0], 2)
    rank = {"validation": 0, "test": 1, "train": 2}.get(split or "train", 3)
    return -sum(member is not None for member in members), first, rank, metric, split or ""
