"""The layout of TensorBoard's custom scalars."""

from __future__ import annotations

from stepscope.storage.model import Series
from stepscope.storage.name_rules import Naming
from stepscope.trackers.sinks.tensorboard.layout import (
    MOST_CHARTS,
    layout_as_text,
    layout_from_text,
    layout_of,
    tags_by_metric,
)
from stepscope.trackers.sinks.tensorboard.names import places

NAMES = ("train/loss", "val_loss", "loss", "weird (tag).*", "head/score", "system/cpu")
SERIES = [Series("7K2M9QX4AB", number, name, "scalar") for number, name in enumerate(NAMES)]


def test_the_splits_of_a_metric_are_on_one_chart() -> None:
    layout = layout_of(tags_by_metric(SERIES, places(SERIES), Naming()))
    charts = {
        category.title: {chart.title: list(chart.multiline.tag) for chart in category.chart}
        for category in layout.category
    }
    assert charts == {
        "metrics": {
            "loss": ["^loss$", "^train/loss$", "^val_loss$"],
            "weird (tag).*": [r"^weird\ \(tag\)\.\*$"],
        },
        "head": {"head/score": ["^head/score$"]},
        "system": {"system/cpu": ["^system/cpu$"]},
    }
    assert [category.closed for category in layout.category] == [False, False, True]


def test_a_layout_of_many_metrics_is_bounded() -> None:
    layout = layout_of({f"layer{number}/norm": ["a"] for number in range(2 * MOST_CHARTS)})
    assert sum(len(category.chart) for category in layout.category) == MOST_CHARTS
    assert not layout.category[0].closed
    assert layout.category[-1].closed


def test_a_layout_is_kept_as_text() -> None:
    layout = layout_of({"loss": ["train/loss"]})
    assert layout_from_text(layout_as_text(layout)) == layout
    assert layout_from_text("# notes") is None
