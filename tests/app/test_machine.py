"""What series tell of a machine, and which rank is slow."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stepscope.app.analysis import machine
from stepscope.storage.model import Points, Series


def series(name: str, **context: str | int) -> Series:
    return Series("run", 1, name, "scalar", context)


def points(*values: float, count: tuple[int, ...] | None = None) -> Points:
    numbers = np.array(values)
    steps = np.arange(len(numbers))
    counts = np.array(count or [1] * len(numbers))
    return Points(steps, steps, steps * 1.0, numbers, numbers, numbers, numbers, counts, int(counts.sum()))


def test_series_are_understood_by_device_and_rank_in_the_order_of_the_page() -> None:
    names = [
        "system/gpu1/power_w",
        "system/gpu0/power_w",
        "loss",
        "memory/gpu:0/peak",
        "step_time",
        "system/fan_rpm",
    ]
    found = machine.readings([*map(series, names), series("system/stepscope/critic/cost_percent", rank=1)])
    assert [(one.title, [each.words for each in members]) for one, members in found.items()] == [
        ("Step time", [""]),
        ("GPU power", ["gpu0", "gpu1"]),
        ("Peak of the framework", ["gpu:0"]),
        ("Cost of the tracker", ["critic · rank 1"]),
        ("fan_rpm", [""]),
    ]
    assert [one.section for one in found] == ["speed", "gpu", "gpu", "tracker", "other"]
    assert set(machine.SECTIONS) == {one.section for one in machine.MEASURES} | {"other"}


def test_a_median_of_buckets_counts_their_points() -> None:
    assert machine.median(points(1.0, 2.0, 9.0)) == 2.0
    assert machine.median(points(1.0, 9.0, count=(1, 9))) == 9.0
    assert machine.median(points(math.nan, 4.0)) == 4.0
    assert math.isnan(machine.median(points(math.nan)))
    assert machine.scaled(points(5e9), machine.GB).max.tolist() == [5.0]


@pytest.mark.parametrize(
    ("step", "own", "told"),
    [
        ({0: 0.4}, {}, ""),
        (
            {0: 0.4, 1: 0.4, 2: 0.5},
            {},
            "Rank 2 is the slowest: 0.5 s a step, 25% more than the median of 3 ranks.",
        ),
        (
            {0: 0.4, 1: 0.4, 2: 0.4},
            {0: 0.1, 1: 0.3, 2: 0.1},
            "The 3 ranks wait for each other, so that all take 0.4 s a step. Before they meet, rank 1 is the "
            "slowest: 0.3 s for data and forward pass, 200% more than the median.",
        ),
        (
            {0: 0.4, 1: 0.4},
            {0: 0.1},
            "No rank is slower than the others: all 2 take 0.4 s a step, within 5%.",
        ),
    ],
)
def test_the_rank_that_holds_the_others_up_is_named(
    step: dict[int, float], own: dict[int, float], told: str
) -> None:
    assert machine.straggler(step, own) == told


def test_side_by_side_charts_have_one_scale_from_zero() -> None:
    assert machine.shared_range([points(1.0, 2.0), points(math.nan), points(4.0)]) == (
        0.0,
        pytest.approx(4.2),
    )
    assert machine.shared_range([points(math.nan)]) is None
