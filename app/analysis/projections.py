"""Vectors of many numbers as points that can be drawn. Pure: no Streamlit, no store."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...storage.errors import BadInput
from ...storage.kinds.embedding import EmbeddingData
from ..views.words import count

MOST_POINTS = 3000
"""So many points are drawn: a browser takes a second for more."""
MOST_TSNE = 500
"""So many go into t-SNE, which takes some seconds for them."""
FEWEST_TSNE = 5
_BEFORE_TSNE = 50
"""Numbers a vector that t-SNE is given, as its authors advise: the rest is noise."""
_PERPLEXITY = 30.0
_STEPS = 500
_PACE = 10.0
"""scikit-learn's own learning rate, at least 50, throws fewer than some hundred points apart in space."""


class Method(StrEnum):
    """How vectors become points."""

    PCA = "PCA"
    """The axes on which the vectors differ most: distances are true, as far as the axes reach."""
    TSNE = "t-SNE"
    """Neighbours stay neighbours: groups are true, sizes and distances of groups are not."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Where vectors lie."""

    points: NDArray[np.float64]
    """Shape (n, 2) or (n, 3)."""
    rows: NDArray[np.intp]
    """Which vectors these are, shape (n,), ascending."""
    note: str
    """How many of how many, and how."""


def project(data: EmbeddingData, method: Method = Method.PCA, dimensions: int = 2) -> Projection:
    """Return the vectors as points in two or three dimensions; the same vectors give the same points.

    t-SNE is scikit-learn's (van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008), from
    the principal axes on.

    Args:
        data: the embedding; of more than 3000 vectors (t-SNE: 500), evenly chosen ones are taken.
        method: how.
        dimensions: 2 or 3.

    Raises:
        BadInput: t-SNE of fewer than 5 vectors.
    """
    most = MOST_TSNE if method is Method.TSNE else MOST_POINTS
    rows = np.arange(0, len(data.vectors), -(-len(data.vectors) // most))
    if method is Method.TSNE:
        points, how = _tsne(data, rows, dimensions), f"t-SNE in {dimensions} dimensions"
    else:
        every, share = data.projected(dimensions)
        axes = {2: "two", 3: "three"}[dimensions]
        points, how = every[rows], f"on {axes} principal axes: {share:.0%} of the variance"
    vectors, numbers = data.vectors.shape
    of = f"{count(len(rows))} of {count(vectors)}" if len(rows) < vectors else count(vectors)
    return Projection(points, rows, f"{of} vectors of {count(numbers)} {how}")


def _tsne(data: EmbeddingData, rows: NDArray[np.intp], dimensions: int) -> NDArray[np.float64]:
    if len(rows) < FEWEST_TSNE:
        raise BadInput(f"t-SNE needs at least {FEWEST_TSNE} vectors, but there are {len(rows)}. Choose PCA.")
    # Loaded when somebody chooses it: it takes a second.
    from sklearn.manifold import TSNE  # noqa: PLC0415

    shorter = min(_BEFORE_TSNE, data.vectors.shape[1])
    vectors = data.projected(max(shorter, dimensions))[0][rows]
    perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
    # Vectors that are all the same have no axes to begin from.
    start = "pca" if float(np.ptp(vectors)) > 0 else "random"
    kind: Any = TSNE
    model = kind(
        dimensions, perplexity=perplexity, init=start, random_state=0, learning_rate=_PACE, max_iter=_STEPS
    )
    return np.asarray(model.fit_transform(vectors), dtype=np.float64)
