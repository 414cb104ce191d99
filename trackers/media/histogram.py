"""A distribution as users wrap it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...storage.errors import BadInput
from ..arrays import to_array
from ..raw import Payload
from .base import Loggable


class Histogram(Loggable):
    """A distribution: raw values, or counts that were binned before, with their edges."""

    kind = "histogram"
    meaningless = frozenset({"num_bins"})

    def __init__(
        self,
        values: Any = None,
        *,
        counts: Any = None,
        edges: Any = None,
        np_histogram: tuple[Any, Any] | None = None,
        **others: Any,
    ) -> None:
        """Wrap values of any shape; or `counts` (k,) with ascending `edges` (k + 1,).

        `np_histogram` is both at once, as numpy.histogram returns them. Of `others`, see `meaningless`.
        """
        self._pass_over(others)
        if np_histogram is not None:
            counts, edges = np_histogram
        self.values = values
        self.counts = counts
        self.edges = edges

    def payload(self) -> Payload:
        """Return the numbers. Raises BadInput when counts and edges do not fit."""
        if self.values is not None:
            return Payload(self.kind, to_array(self.values, "a histogram"), {})
        if self.counts is None or self.edges is None:
            raise BadInput("a histogram needs values, or both counts and edges")
        counts = to_array(self.counts, "a histogram's counts").reshape(-1).astype(np.float64)
        edges = to_array(self.edges, "a histogram's edges").reshape(-1).astype(np.float64)
        _check_bins(counts, edges)
        return Payload(self.kind, np.concatenate([edges, counts]), {"binned": True})


def _check_bins(counts: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> None:
    if len(edges) != len(counts) + 1 or not len(counts):
        raise BadInput(
            f"a histogram needs one more edge than counts, but got {len(edges)} edges and "
            f"{len(counts)} counts"
        )
    wrong = np.flatnonzero(~(np.diff(edges) > 0))
    if len(wrong):
        at = int(wrong[0])
        raise BadInput(
            f"a histogram's edges must ascend, but edges[{at + 1}]={edges[at + 1]} comes after "
            f"edges[{at}]={edges[at]}. Pass sorted, distinct edges, or raw values."
        )
    if not np.isfinite(edges).all():
        raise BadInput(f"a histogram's edges must be finite, but they go from {edges[0]} to {edges[-1]}")
    if not np.isfinite(counts).all() or (counts < 0).any() or counts.sum() <= 0:
        raise BadInput("a histogram's counts must be finite, not negative and not all zero")
