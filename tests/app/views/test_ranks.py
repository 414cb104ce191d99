"""Several ranks as one line."""

from __future__ import annotations

import numpy as np

from stepscope.app.analysis.metric_groups import by_metric, by_rank
from stepscope.app.views.ranks import MOST_RANKS, across, chosen
from stepscope.storage.downsample import bucket
from stepscope.storage.model import Run, RunState, Series


def line(steps: list[int], values: list[float], most: int = 1000):
    return bucket(np.array(steps), np.array(steps) / 10, np.array(values), most)


def test_the_mean_lies_between_the_extremes() -> None:
    found = across([line([0, 1, 2], [1.0, 2.0, 3.0]), line([0, 1, 2], [3.0, 2.0, 7.0])])
    np.testing.assert_array_equal(found.step, [0, 1, 2])
    np.testing.assert_array_equal(found.mean, [2.0, 2.0, 5.0])
    np.testing.assert_array_equal(found.min, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(found.max, [3.0, 2.0, 7.0])
    assert found.bucketed
    assert found.total == 6


def test_a_rank_that_ended_or_looks_less_often() -> None:
    found = across([line([0, 1, 2, 3], [1.0, 1.0, 1.0, 1.0]), line([0, 2], [3.0, 5.0]), line([], [])])
    np.testing.assert_array_equal(found.mean, [2.0, 2.0, 3.0, 1.0])
    np.testing.assert_array_equal(found.last, [2.0, 2.0, 3.0, 1.0])


def test_what_is_no_number_is_seen() -> None:
    found = across([line([0, 1, 2], [1.0, np.nan, 1.0]), line([0, 1, 2], [3.0, 3.0, np.inf])])
    np.testing.assert_array_equal(found.mean, [2.0, 3.0, 1.0])
    assert np.isnan(found.last[1])
    assert np.isposinf(found.last[2])
    assert (found.nan_count, found.posinf_count) == (1, 1)
    assert np.isnan(across([line([0], [np.nan])]).mean[0])


def test_buckets_of_long_lines() -> None:
    steps = list(range(10_000))
    found = across([line(steps, [float(rank)] * 10_000, 100) for rank in range(4)])
    assert len(found) == 100
    np.testing.assert_array_equal(found.mean, np.full(100, 1.5))
    np.testing.assert_array_equal(found.max, np.full(100, 3.0))


def test_of_many_ranks_some_are_read() -> None:
    assert chosen(range(5)) == [0, 1, 2, 3, 4]
    some = chosen(range(1000))
    assert (len(some), some[0], some[-1]) == (MOST_RANKS, 0, 999)


def test_ranks_of_one_series_are_one_group() -> None:
    run = Run("A", "p", "n", RunState.RUNNING, 0.0, 0.0)
    series = [
        Series("A", number, name, "scalar", context)
        for number, (name, context) in enumerate(
            [("loss", {"rank": 10}), ("loss", {"rank": 2}), ("loss", {"rank": 0}), ("loss", {}),
             ("loss", {"rank": 1, "split": "val"}), ("train_loss", {"rank": 1})]
        )
    ]  # fmt: skip
    groups = by_rank(by_metric([run], series)["loss"])
    ranks = [[one.series.context.get("rank") for one in group] for group in groups]
    assert sorted(ranks, key=len) == [[None], [1], [1], [0, 2, 10]]
    (ranked,) = (group for group in groups if len(group) == 3)
    assert ranked[0].words_across("run", "mean of 3 ranks") == "run · mean of 3 ranks"
    assert ranked[1].words("run") == "run · rank 2"
