"""What the vertical axis leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from stepscope.app.views.outliers import ROOM, Outliers, is_duration, limits


def test_ignored_outliers_leave_tensorboards_percentiles() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    ends = limits("loss", [values], [values], Outliers.IGNORED)
    low, high = np.percentile(values, [5, 95])
    assert ends == pytest.approx((low - ROOM * (high - low), high + ROOM * (high - low)))


def test_a_first_step_that_compiles_does_not_flatten_the_others() -> None:
    seconds = np.full(300, 0.02) + 0.01 * np.random.default_rng(0).random(300)
    seconds[0] = 2.8
    ends = limits("step_time", [seconds], [seconds], Outliers.AUTO)
    assert ends is not None
    assert ends[1] < 0.04
    assert limits("step_time", [seconds], [seconds], Outliers.SHOWN) is None


def test_only_durations_are_cut_unasked() -> None:
    loss = np.ones(300)
    loss[0] = 100.0
    assert limits("loss", [loss], [loss], Outliers.AUTO) is None
    assert limits("step_time", [np.arange(300.0)], [np.arange(300.0)], Outliers.AUTO) is None
    assert limits("step_time", [loss[:10]], [loss[:10]], Outliers.AUTO) is None


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        *[(name, True) for name in ("step_time", "time/data", "epoch_seconds", "latency", "a/duration")],
        *[(name, False) for name in ("loss", "timestep", "samples_per_second", "times_seen", "bms")],
    ],
)
def test_durations(metric: str, expected: bool) -> None:
    assert is_duration(metric) is expected


def test_a_logarithmic_axis_begins_above_zero() -> None:
    values = np.concatenate([np.full(10, -1.0), np.geomspace(0.1, 10, 100)])
    ends = limits("loss", [values], [values], Outliers.IGNORED, log=True)
    assert ends is not None
    assert 0 < ends[0] < ends[1]
    assert limits("loss", [np.full(30, np.nan)], [np.full(30, np.nan)], Outliers.IGNORED) is None
    assert limits("loss", [np.ones(30)], [np.ones(30)], Outliers.IGNORED) is None
    assert limits("loss", [], [], Outliers.IGNORED) is None
