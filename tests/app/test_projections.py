"""Vectors as points: on principal axes, and by neighbours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from stepscope import Embedding
from stepscope.app.analysis.projections import MOST_POINTS, Method, project
from stepscope.app.views import embedding
from stepscope.storage.errors import BadInput
from stepscope.storage.kinds.embedding import EmbeddingData


def groups(rows: int = 60) -> EmbeddingData:
    rng = np.random.default_rng(0)
    return EmbeddingData(
        (rng.normal(size=(rows, 6)) + 20 * (np.arange(rows)[:, None] % 2)).astype(np.float32)
    )


@pytest.mark.parametrize("dimensions", [2, 3])
def test_neighbours_stay_neighbours_the_same_each_time(dimensions: int) -> None:
    data = groups()
    found = project(data, Method.TSNE, dimensions)
    assert found.points.shape == (60, dimensions)
    np.testing.assert_array_equal(project(data, Method.TSNE, dimensions).points, found.points)
    away = np.linalg.norm(found.points[:, None] - found.points[None], axis=2)
    np.fill_diagonal(away, np.inf)
    assert ((away.argmin(axis=0) - np.arange(60)) % 2 == 0).all()


def test_three_axes_and_evenly_chosen_vectors() -> None:
    found = project(EmbeddingData(np.random.default_rng(0).random((10_000, 2), np.float32)), dimensions=3)
    assert found.points.shape == (2500, 3)
    assert len(found.points) <= MOST_POINTS
    assert not found.points[:, 2].any()
    assert "2,500 of 10,000 vectors of 2 on three principal axes: 100%" in found.note


def test_too_few_vectors_for_neighbours_are_refused() -> None:
    with pytest.raises(BadInput, match=r"t-SNE needs at least 5 vectors, but there are 4\. Choose PCA\."):
        project(groups(4), Method.TSNE)
    same = project(EmbeddingData(np.ones((9, 3), np.float32)), Method.TSNE)
    assert np.isfinite(same.points).all()


def test_many_words_share_a_grey_and_many_numbers_a_scale() -> None:
    words = tuple((f"word {place if place > 20 else 0}",) for place in range(60))
    data = EmbeddingData(groups().vectors, (), words)
    names = [trace["name"] for trace in embedding.figure("", data, "#0072B2", column=0)["data"]]
    assert len(names) == embedding.MOST_COLOURS
    assert (names[0], names[-1]) == ("word 0", "others")
    numbers = EmbeddingData(groups().vectors, ("size",), tuple((str(place),) for place in range(60)))
    (trace,) = embedding.figure("", numbers, "#0072B2", column=0)["data"]
    assert trace["marker"]["colorbar"]["title"]["text"] == "size"
    (plain,) = embedding.figure("", numbers, "#0072B2", column=embedding.NOTHING)["data"]
    assert plain["marker"]["color"] == "#0072B2"


def test_the_picture_of_a_vector_is_cut_from_the_sheet() -> None:
    from stepscope.storage.kinds.base import RawValue
    from stepscope.storage.kinds.embedding import decode, encode

    pictures = np.zeros((5, 4, 6, 3), np.uint8)
    pictures[4] = 200
    payload = Embedding(np.eye(5), images=pictures).payload()
    kept = encode(RawValue(payload.meta(), payload.data))
    data = decode(kept.meta, kept.data)
    found = embedding.picture(data, 4)
    assert found is not None
    with Image.open(io.BytesIO(found)) as drawn:
        assert (drawn.size, drawn.getpixel((0, 0))) == ((6, 4), (200, 200, 200))
    assert embedding.picture(groups(), 0) is None
    wrong = EmbeddingData(np.eye(99, dtype=np.float32), sprite=data.sprite, image_size=data.image_size)
    assert embedding.picture(wrong, 98) is None
