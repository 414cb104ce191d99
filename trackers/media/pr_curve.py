"""A precision-recall curve as users wrap it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...storage.errors import BadInput
from ...storage.kinds.parts import join
from ..arrays import to_array
from ..raw import Payload
from .base import Loggable

MOST_THRESHOLDS = 1000
_COUNTS = ("tp", "fp", "tn", "fn", "precision", "recall")


class PrCurve(Loggable):
    """A precision-recall curve: of labels and scores, or of counts that were made before."""

    kind = "pr_curve"

    def __init__(self, labels: Any, scores: Any, *, thresholds: int = 127, weights: Any = None) -> None:
        """Wrap labels (0 and 1, or booleans) and scores (0 to 1), both of n numbers.

        Args:
            labels: which samples are positive.
            scores: how sure the model is of that.
            thresholds: at how many places from 0 to 1 is counted, 2 to 1000.
            weights: how much each sample counts: n numbers, or one for all.
        """
        self.labels = labels
        self.scores = scores
        self.thresholds = thresholds
        self.weights = weights
        self._counts: tuple[Any, ...] | None = None

    @classmethod
    def from_counts(cls, tp: Any, fp: Any, tn: Any, fn: Any, precision: Any, recall: Any) -> Self:
        """Wrap what was counted before: six arrays of n, for thresholds evenly from 0 to 1."""
        made = cls(None, None)
        made._counts = (tp, fp, tn, fn, precision, recall)
        return made

    def payload(self) -> Payload:
        """Return labels and scores, or counts. Raises BadInput when they do not fit together."""
        if self._counts is not None:
            return Payload(self.kind, _stacked(self._counts), {})
        count = self.thresholds
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 2 <= count <= 1000:
            raise BadInput(f"a PR curve needs thresholds as a whole number from 2 to 1000, but got {count!r}")
        labels = to_array(self.labels, "a PR curve's labels").reshape(-1)
        scores = to_array(self.scores, "a PR curve's scores").reshape(-1).astype(np.float64)
        _check(labels, scores)
        arrays = {"labels": labels.astype(np.uint8), "scores": scores}
        if self.weights is not None:
            arrays["weights"] = _weights(self.weights, len(scores))
        parts, data = join(arrays)
        return Payload(self.kind, data, {"parts": parts, "thresholds": int(count)})


def _stacked(counts: tuple[Any, ...]) -> NDArray[np.float64]:
    rows = [
        to_array(one, f"a PR curve's {name}").reshape(-1).astype(np.float64)
        for name, one in zip(_COUNTS, counts, strict=True)
    ]
    lengths = [len(row) for row in rows]
    if len(set(lengths)) != 1 or not 2 <= lengths[0] <= MOST_THRESHOLDS:
        raise BadInput(f"a PR curve needs six arrays of one length, 2 to 1000, but they have {lengths}")
    return np.stack(rows)


def _check(labels: NDArray[Any], scores: NDArray[np.float64]) -> None:
    if len(labels) != len(scores) or not len(labels):
        raise BadInput(
            f"a PR curve needs a score for each label, but got {len(labels)} labels and {len(scores)} scores"
        )
    if not ((labels == 0) | (labels == 1)).all():
        raise BadInput(
            f"a PR curve's labels must be 0 or 1, but they go from {labels.min()} to {labels.max()}"
        )
    if not ((scores >= 0) & (scores <= 1)).all():
        raise BadInput(
            f"a PR curve's scores must lie between 0 and 1, but they go from {scores.min():g} to "
            f"{scores.max():g}. Pass probabilities: logits go through a sigmoid first."
        )


def _weights(weights: Any, count: int) -> NDArray[np.float64]:
    array = to_array(weights, "a PR curve's weights").reshape(-1).astype(np.float64)
    if len(array) not in (1, count) or not np.isfinite(array).all() or (array < 0).any():
        raise BadInput(
            f"a PR curve's weights must be one number or {count}, finite and not negative, but got "
            f"{len(array)} from {array.min(initial=np.inf):g} to {array.max(initial=-np.inf):g}"
        )
    return np.broadcast_to(array, (count,))
