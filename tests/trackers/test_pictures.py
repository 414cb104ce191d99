"""Arrays become pictures of a limited number and size, with words that say what is seen."""

from __future__ import annotations

import numpy as np
import pytest

from stepscope.storage.errors import BadInput
from stepscope.trackers.hooks.pictures import (
    as_pictures,
    filter_grid,
    map_grid,
    prediction_captions,
    saliency_pictures,
)


def test_filters_share_one_scale_around_grey() -> None:
    filters = np.zeros((4, 3, 3, 1), np.float32)
    filters[1, 0, 0] = 2.0
    filters[2, 0, 0] = -2.0
    picture, caption = filter_grid(filters)
    assert picture.shape == (49, 49, 1)  # two rows of two, 3 x 3 enlarged eight times, a line between
    assert (picture[0, 0, 0], picture[0, 25, 0], picture[25, 0, 0]) == (0.5, 1.0, 0.0)
    assert picture[24, 0, 0] == 1.0
    assert caption == "4 filters of 3 x 3 x 1; grey is 0, white 2"


def test_many_filters_of_many_channels_are_cut_and_averaged() -> None:
    picture, caption = filter_grid(np.ones((100, 2, 2, 16), np.float32))
    assert caption == "the first 64 of 100 filters of 2 x 2 x 16, mean of the channels; grey is 0, white 1"
    assert picture.shape[2] == 1
    assert filter_grid(np.ones((16, 300, 300, 1), np.float32))[0].shape == (603, 603, 1)


def test_broken_filters_are_drawn_as_well() -> None:
    picture, _ = filter_grid(np.full((1, 2, 2, 3), np.nan, np.float32))
    assert picture.shape == (24, 24, 3)


def test_feature_maps_have_scales_of_their_own() -> None:
    maps = np.stack([np.arange(4.0).reshape(2, 2), np.full((2, 2), 7.0)], axis=2)
    picture, caption = map_grid(maps)
    assert (picture[0, 0, 0], picture[-1, 23, 0], picture[0, -1, 0]) == (0.0, 1.0, 0.0)
    assert caption == "2 maps of 2 x 2, each from its least to its largest"


@pytest.mark.parametrize(
    ("given", "drawn"),
    [(np.uint8(255), 1.0), (np.float32(0.5), 0.5), (np.bool_(True), 1.0), (np.float32(3.0), 0.0)],
)
def test_samples_of_any_range(given: np.generic, drawn: float) -> None:
    pictures = as_pictures(np.full((2, 4, 4, 1), given), "inputs")
    assert len(pictures) == 2
    assert pictures[0][0, 0, 0] == drawn


def test_samples_that_are_no_pictures() -> None:
    with pytest.raises(BadInput, match=r"inputs must be a batch of pictures, of four dimensions, but got"):
        as_pictures(np.zeros((2, 3)), "inputs")


def test_captions_tell_the_class_how_surely_and_what_was_right() -> None:
    logits = np.array([[0.0, 5.0], [9.0, 0.0]])
    names = ["cat", "dog"]
    assert prediction_captions(logits, np.array([1, 1]), names) == ["dog · 99 % ✓", "cat · 100 % ✗ (is dog)"]
    assert prediction_captions(np.array([[0.75, 0.25]]), None, None) == ["0 · 75 %"]
    assert prediction_captions(np.array([[0.2]]), np.array([[0]]), None) == ["0 · 80 % ✓"]
    assert prediction_captions(np.array([1, 0]), np.eye(2)[[1, 1]], names) == ["dog ✓", "cat ✗ (is dog)"]


def test_saliency_is_drawn_beside_the_sample() -> None:
    gradients = np.zeros((1, 30, 30, 3))
    gradients[0, 2, 3, 1] = -4.0
    (picture,) = saliency_pictures(np.full((1, 30, 30, 3), 0.5), gradients)
    assert picture.shape == (30, 61, 3)
    assert tuple(picture[2, 31 + 3]) == (1.0, 1.0, 1.0)
    assert tuple(picture[3, 31 + 3]) == (0.0, 0.0, 0.0)
