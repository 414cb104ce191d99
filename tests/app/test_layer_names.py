"""Histograms of one layer, whatever the framework calls its variables."""

from __future__ import annotations

import pytest

from stepscope.app.graphs.layer_names import by_layer, shared_name
from stepscope.storage.model import Series


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("weights/conv1/kernel", "weights/conv1/weight"),
        ("weights/bn/gamma", "weights/bn/weight"),
        ("weights/bn/beta", "weights/bn/bias"),
        ("weights/bn/moving_variance", "weights/bn/running_var"),
        ("weights/conv1/weight", "weights/conv1/weight"),
        ("weights/kernel/scale", "weights/kernel/scale"),
        ("kernel", "kernel"),
    ],
)
def test_the_last_part_of_a_name_follows_the_convention(name: str, shared: str) -> None:
    assert shared_name(name) == shared


def test_layers_of_both_frameworks_meet() -> None:
    torch = Series("a", 1, "weights/conv1/weight", "histogram")
    keras = Series("b", 2, "weights/conv1/kernel", "histogram")
    assert by_layer([torch, keras]) == {"weights/conv1/weight": [torch, keras]}


def test_a_run_that_has_both_names_keeps_them_apart() -> None:
    weight = Series("a", 1, "weights/x/weight", "histogram")
    kernel = Series("a", 2, "weights/x/kernel", "histogram")
    other = Series("b", 2, "weights/x/kernel", "histogram")
    found = by_layer([weight, kernel, other])
    assert found == {"weights/x/weight": [weight], "weights/x/kernel": [kernel, other]}


def test_ranks_are_layers_of_their_own() -> None:
    ranks = [Series("a", rank, "weights/w", "histogram", {"rank": rank}) for rank in range(2)]
    assert by_layer(ranks) == {"weights/w · rank=0": ranks[:1], "weights/w · rank=1": ranks[1:]}
