"""One scale for the steps of many series, and what is nearest on it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stepscope.app.analysis.media_steps import Clock, Scale, label_of, nearest, places_of, positions
from stepscope.app.views.words import NOTHING

CLOCK = Clock(400, np.array([0, 100, 200]), np.array([1.0, 2.0, 3.0]))
WITHOUT_EPOCHS = Clock(0, np.empty(0, np.int64), np.empty(0))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (Scale.STEP, [-5, 0, 99, 100, 400]),
        (Scale.EPOCH, [1, 1, 1, 2, 3]),
        (Scale.PROGRESS, [-1.2, 0, 24.8, 25, 100]),
    ],
)
def test_steps_lie_on_the_scale_of_their_run(scale: Scale, expected: list[float]) -> None:
    assert positions(np.array([-5, 0, 99, 100, 400]), scale, CLOCK).tolist() == expected


def test_a_run_without_epochs_lies_nowhere_and_shows_its_newest() -> None:
    places = positions(np.array([1, 2]), Scale.EPOCH, WITHOUT_EPOCHS)
    assert np.isnan(places).all()
    assert nearest(places, 1.0) == 1
    assert positions(np.array([0]), Scale.PROGRESS, WITHOUT_EPOCHS).tolist() == [0]


@pytest.mark.parametrize(
    ("wanted", "index"), [(None, 3), (-9, 0), (4, 0), (5, 0), (5.1, 1), (10, 1), (17, 2), (1e9, 3)]
)
def test_the_nearest_step_is_found_the_earlier_of_two(wanted: float | None, index: int) -> None:
    assert nearest(np.array([0.0, 10, 20, 30]), wanted) == index


def test_of_no_steps_none_is_near() -> None:
    assert nearest(np.empty(0), 3) is None


def test_the_slider_has_each_place_once() -> None:
    assert places_of([np.array([3.0, 1]), np.array([1.0, math.nan]), np.empty(0)]) == [1, 3]
    assert places_of([]) == []


@pytest.mark.parametrize(
    ("place", "scale", "words"),
    [
        (1200, Scale.STEP, "step 1,200"),
        (2.5, Scale.EPOCH, "epoch 2.5"),
        (24.8, Scale.PROGRESS, "24.8 %"),
        (math.nan, Scale.EPOCH, NOTHING),
    ],
)
def test_a_place_is_said_in_words(place: float, scale: Scale, words: str) -> None:
    assert label_of(place, scale) == words
